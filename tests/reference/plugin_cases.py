"""Cases that the CUDA plugins and their reference implementations must both pass; NumPy alone, for either Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

RNG = np.random.default_rng(10)
TOLERANCES = {"fp32": 1e-5, "fp16": 1e-2}  # of the largest magnitude that is expected


@dataclass
class Case:
    """A plugin with its fields, a batch for each input [N, C, H, W], and what comes out."""

    name: str
    plugin: str
    fields: dict[str, np.ndarray]
    inputs: list[np.ndarray]
    expected: np.ndarray


def fully_connected(name: str, batch: int, shape: tuple[int, int, int], outputs: int, bias: bool = True) -> Case:
    """Return x kernel^T + bias."""
    x = RNG.normal(size=(batch, *shape)).astype(np.float32)
    kernel = RNG.normal(size=(outputs, x[0].size)).astype(np.float32)
    fields = {"outputs": np.array([outputs], np.int32), "kernel": kernel}
    if bias:
        fields["bias"] = RNG.normal(size=outputs).astype(np.float32)
    product = x.reshape(batch, -1).astype(np.float64) @ kernel.T.astype(np.float64) + fields.get("bias", 0)
    return Case(name, "FCPlugin", fields, [x], product.reshape(batch, outputs, 1, 1))


def clip(name: str, batch: int, shape: tuple[int, int, int], low: float, high: float) -> Case:
    """Return min(max(x, low), high), with values on the bounds among them."""
    x = RNG.normal(size=(batch, *shape), scale=5).astype(np.float32)
    x.ravel()[:2] = low, high
    fields = {"clipMin": np.array([low], np.float32), "clipMax": np.array([high], np.float32)}
    return Case(name, "CustomClipPlugin", fields, [x], np.clip(x, low, high))


def flatten_concat(name: str, batch: int, shapes: list[tuple[int, int, int]], axis: int, ignore_batch: bool) -> Case:
    """Return the inputs' rows, joined; those of the first image for all with ignore_batch."""
    inputs = [RNG.normal(size=(batch, *shape)).astype(np.float32) for shape in shapes]
    rows = np.concatenate([x.reshape(batch, -1) for x in inputs], axis=1)
    if ignore_batch:
        rows = np.broadcast_to(rows[:1], rows.shape)
    shape = [batch, 1, 1, 1]
    shape[axis] = rows.shape[1]
    fields = {"axis": np.array([axis], np.int32), "ignoreBatch": np.array([ignore_batch], np.int32)}
    return Case(name, "FlattenConcat", fields, inputs, rows.reshape(shape))


CASES = [
    fully_connected("fc of LeNet's ip2", 4, (500, 1, 1), 10),
    fully_connected("fc over C, H, W without a bias", 3, (5, 4, 3), 7, bias=False),
    fully_connected("fc of one output, one image", 1, (17, 1, 1), 1),
    clip("clip of whole packs", 2, (16, 8, 8), 0, 6),
    clip("clip of fewer values than a pack", 1, (1, 1, 3), -1.5, 1.5),
    clip("clip with a rest behind the packs", 3, (7, 5, 3), -3, 2),
    flatten_concat("flatten_concat along C", 3, [(4, 3, 2), (5, 1, 1), (1, 1, 7)], 1, False),
    flatten_concat("flatten_concat along W, one input", 2, [(4, 3, 2)], 3, False),
    flatten_concat("flatten_concat along H without the batch", 4, [(2, 3, 4), (3, 1, 2)], 2, True),
]

FIELD_TYPES = {"int32": "INT32", "float32": "FLOAT32"}


def create_plugin(trt: ModuleType, case: Case) -> Any:
    """Return the case's plugin from its creator."""
    fields = [
        trt.PluginField(name, data, getattr(trt.PluginFieldType, FIELD_TYPES[data.dtype.name]))
        for name, data in case.fields.items()
    ]
    creator = trt.get_plugin_registry().get_plugin_creator(case.plugin, "1", "")
    return creator.create_plugin(case.name, trt.PluginFieldCollection(fields))


def define(case: Case, precision: str) -> Callable[[ModuleType, Any], None]:
    """Return the definition of a network of the one layer: inputs x0, x1, …, output y, in a precision throughout."""

    def network_of(trt: ModuleType, network: Any) -> None:
        dtype = trt.float16 if precision == "fp16" else trt.float32
        inputs = [network.add_input(f"x{index}", dtype, x.shape[1:]) for index, x in enumerate(case.inputs)]
        layer = network.add_plugin_v2(inputs, create_plugin(trt, case))
        layer.name = case.name
        layer.get_output(0).name = "y"
        network.mark_output(layer.get_output(0))

    return network_of


def error(case: Case, precision: str, found: np.ndarray) -> float:
    """Return the largest difference as a fraction of the largest magnitude, having checked the shape."""
    assert found.shape == case.expected.shape, (case.name, precision, found.shape, case.expected.shape)
    return float(np.abs(found.astype(np.float64) - case.expected).max() / np.abs(case.expected).max())
