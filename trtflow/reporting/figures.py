"""Plots of a sample's results, for people and for `snakemake --report`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trtflow.formats.files import atomic_path
from trtflow.reporting.canvas import Axes, Figure, rc_context

# Okabe and Ito's colours, which people with colour blindness can tell apart.
COLOURS = {"fp32": "#0072B2", "fp16": "#E69F00", "int8": "#009E73", "best": "#CC79A7"}
GREY = "#999999"
PEERS = ("#BBBBBB", "#888888", "#D8CFC0", "#A89B84")  # sides that are not ours, in turn
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#E5E5E5",
    "legend.frameon": False,
    "savefig.dpi": 130,
}
OFFSETS = (8, -18, 20, -30)  # points, of the names of precisions beside their dots
LONGEST_NAME = 60  # characters of a layer's name in a plot
LOWER_IS_BETTER = ("perplexity", "rmse", "mae")
SMOOTHING = 20  # steps in the running mean of the loss


def write_precisions(path: Path, precisions: Mapping[str, Any], metric: str) -> None:
    """Plot quality, latency and size of a sample's engines side by side, and quality over latency.

    Args:
        path: PNG to write.
        precisions: the report's part of that name.
        metric: which metric to plot.
    """
    base = next(iter(precisions))
    median = precisions[base]["latency_ms"]["median"]
    panels = {
        f"{metric}\n({'lower' if metric in LOWER_IS_BETTER else 'higher'} is better)": (
            [entry["metrics"][metric] for entry in precisions.values()],
            "{:.3f}",
        ),
        f"median latency, {base} = 1\n(lower is better)": (
            [entry["latency_ms"]["median"] / median for entry in precisions.values()],
            "{:.2f}",
        ),
        "engine, MB\n(lower is better)": ([entry["engine_bytes"] / 1e6 for entry in precisions.values()], "{:.2f}"),
    }
    with rc_context(STYLE):
        figure = Figure(figsize=(6, 6), layout="constrained")  # of which a phone shows every letter
        *bars, trade_off = figure.subplots(2, 2).ravel()
        for axes, (title, (values, template)) in zip(bars, panels.items(), strict=True):
            _bars(axes, list(precisions), values, template)
            axes.set_title(title)
        _trade_off(trade_off, precisions, metric)
        save_figure(figure, path)


def _trade_off(axes: Axes, precisions: Mapping[str, Any], metric: str) -> None:
    """Draw a metric over the latency, a point a precision at the median, a bar from it to the 95th percentile.

    A precision without the metric, because its answers are no numbers, is told in the title.
    """
    known = {name: entry for name, entry in precisions.items() if entry["metrics"].get(metric) is not None}
    by_latency = sorted(known.items(), key=lambda item: item[1]["latency_ms"]["median"])
    for place, (name, entry) in enumerate(by_latency):
        latency, value = entry["latency_ms"], entry["metrics"][metric]
        axes.plot([latency["median"], latency["p95"]], [value, value], color=COLOURS[name], linewidth=1.5)
        axes.plot(latency["median"], value, "o", color=COLOURS[name], markersize=8)
        offset = (0, OFFSETS[place])  # in turn, as precisions that are alike lie side by side, or on one another
        axes.annotate(name, (latency["median"], value), xytext=offset, textcoords="offset points", ha="center")
    axes.margins(0.25)
    axes.set_xlim(left=0)
    axes.set(xlabel="latency, ms, median to p95", ylabel=metric)
    missing = [name for name in precisions if name not in known]
    axes.set_title("trade-off" + (f"\nno number: {', '.join(missing)}" if missing else ""))


def _bars(axes: Axes, names: Sequence[str], values: Sequence[float], template: str) -> None:
    """Draw one bar a precision, with its value on top."""
    bars = axes.bar(names, values, color=[COLOURS[name] for name in names], width=0.6)
    axes.bar_label(bars, [template.format(value) for value in values], padding=2)
    axes.margins(y=0.15)
    axes.grid(visible=False, axis="x")
    axes.tick_params(length=0)


def write_profile(path: Path, profiles: Sequence[Mapping[str, Any]], count: int = 20) -> None:
    """Plot the layers that take longest, in network order, one bar a precision.

    Args:
        path: PNG to write.
        profiles: contents of `profile.<precision>.json`.
        count: number of layers.
    """
    times = layer_times(profiles)
    names = list(dict.fromkeys(name for layers in times.values() for name in layers))
    costs = {name: max(layers.get(name, 0.0) for layers in times.values()) for name in names}
    costliest = set(sorted(names, key=lambda name: -costs[name])[:count])
    shown = [name for name in names if name in costliest]
    places, thickness = np.arange(len(shown)), 0.6 / len(times)
    with rc_context(STYLE):
        # names stand above their bars, so that the plot is narrow and a phone shows every letter
        figure = Figure(figsize=(6, 1.6 + len(shown) * (0.2 + 0.1 * len(times))), layout="constrained")
        axes = figure.subplots()
        for index, (precision, layers) in enumerate(times.items()):
            label = f"{precision}, all layers: {sum(layers.values()):.1f} ms"
            lengths = [layers.get(name, 0.0) for name in shown]
            axes.barh(places + index * thickness, lengths, thickness, color=COLOURS[precision], label=label)
        for place, name in enumerate(shown):
            axes.text(0, place - thickness / 2 - 0.05, _shortened(name), va="bottom", fontsize=9)
        axes.set(yticks=[], ylim=(len(shown) - 0.3, -0.7))
        axes.set_xlabel(f"ms a run, batch of {profiles[0].get('batch_size', 1)}")
        axes.set_title(f"The {len(shown)} costliest of {len(names)} layers, in network order")
        figure.legend(loc="outside lower left")
        save_figure(figure, path)


def layer_times(profiles: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return the milliseconds of each layer by precision, of contents of `profile.<precision>.json`."""
    return {profile["precision"]: {layer["name"]: layer["ms"] for layer in profile["layers"]} for profile in profiles}


def profile_table(profiles: Sequence[Mapping[str, Any]]) -> str:
    """Return a line a layer: its milliseconds in each precision, its share of the first's; totals come last."""
    times = layer_times(profiles)
    names = list(dict.fromkeys(name for layers in times.values() for name in layers))
    totals = {precision: sum(layers.values()) for precision, layers in times.items()}
    first = next(iter(times))
    width = max(map(len, [*names, "all layers"]))
    lines = [
        f"{'layer':{width}}" + "".join(f"{f'{precision} ms':>12}" for precision in times) + f"{f'% of {first}':>12}"
    ]
    for name in [*names, "all layers"]:
        shown = totals if name == "all layers" else {key: layers.get(name, 0.0) for key, layers in times.items()}
        share = 100 * shown[first] / totals[first] if totals[first] else 0.0
        lines.append(f"{name:{width}}" + "".join(f"{shown[key]:12.4f}" for key in times) + f"{share:12.1f}")
    return "\n".join(lines) + "\n"


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def write_batches(path: Path, engines: Mapping[str, Sequence[Mapping[str, float]]]) -> None:
    """Plot images a second over the batch, and over the latency that a batch has.

    Args:
        path: PNG to write.
        engines: by what is said of them, a precision first; of each batch, the smallest first, `batch`, `images_per_s`
            and `latency_ms`.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(9, 4), layout="constrained")
        by_batch, by_latency = figure.subplots(1, 2, sharey=True)
        for name, rows in engines.items():
            rates = [row["images_per_s"] for row in rows]
            look = {"color": COLOURS.get(name.split()[0], GREY), "marker": "o", "label": name}
            by_batch.plot([row["batch"] for row in rows], rates, **look)
            by_latency.plot([row["latency_ms"] for row in rows], rates, **look)
            for row in rows:
                place = (row["latency_ms"], row["images_per_s"])
                by_latency.annotate(f"{row['batch']:.0f}", place, (4, -11), textcoords="offset points", fontsize=8)
        sizes = sorted({int(row["batch"]) for rows in engines.values() for row in rows})
        by_batch.set_xscale("log", base=2)
        by_batch.set_xticks(sizes, [str(size) for size in sizes])
        by_batch.set(xlabel="batch", ylabel="images a second", title="more at once", ylim=(0, None))
        by_latency.set_xscale("log")
        by_latency.set(xlabel="median latency of a batch, ms", title="trade-off, a number is the batch")
        by_batch.legend(loc="lower right")
        save_figure(figure, path)


def write_speeds(path: Path, networks: Mapping[str, Mapping[str, float]], base: str) -> None:
    """Plot how many times as fast as its base each side of a network is: a group of bars a network.

    Args:
        path: PNG to write.
        networks: by title, of each side how many times as fast it is; a side that is a precision has its colour.
        base: what is 1, for people.
    """
    sides = list(dict.fromkeys(side for speeds in networks.values() for side in speeds))
    peers = iter(PEERS)
    colours = {side: COLOURS.get(side) or next(peers, GREY) for side in sides}
    thickness = 0.8 / len(sides)
    with rc_context(STYLE):
        figure = Figure(figsize=(9, 1.4 + 0.19 * len(networks) * (1 + len(sides))), layout="constrained")
        axes = figure.subplots()
        for index, side in enumerate(sides):
            shift = (index - (len(sides) - 1) / 2) * thickness
            known = [(place, speeds[side]) for place, speeds in enumerate(networks.values()) if side in speeds]
            places, values = zip(*known, strict=True)
            bars = axes.barh(np.add(places, shift), values, thickness, color=colours[side], label=side)
            axes.bar_label(bars, [f"{value:.2f}" for value in values], padding=2, fontsize=7)
        axes.axvline(1, color="black", linewidth=0.8)
        axes.set_yticks(range(len(networks)), list(networks))
        axes.invert_yaxis()
        axes.margins(y=0.01)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(f"times as fast as {base} (higher is better)")
        figure.legend(loc="outside upper left", ncols=len(sides))
        save_figure(figure, path)


def write_training(path: Path, training: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    """Plot the loss of each training step and its running mean, one panel a stage of the training.

    Args:
        path: PNG to write.
        training: content of `training.json`: under `loss`, the losses of each stage by its name.
    """
    stages = training["loss"]
    widths = [max(len(losses), SMOOTHING) for losses in stages.values()]
    with rc_context(STYLE):
        figure = Figure(figsize=(9, 3.5), layout="constrained")
        panels = figure.subplots(1, len(stages), width_ratios=widths, squeeze=False)[0]
        for axes, (stage, losses) in zip(panels, stages.items(), strict=True):
            steps, values = np.arange(1, len(losses) + 1), np.asarray(losses)
            axes.plot(steps, values, color=GREY, linewidth=0.8, label="each step")
            axes.plot(steps, _running_mean(values), color=COLOURS["fp32"], label=f"mean of {SMOOTHING} steps")
            axes.set_title(f"loss, {stage}")
            axes.set_xlabel("step")
            axes.set_ylim(bottom=0)
        panels[-1].legend()
        save_figure(figure, path)


def _running_mean(values: np.ndarray) -> np.ndarray:
    """Return the mean of the last `SMOOTHING` values at each place, of fewer at the start."""
    total = np.concatenate([[0.0], values.cumsum()])
    last = np.arange(1, len(values) + 1)
    first = np.maximum(last - SMOOTHING, 0)
    return (total[last] - total[first]) / (last - first)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, without the name of the software in it."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
