"""What is found by turns: parts that sum up to a row (NMF), topics that a text is of (LDA)."""

from __future__ import annotations

from typing import Any

from ekiben.converters.lowering import Lower, transform
from ekiben.converters.program import Source, Steps
from ekiben.errors import NotConverted
from ekiben.words import _

Made = tuple[Steps, Source]


@transform("sklearn.NMF")
def parts(lower: Lower, part: Any, source: Source) -> Made:
    """How much of each part a row is, by coordinate descent as in training."""
    import numpy

    if part.solver != "cd" or part.shuffle:
        told = "shuffle" if part.solver == "cd" else part.solver
        raise NotConverted(_("{type} has no faster form yet.", type=f"{type(part).__name__} ({told})"))
    steps, source = lower.program.loose(source)
    kept = part.components_.astype(float)
    flat = source.width * float(part.alpha_W) * float(part.l1_ratio)
    both = kept @ kept.T + numpy.eye(len(kept)) * (source.width * part.alpha_W * (1.0 - part.l1_ratio))
    step = {
        "op": "parts",
        "across": lower.keep(kept.T),
        "both": lower.keep(both),
        "flat": flat,
        "enough": float(part.tol),
        "most": int(part.max_iter),
    }
    return [*steps, step], Source(len(kept))


@transform("sklearn.LatentDirichletAllocation")
def topics(lower: Lower, part: Any, source: Source) -> Made:
    """The share of each topic."""
    steps, source = lower.program.numbers(source)
    step = {
        "op": "topics",
        "words": lower.keep(part.exp_dirichlet_component_.astype(float)),
        "prior": float(part.doc_topic_prior_),
        "enough": float(part.mean_change_tol),
        "most": int(part.max_doc_update_iter),
    }
    return [*steps, step], Source(len(part.exp_dirichlet_component_))
