"""A box from a fitted model, or from the store."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ekiben import project as projects
from ekiben import template, training
from ekiben.box import Box
from ekiben.caller import namespace, store_name, variable_name
from ekiben.capture import capture, load_model
from ekiben.editor import keep
from ekiben.personal import Personal, findings, look, without
from ekiben.records import Unseen
from ekiben.status import Status
from ekiben.words import _


def wrap(
    model: Any,
    sample: Any,
    *,
    name: str | None = None,
    unseen: Unseen = "reject",
    outside: Unseen = "warn",
    personal: Personal = "keep",
    requirements: Sequence[str] = (),
    indexes: bool = False,
    files: Sequence[str | Path] = (),
    trust_sample: bool = False,
    project_dir: str | Path | None = None,
    compiled: bool | str = True,
) -> Box:
    """Captures a fitted ``model`` with its contract and makes its service.

    ``sample`` is the data that ``fit`` was called with (or part of it), one row an example: a DataFrame,
    an array of numbers, a list of dicts or of texts. ``name`` is the model's in the BentoML store; left
    out, it is that of your variable. ``unseen`` says what happens to a category that the sample did not
    have and ``outside`` to a number beyond its range: ``reject``, ``warn`` or ``accept``. ``personal``
    says what happens to what looks like personal data: ``keep`` (and be warned), ``replace`` or
    ``drop``. ``requirements`` names installed packages that the model imports where nobody sees it;
    ``indexes`` writes the package indexes of your pip settings into the project. ``files`` are data
    files that your code opens when it answers. ``trust_sample`` takes the sample as it is, without a look
    for preprocessing that was forgotten. The project goes to ``project_dir``, or to a place
    beside the store. ``compiled`` tries faster forms of the model, and the fastest that answers the whole
    sample as the model does will serve: False tries none, a converter's name only that one.

    What the model needs of the notebook's own code travels with it; ``box.carried`` tells what it is.

    Raises:
        UnsupportedModel, UnsupportedSample: with the remedy.
        SampleMismatch: the model was fitted on something else; the remedy is code that joins them.
        NotCarried: the code uses what cannot leave the notebook; cell, line and remedy are told.
        ReplayMismatch: the saved copy answers otherwise than the live object.
    """
    names = namespace(sys._getframe(1))
    variable = variable_name(model, names)
    chosen = name or variable or type(model).__name__
    template.begin(type(model).__module__)
    with Status() as status:
        status.say(_("capturing {name}", name=chosen))
        private = look(sample)
        sample = without(sample, private, personal)
        record, replay = capture(
            model,
            sample,
            store_name(chosen) if name is None else name,
            unseen=unseen,
            requirements=requirements,
            indexes=indexes,
            files=files,
            namespace=None if trust_sample else names,
            compiled=compiled,
            say=status.say,
        )
        told = findings(private) if personal == "keep" else ()
        contract = replace(record.contract, outside=outside)
        record = replace(record, contract=contract, findings=(*record.findings, *told))
        made = projects.write(projects.render(record), project_dir)
        keep(record, made.folder)
        status.say(
            _("replaying {rows} golden examples in a clean process", rows=len(record.contract.golden.rows))
        )
        box = Box(record, made, live=model)
        box.variable = variable or ""
        box.replays["kernel"] = replay
        box.replay_process()
        training.note(record.tag, box.variable)
    return box


def open_box(tag: str) -> Box:
    """A box from the BentoML store; ``name`` alone means its latest version.

    Raises:
        NotFound: the store has no such model.
    """
    record = load_model(tag)
    return Box(record, projects.write(projects.render(record)))
