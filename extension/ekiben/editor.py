"""The user's word on a contract: ranges, categories, gaps and how strict to be.

Every edit is checked against the golden examples, written to the store and the project, and counts at
once: in this process, and for services that start from now on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ekiben import paths
from ekiben.errors import EkibenError, NotFound
from ekiben.records import Contract, Field, Model, Unseen
from ekiben.runtime.contract import check
from ekiben.runtime.problems import InvalidRows
from ekiben.views import contract_html
from ekiben.words import _, language

Apply = Callable[[Contract], None]


class EditableContract:
    """A contract that can be edited; everything that ``records.Contract`` has is there to read.

    ::

        box.contract.field("age").range(0, 120)
        box.contract.field("city").categories(["Lima", "Oslo", "Rome"])
        box.contract.rules(unseen="warn", outside="reject")
    """

    def __init__(self, contract: Contract, apply: Apply) -> None:
        self._contract = contract
        self._apply = apply

    def __getattr__(self, name: str) -> Any:
        return getattr(self._contract, name)

    def field(self, name: str) -> FieldEditor:
        """The input ``name``, to be edited.

        Raises:
            NotFound: the contract has no such input.
        """
        return FieldEditor(self, name)

    def rules(self, *, unseen: Unseen | None = None, outside: Unseen | None = None) -> EditableContract:
        """What happens to categories and numbers that the sample did not have: reject, warn or accept."""
        contract = self._contract
        return self.change(
            replace(contract, unseen=unseen or contract.unseen, outside=outside or contract.outside)
        )

    def change(self, contract: Contract) -> EditableContract:
        """Takes another contract in this one's place.

        Raises:
            EkibenError: it would refuse a golden example.
        """
        checked(contract)
        self._apply(contract)
        self._contract = contract
        return self

    def __repr__(self) -> str:
        names = ", ".join(f"{field.name}: {field.dtype}" for field in self._contract.inputs)
        return f"<ekiben contract {self._contract.task}: {names}>"

    def _repr_html_(self) -> str:
        return contract_html(self._contract)


class FieldEditor:
    """One input of a contract; each verb edits it and gives the editor back."""

    def __init__(self, contract: EditableContract, name: str) -> None:
        self._contract = contract
        self._name = name
        self.record  # noqa: B018 - an unknown name is told now, not at the first edit

    @property
    def record(self) -> Field:
        """The field as it is."""
        for field in self._contract.inputs:
            if field.name == self._name:
                found: Field = field
                return found
        raise NotFound(
            _("The contract has no field {name}.", name=repr(self._name)),
            remedy=_("Its fields: {names}", names=", ".join(field.name for field in self._contract.inputs)),
        )

    def range(self, minimum: float, maximum: float) -> FieldEditor:
        """Numbers from ``minimum`` to ``maximum`` are within the contract.

        Raises:
            EkibenError: the field holds no numbers, or the ends are the wrong way round.
        """
        if self.record.kind not in ("number", "integer"):
            raise self._not(_("The field holds no numbers, so it has no range."))
        if not minimum <= maximum:
            raise self._not(_("The range ends before it begins."))
        return self._set(minimum=minimum, maximum=maximum, counts=())

    def categories(self, values: Iterable[Any]) -> FieldEditor:
        """Only these values are within the contract.

        Raises:
            EkibenError: the field holds numbers or dates, or a pandas categorical lacks one of them.
        """
        record = self.record
        chosen = tuple(dict.fromkeys(values))
        if record.kind not in ("category", "text"):
            raise self._not(_("The field holds no categories."))
        if record.all_categories is not None and not set(chosen) <= set(record.all_categories):
            raise self._not(_("The column's dtype has other categories: it was fitted with those."))
        return self._set(kind="category", categories=chosen, counts=())

    def text(self) -> FieldEditor:
        """Any text is within the contract.

        Raises:
            EkibenError: the field holds something else.
        """
        record = self.record
        if record.kind not in ("category", "text") or record.all_categories is not None:
            raise self._not(_("The field holds no free text."))
        return self._set(kind="text", categories=None, counts=())

    def nullable(self, allowed: bool = True) -> FieldEditor:
        """Whether the value may be missing."""
        return self._set(nullable=allowed)

    def _set(self, **changes: Any) -> FieldEditor:
        edited = replace(self.record, **changes)
        inputs = tuple(edited if field.name == self._name else field for field in self._contract.inputs)
        self._contract.change(replace(self._contract._contract, inputs=inputs))
        return self

    def _not(self, message: str) -> EkibenError:
        return EkibenError(
            message, where=self._name, remedy=_("It is {kind} in the sample.", kind=self.record.kind)
        )

    def __repr__(self) -> str:
        return repr(self.record)


def checked(contract: Contract) -> None:
    """Golden examples must stay within the contract, or they could prove nothing.

    Raises:
        EkibenError: the contract refuses one.
    """
    data = contract.to_json()
    try:
        check(data, data["golden"]["rows"])
    except InvalidRows as error:
        told = error.problems[0].told(language())
        raise EkibenError(
            _("The contract would refuse a golden example: {problem}", problem=told["message"]),
            where=told["path"],
            remedy=_("Widen it, or wrap again with a sample that has only what you mean."),
        ) from error


def keep(model: Model, project_folder: str, before: Contract | None = None) -> None:
    """Writes an edited record to the store and its contract to the project.

    ``before`` is the contract that the edit began with. Another kernel may have edited it since: its edit
    stays where this one is not of the contract.

    Raises:
        EkibenError: the contract changed, and so did that of the store, elsewhere, or of the project, by hand.
    """
    data = model.to_json()
    contract = _text(model.contract)
    del data["folder"], data["contract"]
    store, file = Path(model.folder), Path(project_folder) / "contract.json"
    former = _read(store / "contract.json")
    if before is not None and former and _text(Contract.from_json(json.loads(former))) != _text(before):
        if model.contract != before:
            raise EkibenError(
                _("The contract was edited elsewhere since this box was made."),
                where=model.tag,
                remedy=_(
                    "Open it anew and edit it there: {code}", code=f'box = ekiben.open_box("{model.tag}")'
                ),
            )
        contract = former
    by_hand = _read(file) not in ("", former, contract)
    if by_hand and contract != former:
        raise EkibenError(
            _("The contract.json of the project was edited by hand, and this edit would undo that."),
            where=str(file),
            remedy=_("Delete it and make its edits here too, as box.contract.field(…)."),
        )
    texts = {store / "contract.json": contract}
    texts[store / "model.json"] = json.dumps(data, ensure_ascii=False, indent=1)
    if not by_hand:
        texts[file] = contract
    for path, text in texts.items():
        paths.write_atomic(path, text)
        path.chmod(0o644)  # a container's own user reads them too


def _text(contract: Contract) -> str:
    return json.dumps(contract.to_json(), ensure_ascii=False, indent=1)


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.is_file() else ""
