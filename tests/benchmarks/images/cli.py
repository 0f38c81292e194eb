"""``make bench BENCH_ARGS="images [--quick] [--json]"``: images beside their peer, as ratios against the goals."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[2]
#: What is compared: its words, and the ratio peer ÷ ours to reach (sizes: ours ÷ peer to stay under).
GOALS = {
    "cold": ("cold build and push", 3.0),
    "retrained": ("rebuild and push after a retrain", 50.0),
    "heavy": ("rebuild and push, 191 MB that nothing compresses", 5.0),
    "size": ("size of the image", 0.6),
    "lean": ("size of the image, the compiled form alone (native=False)", 0.35),
    "edit": ("bytes sent after a one-line edit", 100_000),
}


def run(rounds: int, only: Sequence[str], mlflow: bool) -> dict[str, dict[str, list[float]]]:
    """Numbers by comparison and side, one for each round; the sides take turns."""
    import rig

    from images import limit, mlflow_peer, models
    from images.bentoml_peer import BentoML
    from images.ours import Ours

    found: dict[str, dict[str, list[float]]] = {name: {} for name in only}

    def note(name: str, side: str, number: float) -> None:
        found[name].setdefault(side, []).append(number)
        print(f"  {name}, {side}: {number:,.2f}", file=sys.stderr, flush=True)

    with (
        tempfile.TemporaryDirectory(prefix="ekiben-bench-") as scratch,
        rig.set_up(_folder(scratch, "rig")) as ground,
    ):
        place = Path(scratch)
        os.environ["BENTOML_HOME"] = str(place / "home")
        ours, peer = Ours(ground, place), BentoML(ground, place / "peer")
        other = mlflow_peer.found(ground, place / "mlflow") if mlflow else None
        box = ours.wrap(models.small())
        for number in range(rounds):
            name = f"bench{number}"
            peer.wrap(models.small())  # its builds take the latest model
            # The first build of each side is always cold; later ones begin from it.
            if "cold" in only or number == 0:
                cold = [
                    ("ekiben", ours.cold(box, f"{name}/ours:1")),
                    ("bentoml", peer.cold(f"{name}/peer:1")),
                ]
                for side, seconds in cold if "cold" in only else ():
                    note("cold", side, seconds)
            if other is not None and "cold" in only:
                note("cold", "mlflow", other.cold(f"{name}/mlflow:1"))
                if "size" in only:
                    note("size", "mlflow", other.size(f"{name}/mlflow:1"))
            if "size" in only:
                last = f"bench{number if 'cold' in only else 0}"
                note("size", "ekiben", ours.size(f"{last}/ours:1"))
                note("size", "bentoml", peer.size(f"{last}/peer:1"))
            if "lean" in only:
                last = f"bench{number if 'cold' in only else 0}"
                note("lean", "ekiben", ours.lean(box, f"{last}/lean:1"))
                note("lean", "bentoml", peer.size(f"{last}/peer:1"))
            # A rebuild goes where the build went.
            name = f"bench{number if 'cold' in only else 0}"
            for kind, make in (("retrained", models.small), ("heavy", models.heavy)):
                if kind not in only:
                    continue
                if "cold" in only or number == 0:  # a rebuild: each side has built such a model before
                    before = make()
                    ours.build(ours.wrap(before), f"{name}/ours:1")
                    peer.wrap(before)
                    peer.build(f"{name}/peer:1")
                made = make()
                changed = ours.wrap(made)
                peer.wrap(made)
                note(kind, "ekiben", ours.build(changed, f"{name}/ours:1"))
                note(kind, "bentoml", peer.build(f"{name}/peer:1"))
                files = [file for file in Path(changed.model.folder).rglob("*") if file.is_file()]
                note(kind, "limit", limit.seconds(files, place, kind == "retrained"))
            if "edit" in only:
                note("edit", "ekiben", ours.edited(box, f"{name}/ours:1"))
    return found


def _folder(scratch: str, name: str) -> Path:
    place = Path(scratch) / name
    place.mkdir()
    return place


def table(found: dict[str, dict[str, list[float]]]) -> list[dict[str, Any]]:
    """Medians, the ratio and whether the goal is reached."""
    rows = []
    for name, sides in found.items():
        words, goal = GOALS[name]
        medians = {side: statistics.median(numbers) for side, numbers in sides.items()}
        spread = {side: max(numbers) - min(numbers) for side, numbers in sides.items()}
        if name == "edit":
            ratio, reached = medians["ekiben"], medians["ekiben"] < goal
        elif name in ("size", "lean"):
            ratio = medians["ekiben"] / medians["bentoml"]
            reached = ratio <= goal
        else:
            ratio = medians["bentoml"] / medians["ekiben"]
            reached = ratio >= goal
        row = {"name": name, "words": words, "medians": medians, "spread": spread}
        rows.append({**row, "ratio": ratio, "goal": goal, "reached": reached})
    return rows


def main(arguments: Sequence[str]) -> int:
    """Runs it and prints the table; the exit status says whether every goal was reached."""
    parser = argparse.ArgumentParser(prog="images", description=__doc__)
    parser.add_argument(
        "names", nargs="*", choices=[[], *GOALS], help=f"of {', '.join(GOALS)}; all by default"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one round")
    parser.add_argument(
        "--no-mlflow", action="store_true", help="without MLflow's image, which takes minutes"
    )
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    if str(TESTS) not in sys.path:
        sys.path.insert(0, str(TESTS))
    rows = table(run(1 if asked.quick else asked.rounds, asked.names or list(GOALS), not asked.no_mlflow))
    if asked.json:
        print(json.dumps(rows, indent=2))
    else:
        for row in rows:
            told = ", ".join(f"{side} {number:,.2f}" for side, number in row["medians"].items())
            mark = "reached" if row["reached"] else "not reached"
            print(f"{row['words']:<60}{row['ratio']:>12,.2f}  goal {row['goal']:>9,}  {mark}  ({told})")
    return 0 if all(row["reached"] for row in rows) else 1
