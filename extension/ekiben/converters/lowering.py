"""Which function writes down which class: one table for each thing that an estimator can be asked.

Modules of lowerings register themselves with the decorators; ``Lower`` asks them. Classes are known by the
name of their library and their own (``sklearn.LogisticRegression``), so that nothing is imported to ask.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ekiben.converters.program import Program, Source, Steps
from ekiben.errors import NotConverted
from ekiben.words import _

Transform = Callable[["Lower", Any, Source], tuple[Steps, Source]]
Ask = Callable[["Lower", Any, Source], Steps]

TRANSFORMS: dict[str, Transform] = {}
PROBABILITIES: dict[str, Ask] = {}
SCORES: dict[str, Ask] = {}
LINKS: dict[str, Callable[[Any], Steps]] = {}
VALUES: dict[str, Ask] = {}
ANSWERS: dict[str, Ask] = {}
SEVERAL: dict[str, Ask] = {}


def transform(*names: str) -> Callable[[Transform], Transform]:
    """Registers what makes numbers (or rows) of rows."""
    return _register(TRANSFORMS, names)


def probabilities(*names: str) -> Callable[[Ask], Ask]:
    """Registers steps to ``predict_proba``'s n × classes."""
    return _register(PROBABILITIES, names)


def scores(*names: str) -> Callable[[Ask], Ask]:
    """Registers steps to ``decision_function``'s n, or n × classes."""
    return _register(SCORES, names)


def links(*names: str) -> Callable[[Callable[[Any], Steps]], Callable[[Any], Steps]]:
    """Registers steps from the scores to probabilities, where labels are told by the scores."""
    return _register(LINKS, names)


def values(*names: str) -> Callable[[Ask], Ask]:
    """Registers steps to a regressor's ``predict``."""
    return _register(VALUES, names)


def answers(*names: str) -> Callable[[Ask], Ask]:
    """Registers steps to all the answers by name, for what the others don't suit."""
    return _register(ANSWERS, names)


def several(*names: str) -> Callable[[Ask], Ask]:
    """Registers steps to all the answers where there are several outputs, each with classes of its own."""
    return _register(SEVERAL, names)


def has_several(part: Any) -> bool:
    """Whether a classifier was fitted on several outputs."""
    if isinstance(getattr(part, "classes_", None), list) or getattr(part, "multilabel_", False):
        return True
    return getattr(part, "out_activation_", "") == "logistic" and part.n_outputs_ > 1


def _register(table: dict[str, Any], names: tuple[str, ...]) -> Callable[[Any], Any]:
    def keep(function: Any) -> Any:
        table.update(dict.fromkeys(names, function))
        return function

    return keep


def class_of(model: object) -> str:
    """``sklearn.Ridge``: the library and the class. A class of the user's own is not its base."""
    kind = type(model)
    return f"{kind.__module__.partition('.')[0]}.{kind.__name__}"


class Lower:
    """Writes a model down into ``program``."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.keep = program.keep

    def transform(self, part: Any, source: Source) -> tuple[Steps, Source]:
        """Steps to ``part.transform``, and what they make."""
        return self._found(TRANSFORMS, part)(self, part, source)  # type: ignore[no-any-return]

    def probabilities(self, part: Any, source: Source) -> Steps:
        """Steps to ``part.predict_proba``."""
        if class_of(part) in LINKS:
            return [*self.scores(part, source), *LINKS[class_of(part)](part)]
        return self._found(PROBABILITIES, part)(self, part, source)  # type: ignore[no-any-return]

    def scores(self, part: Any, source: Source) -> Steps:
        """Steps to ``part.decision_function``."""
        return self._found(SCORES, part)(self, part, source)  # type: ignore[no-any-return]

    def values(self, part: Any, source: Source) -> Steps:
        """Steps to a regressor's ``part.predict``."""
        return self._found(VALUES, part)(self, part, source)  # type: ignore[no-any-return]

    def answers(self, part: Any, source: Source) -> Steps:
        """Steps to all that the model answers, by name."""
        name = class_of(part)
        if name in SEVERAL and has_several(part):
            return SEVERAL[name](self, part, source)
        if name in ANSWERS:
            return ANSWERS[name](self, part, source)
        if name in LINKS and hasattr(part, "predict_proba"):
            classes = self.program.classes(part.classes_)
            both = {"op": "both", "classes": classes, "steps": LINKS[name](part)}
            return [*self.scores(part, source), both]
        if name in PROBABILITIES and hasattr(part, "predict_proba"):
            classes = self.program.classes(part.classes_)
            return [*self.probabilities(part, source), {"op": "classify", "classes": classes}]
        if name in SCORES and getattr(part, "classes_", None) is not None:
            return [
                *self.scores(part, source),
                {"op": "decide", "classes": self.program.classes(part.classes_)},
            ]
        return [*self.values(part, source), {"op": "answer", "dtype": None}]

    def renamed(self, part: Any, source: Source, classes: Any) -> Steps:
        """The same with other names for ``part.classes_``, in their order."""
        *steps, last = self.answers(part, source)
        if "classes" not in last:
            raise NotConverted(_("{type} has no faster form yet.", type=type(part).__name__))
        return [*steps, {**last, "classes": self.program.classes(classes)}]

    def choice(self, part: Any, source: Source, classes: Any) -> Steps:
        """Steps to the place in ``classes`` of what a classifier predicts (n)."""
        import numpy

        places = {label: place for place, label in enumerate(numpy.asarray(classes).tolist())}
        numbers = numpy.array([places[label] for label in numpy.asarray(part.classes_).tolist()])
        return [{"op": "choice", "steps": self.renamed(part, source, numbers)}]

    def numbers(self, source: Source, *, gaps: bool = False) -> Steps:
        """Steps from the source to numbers."""
        return self.program.numbers(source, gaps=gaps)[0]

    def loose(self, source: Source) -> Steps:
        """Steps from the source to numbers, or to entries where they are mostly zeros."""
        return self.program.loose(source)[0]

    def _found(self, table: dict[str, Any], part: Any) -> Any:
        found = table.get(class_of(part))
        if found is None:
            raise NotConverted(_("{type} has no faster form yet.", type=type(part).__name__))
        return found
