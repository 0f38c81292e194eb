"""The command: ``make bench BENCH_ARGS="serving …"``.

Without flags the whole: six models, all contenders, six loads, three rounds; some hours. Peers are
installed into ``~/.cache/ekiben-bench`` on first use (some gigabytes, shared with uv's cache).
Results: ``serving.md``, ``serving.json`` and ``serving.png`` in ``test-results/serving``.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from . import environments, load
from .contest import Contest, Plan, Results, clean
from .goals import goals
from .models import MODELS
from .ours import NAME as OURS
from .peers import PEERS
from .report import markdown
from .sitting import Load
from .summary import KINDS, TITLES, summarize

WHOLE = "1x1,16x1,64x1,1x100,16x100,64x100"
MEDIUM = "16x1,16x100"
QUICK = "16x1"
REPOSITORY = Path(__file__).resolve().parents[3]


def say(line: str) -> None:
    """Progress: one line that changes on a terminal, a line each elsewhere (repeats are left out)."""
    if sys.stderr.isatty():
        print(f"\r\033[K{line[:150]}", end="", file=sys.stderr, flush=True)
    elif not line.startswith("installing ") or line.endswith(" 0 s"):
        print(line, file=sys.stderr, flush=True)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="serving", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    names = [*MODELS, OURS, "loop", "loop-onnx", *(peer.name for peer in PEERS)]
    parser.add_argument(
        "--quick", action="store_true", help="a smoke: 1 s, one round, one load; iris, pipeline and mlp"
    )
    parser.add_argument("--medium", action="store_true", help="2 s, one round, two loads")
    parser.add_argument("--only", default="", metavar="NAME,…", help=f"of {', '.join(names)}")
    parser.add_argument("--seconds", type=float, help="of each measurement")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--loads", metavar="CxN,…", help=f"concurrency × rows a request; {WHOLE}")
    parser.add_argument("--no-starts", action="store_true", help="without click → first answer")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "test-results" / "serving")
    asked = parser.parse_args(arguments)
    asked.only = frozenset(filter(None, asked.only.split(",")))
    if unknown := asked.only - set(names):
        parser.error(f"nothing is called {', '.join(sorted(unknown))}")
    try:
        loads = asked.loads or (QUICK if asked.quick else MEDIUM if asked.medium else WHOLE)
        asked.loads = [Load.parse(one) for one in loads.split(",")]
    except ValueError:
        parser.error("--loads is of the form 16x1,16x100")
    return asked


def plan(asked: argparse.Namespace) -> Plan:
    short = asked.quick or asked.medium
    return Plan(
        loads=asked.loads,
        seconds=asked.seconds or (1 if asked.quick else 2 if asked.medium else 5),
        warm=0 if asked.quick else 1,
        rounds=asked.rounds or (1 if short else 3),
        only=asked.only,
        starts=not asked.no_starts,
        few=asked.quick,
    )


def told(results: Results) -> tuple[dict[str, Any], str]:
    """The run as JSON data and as Markdown."""
    summary = summarize(results)
    judged = goals(summary, results.starts)
    data = {
        **asdict(results),
        "summary": summary,
        "goals": [goal.to_json() for goal in judged],
        "models": {name: title for name, (title, _make) in MODELS.items()},
        "kinds": KINDS,
        "titles": TITLES,
    }
    return data, markdown(results, summary, judged)


def write(results: Results, out: Path) -> str:
    """The three files; gives the Markdown."""
    out.mkdir(parents=True, exist_ok=True)
    data, text = told(results)
    (out / "serving.json").write_text(json.dumps(data, indent=1), encoding="utf-8")
    (out / "serving.md").write_text(text, encoding="utf-8")
    try:
        env = environments.prepare("figure", ["matplotlib"], say)
        script = str(Path(__file__).with_name("figure.py"))
        command = [str(env / "bin" / "python"), script, str(out / "serving.json"), str(out / "serving.png")]
        subprocess.run(command, check=True, cwd=out)
    except (environments.NotInstalled, subprocess.CalledProcessError) as error:
        print(f"No figure: {error}", file=sys.stderr)
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, writes, prints; Ctrl-C ends it with what there is, and no process stays."""
    asked = parse(arguments)
    trouble = load.trouble()
    if trouble:
        print(trouble, file=sys.stderr)
        return 1

    def ended(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, ended)
    os.environ.pop("PORT", None)
    work = Path(tempfile.mkdtemp(prefix="ekiben-bench-"))
    contest = Contest(plan(asked), work, say, asked.out / "logs")
    try:
        contest.run()
    except KeyboardInterrupt:
        contest.results.about["interrupted"] = True
    finally:
        clean(work)
    text = write(contest.results, asked.out)
    print(f"\n{text}\nWritten to {asked.out}")
    return 130 if contest.results.about.get("interrupted") else 0


if __name__ == "__main__":
    sys.exit(main())
