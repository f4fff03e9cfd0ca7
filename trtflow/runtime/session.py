"""An engine that is ready to run: arrays in, arrays out."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.formats import FormatError, UserError
from trtflow.runtime.backend import load
from trtflow.runtime.buffers import HostBuffer


def load_engine(plan: Path, backend: dict[str, Any]) -> tuple[ModuleType, Any]:
    """Return the implementation of TensorRT's API and the engine of a plan.

    Args:
        plan: `engine.<precision>.plan`; `engine.<precision>.json` beside it says where it was built.
        backend: content of `results/backend.json`, the backend that is to run it.

    Raises:
        FormatError: the plan was built by another version or for another device, or is damaged.
    """
    rebuild = f"Delete it and make {plan} again with snakemake."
    built = json.loads(plan.with_suffix(".json").read_text())["backend"]
    if built != backend:
        keys = [key for key in backend if built.get(key) != backend[key]]
        fault = ", ".join(f"built with {key} {built.get(key)}, not {backend[key]}" for key in keys)
        raise FormatError(plan, fault, rebuild)
    trt = load(backend["name"])
    try:
        engine = trt.Runtime(trt.Logger(trt.Logger.WARNING)).deserialize_cuda_engine(plan.read_bytes())
    except UserError as error:
        raise FormatError(plan, str(error).rstrip("."), rebuild) from error
    if engine is None:
        raise FormatError(plan, "TensorRT cannot load it", rebuild)
    return trt, engine


class Session:
    """A context with buffers for its largest batch.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        engine: an engine with an implicit batch.
    """

    def __init__(self, trt: ModuleType, engine: Any) -> None:
        self.engine, self.context = engine, engine.create_execution_context()
        self.names = [engine.get_binding_name(index) for index in range(engine.num_bindings)]
        self._shapes = {name: tuple(engine.get_binding_shape(index)) for index, name in enumerate(self.names)}
        self._dtypes = {
            name: np.dtype(trt.nptype(engine.get_binding_dtype(index))) for index, name in enumerate(self.names)
        }
        self._inputs = {name for index, name in enumerate(self.names) if engine.binding_is_input(index)}
        largest = engine.max_batch_size
        self._buffers = {
            name: HostBuffer(largest * int(np.prod(self._shapes[name])) * self._dtypes[name].itemsize)
            for name in self.names
        }

    def run(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run one batch.

        Args:
            feeds: [N, ...] for each input, N at most the engine's largest batch.

        Returns:
            [N, ...] for each output.
        """
        batch_size = len(next(iter(feeds.values())))
        for name in self._inputs:
            expected = (batch_size, *self._shapes[name])
            if feeds[name].shape != expected or batch_size > self.engine.max_batch_size:
                raise UserError(
                    f"input {name!r}: got an array of shape {feeds[name].shape}, but the engine takes {expected} "
                    f"with a batch of at most {self.engine.max_batch_size}."
                )
            self._buffers[name].copy_from(feeds[name].astype(self._dtypes[name], copy=False))
        self.execute(batch_size)
        return {name: self._output(name, batch_size) for name in self.names if name not in self._inputs}

    def execute(self, batch_size: int) -> None:
        """Run a batch on what the buffers hold."""
        bindings = [self._buffers[name].pointer for name in self.names]
        if not self.context.execute(batch_size=batch_size, bindings=bindings):
            raise UserError("the engine could not run; its messages stand above this line.")

    def _output(self, name: str, batch_size: int) -> np.ndarray:
        return self._buffers[name].copy_to((batch_size, *self._shapes[name]), self._dtypes[name])
