"""Builds small networks through TensorRT's own calls and runs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx

import trtflow.reference as trt
from trtflow.runtime.build import build_plan
from trtflow.runtime.session import Session

Define = Callable[[trt.INetworkDefinition, trt.ITensor], trt.ITensor]


def build(define: Define, shape: tuple[int, ...], *flags: trt.BuilderFlag, calibrator: object = None) -> Session:
    """Return a session of a network with one input "x" of a shape without batch, and one output "y"."""
    builder = trt.Builder(trt.Logger())
    builder.max_batch_size = 4
    network = builder.create_network()
    output = define(network, network.add_input("x", trt.float32, shape))
    output.name = "y"
    network.mark_output(output)
    config = builder.create_builder_config()
    for flag in flags:
        config.set_flag(flag)
    config.int8_calibrator = calibrator
    plan = builder.build_serialized_network(network, config)
    return Session(trt, trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan))


def run_layer(
    add: Callable[..., Any],
    *arrays: np.ndarray,
    explicit: bool = False,
    precision: str = "fp32",
    dynamic: bool = False,
) -> list[np.ndarray]:
    """Return the outputs of a network of what `add(network, *inputs)` gives: a layer, or tensors.

    Shapes and types that the network tells are compared with those that come out, and the plan must be plain ONNX.

    Args:
        add: adds layers to a network with an input for each array.
        arrays: the inputs, batch first; they need one batch size only where the batch is implicit.
        explicit: whether the network's shapes include the batch.
        precision: fp32, fp16 or int8.
        dynamic: leave all sizes of the inputs open until run time; only with an explicit batch.
    """
    outputs: list[trt.ITensor] = []

    def define(trt: Any, network: Any) -> None:
        types = {
            np.dtype(trt.nptype(dtype)): dtype
            for dtype in trt.DataType.__members__.values()
            if dtype != trt.DataType.FP8
        }
        tensors = [
            network.add_input(f"x{index}", types[array.dtype], [-1] * array.ndim if dynamic else array.shape[skip:])
            for index, array in enumerate(arrays)
        ]
        added = add(network, *tensors)
        outputs.extend([added.get_output(i) for i in range(added.num_outputs)] if hasattr(added, "outputs") else added)
        for index, tensor in enumerate(outputs):
            tensor.name = f"y{index}"
            network.mark_output(tensor)

    def configure(trt: Any, config: Any) -> None:
        if dynamic:
            profile = trt.Builder(trt.Logger()).create_optimization_profile()
            for index, array in enumerate(arrays):
                profile.set_shape(f"x{index}", *[array.shape] * 3)
            config.add_optimization_profile(profile)

    skip = 0 if explicit else 1
    plan = build_plan(trt, define, precision, len(arrays[0]), explicit_batch=explicit, configure=configure)
    engine = trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan)
    onnx.checker.check_model(onnx.load_from_string(bytes(plan)), full_check=True)
    found = Session(trt, engine).run({f"x{index}": array for index, array in enumerate(arrays)})
    results = [found[f"y{index}"] for index in range(len(outputs))]
    for tensor, result in zip(outputs, results, strict=True):
        told, came = tuple(tensor.shape), result.shape[skip:]
        assert len(told) == len(came), (told, came)
        assert all(size in (-1, real) for size, real in zip(told, came, strict=True)), (told, came)
        assert result.dtype == trt.nptype(tensor.dtype)
    return results


def constant(network: trt.INetworkDefinition, values: Any) -> trt.ITensor:
    """Return a constant of an array's shape and type."""
    array = np.asarray(values)
    return network.add_constant(array.shape, array).get_output(0)
