"""Steps that are a whole model, or what makes one of several."""

from __future__ import annotations

from typing import Any

from .steps import Step, make, step


@step("mean")
def _mean(node: dict[str, Any]) -> Step:
    """The members' mean, by ``weights`` where there are some."""
    first, *others = [make(entry) for entry in node["parts"]]
    weights = node["weights"] or [1.0] * (1 + len(others))
    share = sum(weights)

    def run(x: Any) -> Any:
        total = first(x) * weights[0]
        for part, weight in zip(others, weights[1:], strict=True):
            total = total + part(x) * weight
        return total / share

    return run


@step("above")
def _above(node: dict[str, Any]) -> Step:
    limit = node["limit"]
    return lambda x: (x > limit).astype(float)


@step("gauss")
def _gauss(node: dict[str, Any]) -> Step:
    means, spread, bias = node["means"], node["spread"], node["bias"]
    return lambda x: bias - 0.5 * ((x[:, None, :] - means) ** 2 / spread).sum(axis=2)
