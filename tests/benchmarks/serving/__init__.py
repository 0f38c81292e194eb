"""The service beside the field's servers: same models, same machine, same run.

``make bench BENCH_ARGS="serving --help"`` lists the flags; ``cli.py`` is where a run begins.
"""
