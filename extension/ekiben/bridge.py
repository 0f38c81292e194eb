"""Whether a sample is what the model was fitted on, and what in the kernel would join the two.

The commonest disaster of serving: a scaler, an encoder or the order of columns stayed in the notebook, and
the service answers nonsense without an error. Names, widths and types are looked at first; where they
fit, what the estimator recorded of its data and how well it answers tell the rest. An error is raised only
where the evidence is plain; what is merely suspicious is a finding.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from ekiben.candidates import Named, guesses, label_encoders, name_of, tables, targets, variables
from ekiben.canonical import canonical, rows_of
from ekiben.errors import SampleMismatch
from ekiben.proposals import Look, Tried, is_a_variable, pipelines_tried, suits, tables_tried
from ekiben.protocols import Description
from ekiben.records import Finding
from ekiben.words import _

#: Rows of the sample that are looked at.
ROWS = 300
#: A score that is good in itself: balanced accuracy, R².
_GOOD_ACCURACY, _GOOD_R2 = 0.8, 0.2
#: Data that fits what was recorded less than this is suspicious by itself.
_FAR = 0.3


def check(model: Any, sample: Any, about: Description, namespace: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Looks whether ``sample`` is what ``model`` was fitted on; ``namespace`` is the caller's.

    Only estimators with scikit-learn's own verbs are looked at: for others nothing is known.

    Raises:
        SampleMismatch: it is plainly something else; the remedy is code that joins them, where the
            namespace has what it takes.
    """
    if not all(hasattr(model, name) for name in ("fit", "predict", "get_params")):
        return ()
    known = variables(namespace)
    named = Named(name_of(model, known, "model"), model)
    findings = _label_findings(named, about, known)
    form, data = canonical(sample)
    if form not in ("table", "array", "texts"):
        return findings
    rows = sorted({int(k * len(data) / min(ROWS, len(data))) for k in range(min(ROWS, len(data)))})
    truths = targets(known, sample, rows, about.classes)
    guessed = not truths and about.classes is None
    look = Look(
        named,
        Named(name_of(sample, known, "X"), sample),
        rows_of(data, rows),
        rows,
        about,
        known,
        guesses(known, sample, rows) if guessed else truths,
        guessed,
    )
    _check_order(look)
    trouble = _trouble(look)
    if trouble:
        raise _misfit(look, trouble) or SampleMismatch(trouble, remedy=_unaided(look))
    return (*findings, *_suspicions(look))


def _check_order(look: Look) -> None:
    columns, given = look.about.columns, getattr(look.part, "columns", None)
    if (
        columns is None
        or given is None
        or list(given) == list(columns)
        or sorted(map(str, given)) != sorted(columns)
    ):
        return
    raise SampleMismatch(
        _("The sample has the model's columns in another order."),
        where=look.sample.name,
        remedy=_("Pass them in the model's order:"),
        code=f"box = ekiben.wrap({look.model.name}, {look.sample.name}[list({look.model.name}.feature_names_in_)])",
    )


def _trouble(look: Look) -> str:
    """Why the model cannot take the sample as it is; empty where it can."""
    columns = getattr(look.part, "columns", None)
    if columns is not None and look.about.columns:
        given = list(map(str, columns))
        missing = [name for name in look.about.columns if name not in given]
        extra = [name for name in given if name not in look.about.columns]
        if missing or extra:
            told = [_("The model was not fitted on this sample's columns.")]
            told += [_("Missing: {names}.", names=", ".join(missing[:10]))] if missing else []
            told += [_("Unknown to the model: {names}.", names=", ".join(extra[:10]))] if extra else []
            return " ".join(told)
    shape = getattr(look.part, "shape", None)
    if shape is not None and look.about.width not in (None, shape[1]):
        return _(
            "The sample has {got} columns, the model was fitted on {wanted}.",
            got=shape[1],
            wanted=look.about.width,
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            look.model.value.predict(rows_of(look.part, list(range(min(5, len(look.rows))))))
    except Exception as error:  # noqa: BLE001 - a model may raise anything on data that does not fit it
        reason = (str(error).splitlines() or [repr(error)])[0]
        told = [_("The model does not take the sample: {reason}.", reason=reason.rstrip("."))]
        texts = _texts(look)
        told += [_("Text is in {names}.", names=", ".join(texts[:10]))] if texts else []
        return " ".join(told)
    return ""


def _texts(look: Look) -> list[str]:
    """The columns of a frame that are neither numbers nor times."""
    columns: Any = getattr(look.part, "columns", ())
    return [str(name) for name in columns if getattr(look.part[name].dtype, "kind", "O") not in "iufbMm"]


def _misfit(look: Look, trouble: str) -> SampleMismatch | None:
    """The error with the way out, where there is one."""
    tried = sorted(pipelines_tried(look), key=Tried.rank, reverse=True)
    for one in tried:
        if not one.chain.sure and one.score is None and one.likeness is None:
            continue  # one of two orders, and nothing tells which
        return _proposed(look, trouble, one, len(tried))
    for entry in tables(look.known, look.sample.value):
        if suits(look, entry.value):
            return SampleMismatch(
                trouble + " " + _("{name} fits it.", name=entry.name),
                where=look.sample.name,
                remedy=_(
                    "What makes {name} of {sample} is no object of this notebook. Put it into a Pipeline with the "
                    "model; or ekiben.wrap({model}, {name}), and callers send it as {name} is.",
                    name=entry.name,
                    sample=look.sample.name,
                    model=look.model.name,
                ),
            )
    return None


def _proposed(look: Look, what: str, one: Tried, count: int) -> SampleMismatch:
    told = [what]
    if one.chain.through:
        told.append(_("{names} would bridge the gap.", names=" → ".join(one.chain.through)))
    if one.score is not None:
        told.append(_("Through it, {measure} is {score}.", measure=_measure(look), score=f"{one.score:.2f}"))
    if count > 1:
        told.append(_("({n} ways fit; this one fits best.)", n=count))
    return SampleMismatch(" ".join(told), where=look.sample.name, remedy=_advice(one), code=one.chain.code())


def _unaided(look: Look) -> str:
    """What helps where the notebook has nothing that does."""
    wanted = look.about.columns or ()
    texts = [name for name in _texts(look) if name not in wanted] or _texts(look)
    if not texts:
        return _(
            "Pass the data that fit was called with, as it was; or wrap a Pipeline that makes it of these rows."
        )
    return _(
        "Fit the encoder with the model: make_pipeline(make_column_transformer((OneHotEncoder("
        "handle_unknown='ignore'), {columns}), remainder='passthrough'), {model}).fit({sample}, y)",
        columns=texts,
        model=look.model.name,
        sample=look.sample.name,
    )


def _suspicions(look: Look) -> tuple[Finding, ...]:
    """Names and widths fit: what do the answers and the records say?"""
    if isinstance(look.part, list):
        return ()
    tried = [*pipelines_tried(look, seen=True), *tables_tried(look)]
    before = look.standing(tried)
    ranked = sorted(tried, key=Tried.rank, reverse=True)
    good = _GOOD_R2 if look.about.classes is None else _GOOD_ACCURACY
    for one in ranked:
        if one.better(before, good):
            raise _plain(look, before, one)
    for one in ranked:
        # A model that hardly learned anything gets better by chance, so this is no error.
        if one.chain.imports and one.likelier(before):
            told = _plain(look, before, one)
            return (Finding("warning", told.message, told.remedy),)
    if before == (None, None):
        twin = next((one for one in tried if one.chain.through and is_a_variable(look, one.rows)), None)
        if twin is not None:
            return (
                Finding(
                    "warning",
                    _(
                        "The notebook also holds {sample} as {names} makes it, and nothing tells which of the two "
                        "the model was fitted on.",
                        sample=look.sample.name,
                        names=" → ".join(twin.chain.through),
                    ),
                    _("If it was that one: {code}", code=twin.chain.code()),
                ),
            )
    elif before[0] is None and before[1] is not None and before[1] < _FAR and len(look.rows) >= 20:
        return (
            Finding(
                "warning",
                _(
                    "The sample lies outside the data that the model was fitted on ({share} of it fits).",
                    share=f"{before[1]:.0%}",
                ),
                _("Pass the rows that fit was called with; or wrap a Pipeline that makes them of these."),
            ),
        )
    return ()


def _plain(look: Look, before: tuple[float | None, float | None], one: Tried) -> SampleMismatch:
    if one.chain.through:
        what = _("{model} was fitted on what {names} makes of {sample}, not on {sample}.",
                 model=look.model.name, names=" → ".join(one.chain.through), sample=look.sample.name)  # fmt: skip
    else:
        what = _("{model} was fitted on {other}, not on {sample} as it is.",
                 model=look.model.name, other=one.chain.sample, sample=look.sample.name)  # fmt: skip
    if one.score is not None and before[0] is not None:
        what += " " + _("As it is, {measure} is {before}; that way {after}.",
                        measure=_measure(look), before=f"{before[0]:.2f}", after=f"{one.score:.2f}")  # fmt: skip
    elif one.likeness is not None and before[1] is not None:
        what += " " + _("What the model recorded of its data fits {before} of it as it is, and {after} that way.",
                        before=f"{before[1]:.0%}", after=f"{one.likeness:.0%}")  # fmt: skip
    return SampleMismatch(what, where=look.sample.name, remedy=_advice(one), code=one.chain.code())


def _advice(one: Tried) -> str:
    if one.chain.imports:
        return _("Wrap the Pipeline that joins them, if this is what you meant (trust_sample=True if not):")
    return _("Pass that one, if this is what you meant (trust_sample=True if not):")


def _measure(look: Look) -> str:
    return "R²" if look.about.classes is None else _("balanced accuracy")


def _label_findings(model: Named, about: Description, known: list[Named]) -> tuple[Finding, ...]:
    """Answers that are numbers of labels which an encoder outside the model knows by name."""
    classes = about.classes
    if classes is None or list(classes) != list(range(len(classes))):
        return ()
    for entry in label_encoders(known):
        labels = entry.value.classes_.tolist()
        if len(labels) != len(classes) or labels == list(classes):
            continue
        told = ", ".join(map(str, labels[:8])) + (" …" if len(labels) > 8 else "")
        return (
            Finding(
                "warning",
                _(
                    "The model answers 0 … {last}; {encoder} knows them as {labels}.",
                    last=len(labels) - 1,
                    encoder=entry.name,
                    labels=told,
                ),
                _(
                    "Fit it with the labels themselves and the service answers them: "
                    "{model}.fit(X, {encoder}.inverse_transform(y))",
                    model=model.name,
                    encoder=entry.name,
                ),
            ),
        )
    return ()
