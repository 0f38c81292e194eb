"""Draws the figure from the run's JSON: ``python figure.py serving.json serving.png``, with matplotlib."""

import json
import sys

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

COLOURS = {"ours": "#1f77b4", "expert": "#ff7f0e", "peer": "#9aa0a6", "floor": "#d7dade"}


def main(source: str, target: str) -> None:
    with open(source, encoding="utf-8") as file:
        told = json.load(file)
    summary, kinds, titles = told["summary"], told["kinds"], told["titles"]
    models = [model for model in summary if summary[model]]
    every = {load for model in models for one in summary[model].values() for load in one["loads"]}
    order = sorted(every, key=lambda load: (int(load.split("x")[1]), load != "16x1", load))
    single = [load for load in order if load.endswith("x1")]
    many = [load for load in order if not load.endswith("x1")]
    shown = [found[0] for found in (single, many) if found]
    rows = max(1, len(models))
    figure, axes = pyplot.subplots(
        rows, max(1, len(shown)), figsize=(7 * max(1, len(shown)), 0.9 + 3.4 * rows), squeeze=False
    )
    for row, model in enumerate(models):
        for column, load in enumerate(shown):
            draw(axes[row][column], summary[model], load, kinds, titles)
            connections, size = load.split("x")
            axes[row][column].set_title(
                f"{told['models'][model]} · {size} row{'s' if size != '1' else ''} · concurrency {connections}",
                fontsize=9,
                loc="left",
            )
    busy = " · taken on a busy machine" if told["about"]["busy_before"] > 0.5 else ""
    figure.suptitle(f"requests per second (log) · {told['about']['processor']}{busy}", fontsize=10)
    figure.tight_layout(rect=(0, 0, 1, 0.985))
    figure.savefig(target, dpi=130)


def draw(axis, contenders, load, kinds, titles) -> None:
    there = [(name, one["loads"][load]) for name, one in contenders.items() if load in one["loads"]]
    there.sort(key=lambda pair: pair[1]["rate"])
    names = [titles.get(name, name).strip("*") for name, _ in there]
    rates = [one["rate"] for _, one in there]
    spread = [one["spread"] / 2 for _, one in there]
    colours = [COLOURS[kinds.get(name, "peer")] for name, _ in there]
    axis.barh(names, rates, xerr=spread, color=colours, error_kw={"elinewidth": 0.8})
    axis.set_xscale("log")
    axis.tick_params(labelsize=7)
    axis.spines[["top", "right"]].set_visible(False)
    for place, rate in enumerate(rates):
        axis.text(rate, place, f" {rate:,.0f}", va="center", fontsize=6.5)
    if rates:
        axis.set_xlim(min(rates) / 3, max(rates) * 2.5)


if __name__ == "__main__":
    main(*sys.argv[1:])
