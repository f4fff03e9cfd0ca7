"""The kind that an error recorder is told of each error, which is the number that TensorRT's log begins with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from error_recorder import recorder_class

import trtflow.reference as trt

pytestmark = pytest.mark.answers
EXPLICIT = 1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH)
Kind = trt.ErrorCodeTRT
Recorder = recorder_class(trt)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def only(recorder: Recorder) -> trt.ErrorCodeTRT:
    """Return the kind of the one error that was told."""
    assert recorder.num_errors() == 1, recorder.told
    return recorder.get_error_code(0)


def made(recorder: Recorder, shape: tuple[int, ...] = (2, 3)) -> tuple[Any, Any, Any, Any]:
    """Return a builder that tells the recorder, a network with an input `x`, its configuration and the input."""
    builder = trt.Builder(trt.Logger(trt.Logger.INTERNAL_ERROR))
    builder.error_recorder = recorder
    network = builder.create_network(EXPLICIT)
    return builder, network, builder.create_builder_config(), network.add_input("x", trt.float32, shape)


def engine(recorder: Recorder, add: Callable[[Any, Any], Any], *flags: trt.BuilderFlag) -> Any:
    """Return an engine, which tells the recorder, of a network that has one output."""
    builder, network, config, x = made(recorder)
    network.mark_output(add(network, x))
    for flag in flags:
        config.set_flag(flag)
    runtime = trt.Runtime(trt.Logger(trt.Logger.INTERNAL_ERROR))
    runtime.error_recorder = recorder
    return runtime.deserialize_cuda_engine(builder.build_serialized_network(network, config))


def relu(network: Any, x: Any) -> Any:
    return network.add_activation(x, trt.ActivationType.RELU).get_output(0)


def test_what_a_call_refuses_is_an_argument(recorder: Recorder) -> None:
    _, network, _, x = made(recorder)
    assert network.add_convolution_nd(x, 1, (9, 9), np.zeros(3, np.float32)) is None
    assert only(recorder) == Kind.INVALID_ARGUMENT


def without_output(builder: Any, network: Any, config: Any, x: Any) -> None:
    """Leave the network without an output."""


def without_scales(builder: Any, network: Any, config: Any, x: Any) -> None:
    config.set_flag(trt.BuilderFlag.INT8)
    other = network.add_input("y", trt.float32, (1, 3, 8, 8))
    kernel = np.ones((2, 3, 3, 3), np.float32)
    network.mark_output(network.add_convolution_nd(other, 2, (3, 3), kernel).get_output(0))


@pytest.mark.parametrize("prepare", [without_output, without_scales])
def test_what_cannot_be_built_is_a_configuration(recorder: Recorder, prepare: Callable[..., None]) -> None:
    builder, network, config, x = made(recorder)
    prepare(builder, network, config, x)
    assert builder.build_serialized_network(network, config) is None
    assert only(recorder) == Kind.INVALID_CONFIG


def test_an_open_size_without_a_profile_is_a_configuration(recorder: Recorder) -> None:
    builder, network, config, x = made(recorder, (-1, 3))
    network.mark_output(relu(network, x))
    assert builder.build_serialized_network(network, config) is None
    assert only(recorder) == Kind.INVALID_CONFIG


def test_plans(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    builder, network, config, x = made(recorder)
    network.mark_output(relu(network, x))
    monkeypatch.setattr("trtflow.reference.run.plan.__version__", "8.5.3")
    plan = bytes(memoryview(builder.build_serialized_network(network, config)))
    monkeypatch.undo()
    runtime = trt.Runtime(trt.Logger(trt.Logger.INTERNAL_ERROR))
    runtime.error_recorder = recorder
    for broken in (b"no plan", plan[:-100] + b"?" + plan[-99:], plan):
        assert runtime.deserialize_cuda_engine(broken) is None
    assert [kind for kind, _ in recorder.told] == [
        Kind.UNSPECIFIED_ERROR,
        Kind.UNSPECIFIED_ERROR,
        Kind.FAILED_INITIALIZATION,
    ]


@pytest.mark.parametrize(
    ("bindings", "kind"),
    [
        ([0, 0], Kind.INVALID_ARGUMENT),  # TensorRT: «condition: bindings[x] || nullBindingOK»
        ([64, 64], Kind.UNSPECIFIED_ERROR),  # «Cuda Runtime (an illegal memory access was encountered)»
        ([64], Kind.INVALID_ARGUMENT),
    ],
)
def test_bindings(recorder: Recorder, bindings: list[int], kind: trt.ErrorCodeTRT) -> None:
    context = engine(recorder, relu).create_execution_context()
    assert context.execute_v2(bindings) is False
    assert only(recorder) == kind


def test_shapes_and_names_are_arguments(recorder: Recorder) -> None:
    built = engine(recorder, relu)
    context = built.create_execution_context()
    assert context.set_input_shape("x", (2, 4)) is False
    assert built.get_tensor_shape("absent") == ()
    assert [kind for kind, _ in recorder.told] == [Kind.INVALID_ARGUMENT] * 2


def test_assertions_fail_the_run(recorder: Recorder) -> None:
    def add(network: Any, x: Any) -> Any:
        least = network.add_reduce(x, trt.ReduceOperation.MIN, 3, False).get_output(0)
        zero = network.add_constant((), np.zeros((), np.float32)).get_output(0)
        holds = network.add_elementwise(least, zero, trt.ElementWiseOperation.GREATER).get_output(0)
        network.add_assertion(holds, "all are positive")
        return relu(network, x)

    context = engine(recorder, add).create_execution_context()
    values, out = np.full((2, 3), -1, np.float32), np.zeros((2, 3), np.float32)
    assert context.execute_v2([values.ctypes.data, out.ctypes.data]) is False
    assert recorder.told == [(Kind.FAILED_EXECUTION, "an assertion of the network does not hold: all are positive")]


def test_weights_that_lack_are_a_configuration(recorder: Recorder) -> None:
    def add(network: Any, x: Any) -> Any:
        shift, scale = np.ones(1, np.float32), np.full(1, 2, np.float32)
        four = network.add_shuffle(x)
        four.reshape_dims = (1, 1, 2, 3)
        layer = network.add_scale(four.get_output(0), trt.ScaleMode.UNIFORM, shift, scale, np.ones(1, np.float32))
        layer.name = "scale"
        return layer.get_output(0)

    refitter = trt.Refitter(engine(recorder, add, trt.BuilderFlag.REFIT), trt.Logger(trt.Logger.INTERNAL_ERROR))
    refitter.error_recorder = recorder
    assert refitter.set_weights("scale", trt.WeightsRole.SHIFT, np.ones(7, np.float32)) is False
    assert refitter.set_weights("scale", trt.WeightsRole.SHIFT, np.zeros(1, np.float32)) is True
    assert refitter.refit_cuda_engine() is False  # SCALE lacks
    assert [kind for kind, _ in recorder.told] == [Kind.INVALID_ARGUMENT, Kind.INVALID_CONFIG]


def test_memory_that_an_allocator_does_not_give(recorder: Recorder) -> None:
    class Empty(trt.IOutputAllocator):
        def reallocate_output(self, tensor_name: str, memory: int, size: int, alignment: int) -> int:
            return 0

        def notify_shape(self, tensor_name: str, shape: trt.Dims) -> None:
            raise AssertionError

    built = engine(recorder, relu)
    context, values = built.create_execution_context(), np.zeros((2, 3), np.float32)
    allocator = Empty()
    context.set_tensor_address("x", values.ctypes.data)
    context.set_output_allocator(built.get_tensor_name(1), allocator)
    assert context.execute_async_v3(0) is False
    assert only(recorder) == Kind.FAILED_ALLOCATION
