"""Layer times of an engine, by TensorRT's profiler interface."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from trtflow.runtime.session import Session


def profile_layers(trt: ModuleType, session: Session, iterations: int, batch_size: int = 1) -> list[dict[str, Any]]:
    """Return the mean time of each layer with a batch, in network order: its name and ms."""

    class Recorder(trt.IProfiler):  # type: ignore[name-defined]
        """Adds up what TensorRT reports."""

        def __init__(self) -> None:
            trt.IProfiler.__init__(self)
            self.totals: dict[str, float] = {}

        def report_layer_time(self, layer_name: str, ms: float) -> None:
            self.totals[layer_name] = self.totals.get(layer_name, 0.0) + ms

    recorder = Recorder()
    session.context.profiler = recorder
    for _ in range(iterations):
        session.execute(batch_size)
    return [{"name": name, "ms": total / iterations} for name, total in recorder.totals.items()]
