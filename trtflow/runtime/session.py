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
from trtflow.runtime.plugins import load_plugins


def read_origin(plan: Path) -> dict[str, Any]:
    """Return what `engine.<precision>.json` says of the plan beside it: backend, precision, plugins and more."""
    path = plan.with_suffix(".json")
    try:
        return {"plugins": [], **json.loads(path.read_text())}
    except (ValueError, TypeError) as error:
        raise FormatError(
            path, f"not the origin of a plan ({error})", "Make the engine again with snakemake."
        ) from error


def load_engine(plan: Path, backend: dict[str, Any]) -> tuple[ModuleType, Any]:
    """Return the implementation of TensorRT's API and the engine of a plan.

    Args:
        plan: `engine.<precision>.plan`; `engine.<precision>.json` beside it says where it was built.
        backend: content of `results/backend.json`, the backend that is to run it.

    Raises:
        FormatError: the plan was built by another version or for another device, or is damaged.
    """
    rebuild = f"Delete it and make {plan} again with snakemake."
    origin = read_origin(plan)
    built = origin["backend"]
    if built != backend:
        keys = [key for key in backend if built.get(key) != backend[key]]
        fault = ", ".join(f"built with {key} {built.get(key)}, not {backend[key]}" for key in keys)
        raise FormatError(plan, fault, rebuild)
    trt = load(backend["name"])
    load_plugins(trt, origin["plugins"])
    try:
        engine = trt.Runtime(trt.Logger(trt.Logger.WARNING)).deserialize_cuda_engine(plan.read_bytes())
    except UserError as error:
        raise FormatError(plan, str(error).rstrip("."), rebuild) from error
    if engine is None:
        raise FormatError(plan, "TensorRT cannot load it", rebuild)
    return trt, engine


class Session:
    """A context with buffers for the largest shapes that the engine takes, under its first optimization profile.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        engine: an engine with an implicit batch, or with an explicit one that is fixed or dynamic.

    Raises:
        UserError: the shape of an output depends on the values of the inputs.
    """

    def __init__(self, trt: ModuleType, engine: Any) -> None:
        self.engine, self.context = engine, engine.create_execution_context()
        # TensorRT 8.6 repeats all bindings for each further profile
        count = engine.num_bindings // max(1, engine.num_optimization_profiles)
        self.names = [engine.get_binding_name(index) for index in range(count)]
        self._spare = [0] * (engine.num_bindings - count)
        self._dtypes = {
            name: np.dtype(trt.nptype(engine.get_binding_dtype(index))) for index, name in enumerate(self.names)
        }
        self._inputs = {name: index for index, name in enumerate(self.names) if engine.binding_is_input(index)}
        self._ranges = {name: self._range(index) for name, index in self._inputs.items()}
        largest = {name: shapes[2] for name, shapes in self._ranges.items()}
        self._set_shapes(largest)
        self._buffers = {
            name: HostBuffer(int(np.prod(shape)) * self._dtypes[name].itemsize)
            for name, shape in {**largest, **self._output_shapes(largest)}.items()
        }

    def run(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run one batch.

        Args:
            feeds: an array for each input, [N, ...], N at most the engine's largest batch; where the network fixes
                its batch, N must be that.

        Returns:
            an array for each output.

        Raises:
            UserError: an input is missing, or has a shape that the engine does not take.
        """
        if set(feeds) != set(self._inputs):
            raise UserError(f"got the inputs {', '.join(feeds)}, but the engine takes {', '.join(self._inputs)}.")
        shapes = {name: feeds[name].shape for name in self._inputs}
        self._check(shapes)
        for name, values in feeds.items():
            self._buffers[name].copy_from(values.astype(self._dtypes[name], copy=False))
        self._run(shapes)
        outputs = self._output_shapes(shapes)
        return {name: self._buffers[name].copy_to(shape, self._dtypes[name]) for name, shape in outputs.items()}

    def execute(self, batch_size: int) -> None:
        """Run a batch on what the buffers hold; other dynamic sizes are those the engine was optimised for.

        Raises:
            UserError: the engine does not take such a batch.
        """
        batched = [name for name, (low, _, high) in self._ranges.items() if low[:1] != high[:1]]
        if not batched:  # the batch is fixed, in every input that has one
            batched = [name for name, (_, best, _) in self._ranges.items() if len(best) > 1]
        shapes = {name: best for name, (_, best, _) in self._ranges.items()}
        shapes |= {name: (batch_size, *shapes[name][1:]) for name in batched}
        self._check(shapes)
        self._run(shapes)

    def _range(self, index: int) -> tuple[tuple[int, ...], ...]:
        """Return the smallest, best and largest shape of an input, with the batch."""
        shape = tuple(self.engine.get_binding_shape(index))
        if self.engine.has_implicit_batch_dimension:
            return (1, *shape), (self.engine.max_batch_size, *shape), (self.engine.max_batch_size, *shape)
        return tuple(map(tuple, self.engine.get_profile_shape(0, index))) if -1 in shape else (shape, shape, shape)

    def _check(self, shapes: dict[str, tuple[int, ...]]) -> None:
        """Refuse shapes that the engine does not take."""
        for name, shape in shapes.items():
            smallest, _, largest = self._ranges[name]
            fits = len(shape) == len(largest)
            if not fits or any(not low <= n <= high for low, n, high in zip(smallest, shape, largest, strict=True)):
                takes = f"{largest}" if smallest == largest else f"{smallest} to {largest}"
                raise UserError(f"input {name!r}: got an array of shape {shape}, but the engine takes {takes}.")
        if self.engine.has_implicit_batch_dimension and len({shape[0] for shape in shapes.values()}) > 1:
            raise UserError(f"inputs of shapes {', '.join(map(str, shapes.values()))} differ in their batch.")

    def _run(self, shapes: dict[str, tuple[int, ...]]) -> None:
        """Run on what the buffers hold."""
        bindings = [self._buffers[name].pointer for name in self.names] + self._spare
        if self.engine.has_implicit_batch_dimension:
            done = self.context.execute(batch_size=_batch_size(shapes), bindings=bindings)
        else:
            self._set_shapes(shapes)
            done = self.context.execute_v2(bindings)
        if not done:
            raise UserError("the engine could not run; its messages stand above this line.")

    def _set_shapes(self, shapes: dict[str, tuple[int, ...]]) -> None:
        if self.engine.has_implicit_batch_dimension:
            return
        for name, index in self._inputs.items():
            if not self.context.set_binding_shape(index, shapes[name]):
                raise UserError(
                    f"input {name!r} cannot take the shape {shapes[name]}; see the messages above this line."
                )

    def _output_shapes(self, shapes: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the outputs for shapes of the inputs, which were set before."""
        outputs = {name: index for index, name in enumerate(self.names) if name not in self._inputs}
        if self.engine.has_implicit_batch_dimension:
            batch = _batch_size(shapes)
            return {name: (batch, *self.engine.get_binding_shape(index)) for name, index in outputs.items()}
        found = {name: tuple(self.context.get_binding_shape(index)) for name, index in outputs.items()}
        for name, shape in found.items():
            if -1 in shape:
                raise UserError(f"output {name!r} has the shape {shape}: it depends on the values of the inputs.")
        return found


def _batch_size(shapes: dict[str, tuple[int, ...]]) -> int:
    return next(iter(shapes.values()))[0]
