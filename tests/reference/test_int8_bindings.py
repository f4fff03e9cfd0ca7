"""Floats that the network itself wants stored in INT8: outputs of that type, and what an identity layer gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import trtflow.reference as trt

EXPLICIT = 1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH)
VALUES = np.linspace(-140, 140, 2 * 3 * 4, dtype=np.float32).reshape(1, 2, 3, 4)


def start() -> tuple[Any, Any, Any, Any]:
    builder = trt.Builder(trt.Logger())
    network, config = builder.create_network(EXPLICIT), builder.create_builder_config()
    config.set_flag(trt.BuilderFlag.INT8)
    return builder, network, config, network.add_input("x", trt.float32, VALUES.shape)


def infer(builder: Any, network: Any, config: Any, dtype: Any) -> np.ndarray:
    runtime = trt.Runtime(trt.Logger())
    engine = runtime.deserialize_cuda_engine(builder.build_serialized_network(network, config))
    context = engine.create_execution_context()
    out = np.empty(tuple(engine.get_tensor_shape(engine.get_tensor_name(1))), dtype)
    assert context.execute_v2([VALUES.ctypes.data, out.ctypes.data])
    return out


def steps(values: np.ndarray, largest: float) -> np.ndarray:
    """Return values in 127ths of the range, rounded to even, as TensorRT quantises."""
    scale = np.float32(np.float32(largest) / np.float32(127))
    return np.clip(np.rint(values / scale), -128, 127).astype(np.int8)


def test_an_output_of_int8_is_in_steps_of_its_range() -> None:
    builder, network, config, x = start()
    layer = network.add_identity(x)
    tensor = layer.get_output(0)
    tensor.dtype, tensor.dynamic_range = trt.int8, (-128, 128)
    layer.set_output_type(0, trt.int8)
    network.mark_output(tensor)
    np.testing.assert_array_equal(infer(builder, network, config, np.int8), steps(VALUES, 128))


def test_an_activation_can_have_an_output_of_int8_too() -> None:
    builder, network, config, x = start()
    tensor = network.add_activation(x, trt.ActivationType.RELU).get_output(0)
    tensor.dtype, tensor.dynamic_range = trt.int8, (-64, 64)
    network.mark_output(tensor)
    np.testing.assert_array_equal(infer(builder, network, config, np.int8), steps(np.maximum(VALUES, 0), 64))


def test_what_an_identity_stores_in_int8_is_rounded() -> None:
    builder, network, config, x = start()
    layer = network.add_identity(x)
    layer.set_output_type(0, trt.int8)
    layer.get_output(0).dynamic_range = (-140, 140)
    negative = network.add_unary(layer.get_output(0), trt.UnaryOperation.NEG).get_output(0)
    network.mark_output(negative)
    expected = -steps(VALUES, 140) * np.float32(np.float32(140) / np.float32(127))
    np.testing.assert_allclose(infer(builder, network, config, np.float32), expected, rtol=1e-6)


def test_an_output_of_int8_needs_a_range() -> None:
    builder, network, config, x = start()
    tensor = network.add_identity(x).get_output(0)
    tensor.dtype = trt.int8
    network.mark_output(tensor)
    with pytest.raises(trt.BuildError, match="must have dynamic range set when no calibrator is used"):
        builder.build_serialized_network(network, config)


def test_an_input_of_int8_needs_a_range_where_more_than_a_cast_reads_it() -> None:
    for add in ("add_identity", "add_shuffle"):
        builder, network, config, _ = start()
        read = getattr(network, add)(network.add_input("steps", trt.int8, (2, 3)))
        network.mark_output(network.add_cast(read.get_output(0), trt.float32).get_output(0))
        with pytest.raises(trt.BuildError, match="^steps: input/output with DataType Int8 in network without Q/DQ"):
            builder.build_serialized_network(network, config)
