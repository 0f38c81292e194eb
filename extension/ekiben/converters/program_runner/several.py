"""Steps to several outputs."""

from __future__ import annotations

from typing import Any

import numpy

from .steps import Step, chain, classes_of, make, step


@step("outputs")
def _outputs(node: dict[str, Any]) -> Step:
    """Shares of all outputs' classes side by side to the likeliest class of each output (n × outputs)."""
    classes = [classes_of(entry) for entry in node["classes"]]
    ends = numpy.cumsum([len(entry) for entry in classes]).tolist()
    parts = list(zip(classes, [0, *ends], ends, strict=False))

    def run(x: Any) -> Any:
        found = [entry.take(x[:, low:high].argmax(axis=1)) for entry, low, high in parts]
        return {"predictions": numpy.stack(found, axis=1)}

    return run


@step("labels")
def _labels(node: dict[str, Any]) -> Step:
    """1 where a number is above ``limit`` (n × labels); ``steps`` make probabilities of the numbers, if any."""
    limit, share = node["limit"], None if node["steps"] is None else chain(node)

    def run(x: Any) -> Any:
        found = {"predictions": (x > limit).astype("int64")}
        return found if share is None else {**found, "probabilities": share(x)}

    return run


@step("following")
def _following(node: dict[str, Any]) -> Step:
    """Each part gets what those before it answered as further columns; ``back`` is the targets' own order."""
    parts, back, shared = [make(entry) for entry in node["parts"]], node["back"], node["shared"]

    def run(x: Any) -> Any:
        width, shares = x.shape[1], []
        for part in parts:
            found = part(x)
            x = numpy.concatenate((x, found["predictions"].reshape(-1, 1).astype(float)), axis=1)
            if shared:
                shares.append(found["probabilities"][:, 1])
        made = {"predictions": x[:, width:].take(back, axis=1)}
        return made | {"probabilities": numpy.stack(shares, axis=1).take(back, axis=1)} if shared else made

    return run


@step("constant")
def _constant(node: dict[str, Any]) -> Step:
    """The same for every row: ``values`` (1 × k, or 1)."""
    values = node["values"]
    return lambda x: numpy.repeat(values, len(x), axis=0)


@step("tallied")
def _tallied(node: dict[str, Any]) -> Step:
    """Whole numbers to the sums of what stands in their columns' tables (categories × classes), and ``bias``."""
    tables, bias = node["tables"], node["bias"]

    def run(x: Any) -> Any:
        places = x.astype("int64")
        if (places < 0).any():
            raise ValueError("A category is below 0.")
        total = numpy.zeros((len(x), len(bias)))
        for at, table in enumerate(tables):
            total += table.take(places[:, at], axis=0)
        return total + bias

    return run
