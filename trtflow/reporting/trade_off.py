"""What accuracy costs: the metric of each precision over its latency, in one plot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from trtflow.reporting.figures import COLOURS, GREY, LOWER_IS_BETTER, STYLE, save_figure


def write_trade_off(path: Path, precisions: Mapping[str, Any], metric: str) -> None:
    """Plot a metric over the median latency, a point a precision with its name.

    A bar through the point goes to the 95th percentile of the latency. A precision without the metric, because its
    answers are no numbers, is told below the plot.

    Args:
        path: PNG to write.
        precisions: the report's part of that name.
        metric: which metric.
    """
    better = "lower" if metric in LOWER_IS_BETTER else "higher"
    known = {name: entry for name, entry in precisions.items() if entry["metrics"].get(metric) is not None}
    with rc_context(STYLE):
        figure = Figure(figsize=(5.4, 3.8), layout="constrained")
        axes = figure.subplots()
        for name, entry in known.items():
            latency, value = entry["latency_ms"], entry["metrics"][metric]
            colour = COLOURS.get(name, GREY)
            axes.plot([latency["median"], latency["p95"]], [value, value], color=colour, linewidth=1.5)
            axes.plot(latency["median"], value, "o", color=colour, markersize=9)
            axes.annotate(name, (latency["median"], value), xytext=(0, 9), textcoords="offset points", ha="center")
        axes.margins(0.2)
        axes.set_xlim(left=0)
        axes.set(
            xlabel="latency, ms (point: median, bar: to p95; less is better)", ylabel=f"{metric} ({better} is better)"
        )
        missing = [name for name in precisions if name not in known]
        axes.set_title("accuracy and latency" + (f"; without a number: {', '.join(missing)}" if missing else ""))
        save_figure(figure, path)
