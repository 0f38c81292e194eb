"""argparse in the person's language, with a remedy beside its errors."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from ekiben.cli.terminal import note
from ekiben.words import _


class Parser(argparse.ArgumentParser):
    """Says its headings and errors as the rest of ekiben does; argparse itself knows English alone."""

    def __init__(self, **options: Any) -> None:
        super().__init__(add_help=False, formatter_class=_Formatter, **options)
        self._positionals.title = _("what it takes")
        self._optionals.title = _("options")
        self.add_argument("-h", "--help", action="help", help=_("show this help"))

    def error(self, message: str) -> NoReturn:
        """Ends with status 2."""
        note(self.format_usage().rstrip())
        note(_("error: {message}", message=_told(message)))
        note(f"  → {_('All that it takes: {command}', command=f'{self.prog} --help')}")
        self.exit(2)


class _Formatter(argparse.HelpFormatter):
    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[Any],
        prefix: str | None = None,
    ) -> None:
        super().add_usage(usage, actions, groups, _("usage: ") if prefix is None else prefix)


Words = dict[str, str]

#: argparse's messages, and each as a sentence of ours.
_KNOWN: tuple[tuple[str, Callable[[Words], str]], ...] = (
    (r"the following arguments are required: (?P<names>.+)", lambda w: _("Missing: {names}.", **w)),
    (r"one of the arguments (?P<names>.+) is required", lambda w: _("One of these is needed: {names}.", **w)),
    (r"unrecognized arguments: (?P<names>.+)", lambda w: _("Unknown: {names}.", **w)),
    (
        r"argument .+?: invalid choice: '?(?P<value>.*?)'? \(choose from (?P<names>.+)\)",
        lambda w: _("There is no {value}; there are: {names}.", **w),
    ),
    (
        r"argument (?P<name>.+?): not allowed with argument (?P<other>.+)",
        lambda w: _("{name} and {other} exclude each other.", **w),
    ),
    (r"argument (?P<name>.+?): expected one argument", lambda w: _("{name} takes a value.", **w)),
    (r"argument (?P<name>.+?): expected (?P<n>\d+) arguments", lambda w: _("{name} takes {n} values.", **w)),
    (r"argument (?P<name>.+?): (?P<reason>.+)", lambda w: _("{name}: {reason}", **w)),
)


def _told(message: str) -> str:
    """Argparse's message in our words; one that is not known stays as it is."""
    for pattern, sentence in _KNOWN:
        found = re.fullmatch(pattern, message, re.DOTALL)
        if found:
            return sentence({name: text.replace("'", "") for name, text in found.groupdict().items()})
    return message
