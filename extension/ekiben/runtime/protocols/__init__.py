"""Other serving systems' protocols, each answered from the contract.

``gate.py`` knows which first part of a path belongs to which module here, and imports it when it is
first asked. Such a module has ``NAME`` (the metrics' label), ``answer(call)`` and ``trouble(error,
call)``, which says an error in the protocol's own form.
"""
