"""The refitter: new weights for an engine without building it again (guide chapter 26)."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from trtflow.reference.errors import RefitError
from trtflow.reference.lower.graph import fault_of, quantise_kernel, to_half
from trtflow.reference.record.answers import Reporter
from trtflow.reference.record.enums import ErrorCodeTRT, WeightsRole
from trtflow.reference.record.scope import Scope
from trtflow.reference.record.values import ILogger, Logger, Weights
from trtflow.reference.run.engine import ICudaEngine
from trtflow.reference.run.plan import read_plan, write_plan

Key = tuple[str, WeightsRole]


class Refitter(Scope, Reporter):
    """Replaces weights of an engine that was built with BuilderFlag.REFIT.

    New weights are first set, then all take effect at once with `refit_cuda_engine`; contexts that there are see them
    in their next run. All weights of a layer belong together: TensorRT may have combined a kernel with its bias, so
    once one is set, the layer's others count as missing until they are set too.

    Weights have the type and number that the network was defined with; in an engine of half precision they are
    rounded, and an INT8 kernel gets new scales. Scales of tensors stay as calibrated unless `set_dynamic_range` says
    otherwise.

    Attributes:
        max_threads: recorded only.

    Raises:
        RefitError: the engine was built without REFIT. (As in TensorRT, it is a TypeError.)
    """

    read_only = ("logger",)

    def __init__(self, engine: ICudaEngine, logger: ILogger) -> None:
        super().__init__(logger)
        if not engine.refittable:
            fault = (
                "the engine's weights cannot be replaced: it was built without BuilderFlag.REFIT. "
                "Call config.set_flag(trt.BuilderFlag.REFIT) and build it again."
            )
            self._error(fault)
            raise RefitError(fault)
        self.engine, self.logger, self.max_threads = engine, logger, 1
        refit = engine.metadata["refit"]
        self._known: dict[Key, dict[str, Any]] = {
            (entry["layer"], WeightsRole.__members__[entry["role"]]): entry for entry in refit["weights"]
        }
        self._scales: dict[str, str] = dict(refit["scales"])
        self._weights: dict[Key, np.ndarray] = {}
        self._ranges: dict[str, np.float32] = {}

    def set_weights(self, layer_name: str, role: WeightsRole, weights: Any) -> bool:
        """Set new weights of a layer; they are copied.

        Returns:
            False, and a message in the log, when the layer has no such weights or they differ in number or type.
        """
        entry = self._known.get((layer_name, WeightsRole(role)))
        if entry is None:
            return self._error(self._no_such(layer_name, WeightsRole(role)))
        given = Weights.of(weights)
        what = f"{WeightsRole(role).name} of layer {layer_name!r}"
        if given.size != entry["count"]:
            return self._error(f"{what}: {given.size} weights, but the engine was built with {entry['count']}")
        if (given.dtype.name, entry["dtype"]) == ("HALF", "FLOAT"):  # which TensorRT widens
            given = Weights(given.numpy().astype(np.float32))
        if given.dtype.name != entry["dtype"]:
            return self._error(f"{what}: weights of type {given.dtype.name}, but the engine has {entry['dtype']}")
        if fault := fault_of(given.numpy()):
            if entry["scale"] is not None:
                return self._error(f"{what}: {fault}, which INT8 does not know")
            self.logger.log(Logger.WARNING, f"{what}: {fault}")
        self._weights[layer_name, WeightsRole(role)] = given.numpy().copy()
        return True

    def set_named_weights(self, name: str, weights: Any) -> bool:
        """Set new weights by the name that `INetworkDefinition.set_weights_name` or a parser gave them.

        Returns:
            False, and a message in the log, when there are none of this name or they differ in number or type.
        """
        keys = [key for key, entry in self._known.items() if name and entry["name"] == name]
        if not keys:
            fault = f"no weights are named {name!r}; there are {_list(self.get_all_weights())}"
            return self._error(fault, ErrorCodeTRT.INVALID_CONFIG)
        return all(self.set_weights(layer, role, weights) for layer, role in keys)

    def get_all(self) -> tuple[list[str], list[WeightsRole]]:
        """Return layers and roles of all weights that can be set, in network order."""
        return _columns(list(self._known))

    def get_missing(self) -> tuple[list[str], list[WeightsRole]]:
        """Return layers and roles of the weights that must be set beside those that are."""
        return _columns(self._missing())

    def get_all_weights(self) -> list[str]:
        """Return the names of all named weights that can be set."""
        return _names(self._known.values())

    def get_missing_weights(self) -> list[str]:
        """Return the names of the named weights that must be set beside those that are."""
        return _names(self._known[key] for key in self._missing())

    def get_tensors_with_dynamic_range(self) -> list[str]:
        """Return the tensors that are stored in INT8, in network order."""
        return list(self._scales)

    def get_dynamic_range(self, tensor_name: str) -> tuple[float, float]:
        """Return the range of a tensor that is stored in INT8, as calibrated or set; (nan, nan) of any other."""
        if tensor_name not in self._scales:
            self._error(self._no_range(tensor_name))
            return float("nan"), float("nan")
        scale = self._ranges.get(tensor_name)
        if scale is None:
            stored = {tensor.name: tensor for tensor in read_plan(self.engine.plan)[0].graph.initializer}
            scale = numpy_helper.to_array(stored[self._scales[tensor_name]]).ravel()[0]
        largest = float(scale * np.float32(127))
        return -largest, largest

    def set_dynamic_range(self, tensor_name: str, range: Any) -> bool:
        """Set the range (min, max) of a tensor that is stored in INT8; the larger magnitude counts.

        Returns:
            False, and a message in the log, when the tensor is not stored in INT8 or the range is empty.
        """
        if len(range) != 2:
            raise ValueError("Dynamic range must contain exactly 2 elements")
        smallest, largest = map(float, range)
        if tensor_name not in self._scales:
            return self._error(self._no_range(tensor_name))
        magnitude = max(abs(smallest), abs(largest))
        if not smallest <= largest or not 0 < magnitude < float("inf"):
            return self._error(f"the range ({smallest}, {largest}) of tensor {tensor_name!r} holds no values")
        self._ranges[tensor_name] = np.float32(np.float32(magnitude) / np.float32(127))
        return True

    def refit_cuda_engine(self) -> bool:
        """Give the engine what was set, and forget it here.

        Returns:
            False, and nothing changed, when weights are missing; the log names them.
        """
        if missing := self._missing():
            listed = _list([f"{role.name} of layer {layer!r}" for layer, role in missing])
            return self._error(f"the engine is not refitted: set {listed} too", ErrorCodeTRT.INVALID_CONFIG)
        model, metadata = read_plan(self.engine.plan)
        stored = {tensor.name: tensor for tensor in model.graph.initializer}
        for key, values in self._weights.items():
            _store(stored, self._known[key], values)
        for name, scale in self._ranges.items():
            _set(stored[self._scales[name]], np.array(scale))
        self.engine.load(write_plan(model, metadata))
        self._weights, self._ranges = {}, {}
        return True

    def _missing(self) -> list[Key]:
        begun = {layer for layer, _ in self._weights}
        return [key for key in self._known if key[0] in begun and key not in self._weights]

    def _no_such(self, layer_name: str, role: WeightsRole) -> str:
        roles = [key[1].name for key in self._known if key[0] == layer_name]
        if roles:
            return f"layer {layer_name!r} has no {role.name} to refit; it has {_list(roles)}"
        layers = list(dict.fromkeys(layer for layer, _ in self._known))
        return f"no layer {layer_name!r} has weights to refit; there are {_list(layers)}"

    def _no_range(self, tensor_name: str) -> str:
        return f"tensor {tensor_name!r} has no dynamic range; those that have are {_list(list(self._scales))}"


def _columns(keys: list[Key]) -> tuple[list[str], list[WeightsRole]]:
    return [layer for layer, _ in keys], [role for _, role in keys]


def _names(entries: Any) -> list[str]:
    return list(dict.fromkeys(entry["name"] for entry in entries if entry["name"]))


def _list(names: list[str]) -> str:
    return ", ".join(names) or "none"


def _store(stored: dict[str, onnx.TensorProto], entry: dict[str, Any], values: np.ndarray) -> None:
    """Write weights where the lowered network has them, in its type."""
    target = stored[entry["initializer"]]
    values = values.reshape(tuple(target.dims))
    if entry["scale"] is not None:
        values, scale = quantise_kernel(values, entry["axis"])
        _set(stored[entry["scale"]], scale)
    elif target.data_type == onnx.TensorProto.FLOAT16:
        values = to_half(values)
    _set(target, values)


def _set(tensor: onnx.TensorProto, values: np.ndarray) -> None:
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    tensor.CopyFrom(
        numpy_helper.from_array(np.ascontiguousarray(values, dtype).reshape(tuple(tensor.dims)), tensor.name)
    )
