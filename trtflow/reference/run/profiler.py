"""Layer times: TensorRT's profiler interface, filled from ONNX Runtime's own trace."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path

from trtflow.reference.lower.graph import SEPARATOR

REFORMAT = "(reformat)"  # time of nodes that ONNX Runtime added between layers


class IProfiler:
    """Receives the time of each layer after each execution."""

    def report_layer_time(self, layer_name: str, ms: float) -> None:
        """Take the time of one layer in milliseconds."""
        raise NotImplementedError


class Profiler(IProfiler):
    """Prints the time of each layer."""

    def report_layer_time(self, layer_name: str, ms: float) -> None:
        """Print one line."""
        print(f"{layer_name}: {ms:.4f} ms")


def layer_times(trace: Path, groups: dict[str, str]) -> dict[str, float]:
    """Return the times of the last run in ONNX Runtime's trace, by layer.

    Args:
        trace: the file that `InferenceSession.end_profiling` names.
        groups: for each layer, in network order, the name it is reported under; fused layers share one.

    Returns:
        milliseconds under each name that took any, in network order, then those of no layer.
    """
    last = {
        event["name"]: event["dur"] / 1000
        for event in json.loads(trace.read_text())
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time")
    }
    names = re.compile("|".join(re.escape(name + SEPARATOR) for name in sorted(groups, key=len, reverse=True)))
    totals: dict[str, float] = defaultdict(float)
    for node, ms in last.items():
        match = names.search(node)
        totals[groups[match.group()[: -len(SEPARATOR)]] if match else REFORMAT] += ms
    return {name: totals[name] for name in dict.fromkeys([*groups.values(), REFORMAT]) if name in totals}
