"""``%ekiben …``: the API's verbs as a line magic, on the same functions."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_magic, magics_class

from ekiben import listings
from ekiben.errors import NotFound, UnsupportedSample
from ekiben.words import _


class Help(str):
    """Text that shows itself as it is."""

    def __repr__(self) -> str:
        return str(self)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.format_usage().strip()}\n{message}")


@magics_class
class EkibenMagics(Magics):
    """The magic; each method below it is a verb and takes the parsed line."""

    @line_magic
    def ekiben(self, line: str) -> Any:
        """Wraps, serves and builds the models of this notebook: ``%ekiben help``."""
        try:
            words = shlex.split(line) or ["help"]
        except ValueError as error:  # a quotation mark that is not closed
            raise UsageError(str(error)) from error
        if words[0] not in VERBS:
            known = ", ".join(VERBS)
            raise UsageError(_("There is no verb {verb}; there are: {known}", verb=words[0], known=known))
        parser, run = VERBS[words[0]]
        return run(self.shell, parser.parse_args(words[1:]))


def wrap(shell: InteractiveShell, options: argparse.Namespace) -> Any:
    """Assigns ``box`` and returns it."""
    from ekiben.caller import store_name
    from ekiben.wrapping import wrap as make

    model = _variable(shell, options.model)
    sample = options.sample or _sample(shell.user_ns, options.model, model)
    made = make(
        model,
        _variable(shell, sample),
        name=options.name or store_name(options.model),
        unseen=options.unseen,
    )
    return _assign(shell, options.to, made)


def serve(shell: InteractiveShell, options: argparse.Namespace) -> Any:
    """Assigns ``server`` and returns it."""
    return _assign(shell, options.to, _variable(shell, options.box).serve(timeout=options.timeout))


def build(shell: InteractiveShell, options: argparse.Namespace) -> Any:
    """Assigns ``image`` and returns it; ``--dry-run`` only tells what it will weigh."""
    box, native = _variable(shell, options.box), not options.compiled_only
    if options.dry_run:
        return box.predict_size(base=options.base, native=native)
    made = box.build(
        options.reference,
        engine=options.engine,
        base=options.base,
        fresh=not options.no_fresh,
        push=options.push,
        native=native,
    )
    return _assign(shell, options.to, made)


def ps(shell: InteractiveShell, options: argparse.Namespace) -> Any:
    """The services as a table."""
    from ekiben import service

    return listings.servers(service.servers())


def stop(shell: InteractiveShell, options: argparse.Namespace) -> Any:
    """Stops a service, or all."""
    from ekiben import desk, service

    if options.id == "all":
        desk.stop_all()
    else:
        service.find(options.id).stop()
    return listings.servers(service.servers())


def log(shell: InteractiveShell, options: argparse.Namespace) -> None:
    """Prints the end of a log."""
    from ekiben import jobs, service

    if any(job.id == options.id for job in jobs.jobs()):
        print(jobs.log(options.id, options.n))
    else:
        print(service.find(options.id).log(options.n))


def models(shell: InteractiveShell, options: argparse.Namespace) -> Any:
    """The wrapped models as a table."""
    from ekiben import capture

    return listings.models(capture.models())


def images(shell: InteractiveShell, options: argparse.Namespace) -> Any:
    """The images as a table."""
    from ekiben import image

    return listings.images(image.images())


def jobs(shell: InteractiveShell, options: argparse.Namespace) -> Any:
    """The jobs as a table."""
    from ekiben import jobs as store

    return listings.jobs(store.jobs())


def cancel(shell: InteractiveShell, options: argparse.Namespace) -> Any:
    """Cancels a job, or dismisses it."""
    from ekiben import desk
    from ekiben import jobs as store

    desk.end(options.id)
    return listings.jobs(store.jobs())


def doctor(shell: InteractiveShell, options: argparse.Namespace) -> Any:
    """The findings as a table."""
    from ekiben.doctor import examine

    return listings.findings(examine())


def helped(shell: InteractiveShell, options: argparse.Namespace) -> Help:
    """One line a verb."""
    usages = [parser.format_usage().partition(":")[2].split() for parser, _run in VERBS.values()]
    return Help("\n".join(" ".join(usage) for usage in usages))


def _variable(shell: InteractiveShell, name: str) -> Any:
    if name not in shell.user_ns:
        raise NotFound(
            _("There is no variable {name}.", name=name),
            where=name,
            remedy=_("Give the name of a variable of this notebook: %ekiben help"),
        )
    return shell.user_ns[name]


def _sample(namespace: Mapping[str, Any], name: str, model: Any) -> str:
    """The name of the variable that fits the model best."""
    from ekiben.registry import framework_for
    from ekiben.samples import ranked, table

    about = framework_for(model).describe(model)
    shown = [(key, value) for key, value in list(namespace.items()) if not key.startswith("_")]
    tables = [found for key, value in shown if (found := table(key, value)) is not None]
    best = ranked(tables, about.columns, about.width)
    if not best:
        raise UnsupportedSample(
            _("No variable here fits {name} as its sample.", name=name),
            remedy=_("Name the data that it was fitted with: %ekiben wrap {name} X_train", name=name),
        )
    print(_("sample: {name}", name=best[0].name))
    return best[0].name


def _assign(shell: InteractiveShell, name: str, value: Any) -> Any:
    shell.user_ns[name] = value
    return value


def _verbs() -> dict[str, tuple[_Parser, Callable[[Any, argparse.Namespace], Any]]]:
    made: dict[str, tuple[_Parser, Callable[[Any, argparse.Namespace], Any]]] = {}

    def verb(name: str, run: Callable[[Any, argparse.Namespace], Any], to: str = "") -> _Parser:
        parser = _Parser(prog=f"%ekiben {name}", add_help=False)
        if to:
            parser.add_argument("--to", default=to, metavar="VARIABLE")
        made[name] = (parser, run)
        return parser

    one = verb("wrap", wrap, to="box")
    one.add_argument("model")
    one.add_argument("sample", nargs="?")
    one.add_argument("--name")
    one.add_argument("--unseen", choices=["reject", "warn", "accept"], default="reject")
    one = verb("serve", serve, to="server")
    one.add_argument("box", nargs="?", default="box")
    one.add_argument("--timeout", type=float, default=60.0, metavar="S")
    verb("ps", ps)
    verb("stop", stop).add_argument("id", metavar="ID|all")
    one = verb("log", log)
    one.add_argument("id", metavar="ID")
    one.add_argument("-n", type=int, default=200)
    one = verb("build", build, to="image")
    one.add_argument("box")
    one.add_argument("reference", metavar="NAME:TAG")
    one.add_argument("--engine")
    one.add_argument("--base")
    for flag in ("--push", "--no-fresh", "--compiled-only", "--dry-run"):
        one.add_argument(flag, action="store_true")
    verb("models", models)
    verb("images", images)
    verb("jobs", jobs)
    verb("cancel", cancel).add_argument("id", metavar="ID")
    verb("doctor", doctor)
    verb("help", helped)
    return made


VERBS = _verbs()


def complete(shell: InteractiveShell, event: Any) -> list[str]:
    """What may follow: verbs, then names of variables and options."""
    words = event.line.split()
    done = words if event.line.endswith(" ") else words[:-1]
    if len(done) <= 1:
        return list(VERBS)
    if done[1] not in VERBS:
        return []
    parser, _run = VERBS[done[1]]
    options = [option for option in parser._option_string_actions if option.startswith("--")]
    takes_variables = done[1] in ("wrap", "serve", "build")
    names = [name for name in shell.user_ns if not name.startswith("_")] if takes_variables else []
    return [*names, *options]


def register(shell: InteractiveShell) -> None:
    """Gives ``shell`` the magic and its tab completion."""
    shell.register_magics(EkibenMagics)
    shell.set_hook("complete_command", complete, re_key=r"%?ekiben")  # type: ignore[no-untyped-call]
