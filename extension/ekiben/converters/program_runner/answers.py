"""The last steps: to the answers by name."""

from __future__ import annotations

from typing import Any

from .steps import Step, chain, classes_of, step


@step("classify")
def _classify(node: dict[str, Any]) -> Step:
    """Probabilities to the likeliest class."""
    classes = classes_of(node["classes"])
    return lambda p: {"predictions": classes.take(p.argmax(axis=1)), "probabilities": p}


@step("decide")
def _decide(node: dict[str, Any]) -> Step:
    """Scores to a class: the greatest, or of one score (n) the second class where it is above 0."""
    classes = classes_of(node["classes"])

    def run(scores: Any) -> Any:
        if scores.ndim == 1 or scores.shape[1] == 1:
            return {"predictions": classes.take((scores.reshape(-1) > 0).astype("int64"))}
        return {"predictions": classes.take(scores.argmax(axis=1))}

    return run


@step("both")
def _both(node: dict[str, Any]) -> Step:
    """Scores to a class, and to probabilities by the further steps."""
    decide, share = _decide(node), chain(node)
    return lambda scores: {**decide(scores), "probabilities": share(scores)}


@step("answer")
def _answer(node: dict[str, Any]) -> Step:
    dtype = node["dtype"]
    return lambda x: {"predictions": x if dtype is None else x.astype(dtype)}
