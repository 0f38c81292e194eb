"""Replay: the golden examples in, the same answers out.

``python -m runtime.replay MODEL_FOLDER`` checks them in this process, ``--url`` behind HTTP; the exit
status is 0 when all rows agree, 1 when one differs.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    __package__ = "runtime"

from .tolerance import allowed, floors

Answers = dict[str, Any]


def compare(
    golden: dict[str, Any], got: Answers, tolerance: dict[str, Any]
) -> tuple[float, list[dict[str, Any]]]:
    """The worst difference and the rows that differ (``row``, ``output``, ``sent``, ``expected``, ``got``).

    Numbers agree as ``tolerance.py`` says; whole numbers (labels, counts) and everything else when they are
    equal, and an output that the notebook gave must be there with one entry a row.
    """
    worst = 0.0
    differing: list[dict[str, Any]] = []
    for output, expected in golden["answers"].items():
        answers = got.get(output)
        if not isinstance(answers, list) or len(answers) != len(expected):
            answers = [None] * len(expected)
        for index, (wanted, found) in enumerate(zip(expected, answers, strict=True)):
            agrees, difference = _agree(wanted, found, tolerance, floors(tolerance, output, wanted))
            if difference is not None:
                worst = max(worst, difference)
            if not agrees:
                differing.append(
                    {
                        "row": index,
                        "output": output,
                        "sent": golden["rows"][index],
                        "expected": wanted,
                        "got": found,
                        "difference": difference,
                    }
                )
    return worst, differing


def _agree(
    wanted: Any, found: Any, tolerance: dict[str, Any], least: list[float], place: int = 0
) -> tuple[bool, float | None]:
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        pairs = [
            _agree(a, b, tolerance, least, at) for at, (a, b) in enumerate(zip(wanted, found, strict=True))
        ]
        differences = [difference for _, difference in pairs if difference is not None]
        return all(agrees for agrees, _ in pairs), max(differences, default=None)
    if _is_number(wanted) and _is_number(found):
        if wanted == found:
            return True, 0.0
        if type(wanted) is int and type(found) is int:  # of a large one, the neighbour is another label
            return False, _far(wanted - found)
        difference = abs(wanted - found)
        size = max(abs(wanted), least[place % len(least)])
        return difference <= allowed(tolerance, size), float(difference)
    return type(wanted) is type(found) and wanted == found, None


def _far(difference: int) -> float:
    try:
        return float(abs(difference))
    except OverflowError:
        return math.inf


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def post(url: str, rows: list[Any], timeout: float = 60.0) -> Answers:
    """POST ``rows`` to ``url``/predict and read the answer."""
    from .keys import sent

    body = json.dumps({"rows": rows}).encode()
    headers = {"Content-Type": "application/json", **sent(os.environ)}
    request = Request(f"{url.rstrip('/')}/predict", body, headers)
    # A proxy that the environment names would look for this machine's addresses on its own.
    here = urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost")
    opener = build_opener(ProxyHandler({})) if here else build_opener()
    with opener.open(request, timeout=timeout) as response:
        answer: Answers = json.loads(response.read())
    return answer


def installed() -> list[str]:
    """The modules of installed packages that were imported, in order; the project's own are none."""
    homes = tuple(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    return [
        name
        for name, module in list(sys.modules.items())
        if (getattr(module, "__file__", None) or "").startswith(homes)
        and getattr(getattr(module, "__spec__", None), "name", "") == name
    ]


def main(arguments: list[str] | None = None) -> int:
    """The command line; prints one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m runtime.replay", description=__doc__)
    parser.add_argument("folder", help="the model's folder, with contract.json in it")
    parser.add_argument("--url", help="a running service; left out, the model is loaded here")
    parser.add_argument(
        "--form", action="store_true", help="the form that serves alone, not what it falls back on"
    )
    options = parser.parse_args(arguments)
    contract = json.loads((Path(options.folder) / "contract.json").read_text(encoding="utf-8"))
    golden = contract["golden"]
    # Imported before the clock starts: the time is that of the answers.
    from .predictor import Predictor, native_is_here

    answerer = None if options.url else Predictor(options.folder)
    start = time.perf_counter()
    got = post(options.url, golden["rows"]) if answerer is None else answerer.answer(golden["rows"])
    milliseconds = (time.perf_counter() - start) * 1000
    worst, differing = compare(golden, got, contract["tolerance"])
    modules = installed()  # what the form that serves has imported
    alone = options.form or not native_is_here()
    if answerer is not None and answerer.form != "native" and not alone:
        # What the compiled form falls back on must answer alike.
        native = Predictor(options.folder, native=True).answer(golden["rows"])
        more, others = compare(golden, native, contract["tolerance"])
        worst, differing = max(worst, more), differing or others
    report = {
        "rows": len(golden["rows"]),
        "worst": worst,
        "milliseconds": milliseconds,
        "mismatches": differing,
        "modules": modules,
        "trouble": answerer.trouble if answerer else "",
    }
    print(json.dumps(report))
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
