"""A network and what its builder tells, for the questions of answer_probes.py."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from error_recorder import recorder_class

from trtflow.runtime.entry import create_builder
from trtflow.runtime.session import Session


class Parts:
    """A builder with what it tells, a network with an explicit batch, and a configuration."""

    def __init__(self, trt: ModuleType, explicit: bool = True) -> None:
        told = self.told = list[str]()

        class Logger(trt.ILogger):  # type: ignore[name-defined]
            def __init__(self) -> None:
                trt.ILogger.__init__(self)

            def log(self, severity: Any, message: str) -> None:
                if severity in (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR, trt.ILogger.WARNING):
                    told.append(f"{severity.name}: {message}")

        self.trt, self.logger, self.recorder = trt, Logger(), recorder_class(trt)()
        trt.init_libnvinfer_plugins(self.logger, "")
        self.builder = create_builder(trt, self.logger)
        self.builder.error_recorder = self.recorder
        flags = int(explicit) << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH)
        self.network = self.builder.create_network(flags)
        self.network.error_recorder = self.recorder
        self.config = self.builder.create_builder_config()
        self.config.builder_optimization_level = 0
        self.config.clear_flag(trt.BuilderFlag.TF32)

    def input(self, name: str, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """Return an input of the network, float32 by default."""
        return self.network.add_input(name, dtype or self.trt.float32, shape)

    def constant(self, values: np.ndarray) -> Any:
        """Return a constant's tensor."""
        return self.network.add_constant(values.shape, np.ascontiguousarray(values)).get_output(0)

    def mark(self, tensor: Any, name: str = "y") -> Any:
        """Make a tensor an output."""
        tensor.name = name
        self.network.mark_output(tensor)
        return tensor

    def engine(self) -> Any:
        """Return the engine; None where the builder does not build it."""
        plan = self.builder.build_serialized_network(self.network, self.config)
        if plan is None:
            return None
        self.runtime = self.trt.Runtime(self.logger)
        self.runtime.error_recorder = self.recorder
        return self.runtime.deserialize_cuda_engine(bytes(plan))

    def run(self, feeds: dict[str, np.ndarray]) -> dict[str, Any]:
        """Return what an engine of the network gives, or what was told where it is not built."""
        engine = self.engine()
        if engine is None:
            return self.errors()
        with Session(self.trt, engine) as session:
            found = session.run(feeds)
        return {name: plain(values) for name, values in found.items()}

    def errors(self) -> dict[str, Any]:
        """Return what was told: to the recorder with its code, and in the log."""
        return {"recorded": [[code.name, text] for code, text in self.recorder.told], "log": self.told[:6]}


def plain(values: np.ndarray) -> dict[str, Any]:
    """Return an array as JSON has it."""
    numbers = np.asarray(values, np.float64).round(7)
    return {"shape": list(values.shape), "dtype": str(values.dtype), "values": numbers.ravel().tolist()[:256]}


def code_of(error: Any) -> str:
    """Return the name of a parser error's code; of TensorRT's `ErrorCode`, `name` is a method with another text."""
    return str(error.code()).removeprefix("ErrorCode.")
