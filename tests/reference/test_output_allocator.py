"""Outputs whose sizes depend on values, through IOutputAllocator, against ONNX Runtime."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import trtflow.reference as trt

RNG = np.random.default_rng(6)
FLOAT, INT32, INT64 = TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64


class Allocator(trt.IOutputAllocator):
    """Keeps the memory that it gave, and what it was told."""

    def __init__(self):
        super().__init__()
        self.memory, self.shape, self.asked = None, None, []

    def reallocate_output(self, tensor_name, memory, size, alignment):
        self.asked.append((tensor_name, size, alignment))
        self.memory = np.zeros(size, np.uint8)
        return self.memory.ctypes.data

    def notify_shape(self, tensor_name, shape):
        self.shape = tuple(shape)

    def array(self, dtype):
        return self.memory[: int(np.prod(self.shape)) * np.dtype(dtype).itemsize].view(dtype).reshape(self.shape)


def model_of(nodes, inputs, outputs, **stored):
    values = [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs]
    made = [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in outputs]
    arrays = [numpy_helper.from_array(np.asarray(array), name) for name, array in stored.items()]
    graph = helper.make_graph(nodes, "g", values, made, arrays)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


NON_ZERO = model_of(
    [helper.make_node("NonZero", ["x"], ["y"], "places")],
    [("x", FLOAT, [3, 4])],
    [("y", INT64, [2, None])],
)
SUPPRESSION = model_of(
    [
        helper.make_node("NonMaxSuppression", ["boxes", "scores", "most", "overlap"], ["picked"], "nms"),
        helper.make_node("Gather", ["picked", "column"], ["rows"], "rows", axis=1),
        helper.make_node("Gather", ["boxes", "zero"], ["first"], "first", axis=0),
        helper.make_node("Gather", ["first", "rows"], ["y"], "chosen", axis=0),
    ],
    [("boxes", FLOAT, [1, 8, 4]), ("scores", FLOAT, [1, 1, 8])],
    [("y", FLOAT, [None, 4])],
    most=np.array([8]),
    overlap=np.float32([0.1]),
    column=np.array(2),
    zero=np.array(0),
)
FED_SLICE = model_of(
    [helper.make_node("Slice", ["x", "start", "end"], ["y"], "cut")],
    [("x", FLOAT, [6, 2]), ("start", INT32, [1])],
    [("y", FLOAT, [None, 2])],
    end=np.array([6], np.int32),
)


def boxes():
    low = RNG.uniform(0, 0.7, (1, 8, 2))
    return np.concatenate([low, low + 0.3], axis=2).astype(np.float32)


def context_of(model):
    builder = trt.Builder(trt.Logger(trt.Logger.INTERNAL_ERROR))
    network = builder.create_network(1)
    parser = trt.OnnxParser(network, builder.logger)
    assert parser.parse(model.SerializeToString()), parser.get_error(0)
    plan = builder.build_serialized_network(network, builder.create_builder_config())
    return trt.Runtime(builder.logger).deserialize_cuda_engine(plan).create_execution_context()


CASES = [
    (NON_ZERO, lambda: {"x": (RNG.random((3, 4)) > 0.6).astype(np.float32)}, np.int32, 2 * 12 * 4),
    (
        SUPPRESSION,
        lambda: {"boxes": boxes(), "scores": RNG.random((1, 1, 8)).astype(np.float32)},
        np.float32,
        8 * 4 * 4,
    ),
    (
        FED_SLICE,
        lambda: {"x": RNG.random((6, 2)).astype(np.float32), "start": np.int32([RNG.integers(0, 5)])},
        np.float32,
        48,
    ),
]


@pytest.mark.parametrize(("model", "draw", "dtype", "largest"), CASES, ids=["NonZero", "NonMaxSuppression", "Slice"])
def test_sizes_that_depend_on_values_come_through_the_allocator(model, draw, dtype, largest):
    context, allocator = context_of(model), Allocator()
    assert -1 in context.get_tensor_shape("y")
    assert context.get_max_output_size("y") == largest
    assert context.set_output_allocator("y", allocator)
    assert context.get_output_allocator("y") is allocator
    session, shapes = onnxruntime.InferenceSession(model.SerializeToString()), set()
    for _ in range(4):
        feeds = draw()
        for name, values in feeds.items():
            context.set_tensor_address(name, values.ctypes.data)
        assert context.execute_async_v3(0)
        (wanted,) = session.run(None, feeds)
        assert allocator.shape == wanted.shape
        np.testing.assert_array_equal(allocator.array(dtype), wanted)
        assert allocator.asked[-1] == ("y", max(1, allocator.array(dtype).nbytes), 256)
        assert allocator.asked[-1][1] <= largest
        shapes.add(wanted.shape)
    assert len(shapes) > 1


def test_memory_of_the_largest_size_does_without_an_allocator():
    context = context_of(NON_ZERO)
    x = np.eye(3, 4, dtype=np.float32)
    memory = np.zeros(context.get_max_output_size("y") // 4, np.int32)
    context.set_tensor_address("x", x.ctypes.data)
    assert not context.execute_async_v3(0)  # no address yet
    context.set_tensor_address("y", memory.ctypes.data)
    assert context.execute_async_v3(0)
    np.testing.assert_array_equal(memory[:6].reshape(2, 3), np.nonzero(x))


def test_bindings_have_no_place_for_such_sizes():
    context = context_of(NON_ZERO)
    x, memory = np.eye(3, 4, dtype=np.float32), np.zeros(24, np.int32)
    assert not context.execute_v2([x.ctypes.data, memory.ctypes.data])
    assert not memory.any()


def test_allocators_are_of_outputs_and_can_be_taken_away():
    context = context_of(NON_ZERO)
    assert not context.set_output_allocator("x", Allocator())
    assert context.get_max_output_size("x") == -1
    assert context.set_output_allocator("y", Allocator())
    assert context.set_output_allocator("y", None)
    assert context.get_output_allocator("y") is None


def test_an_allocator_without_memory_ends_the_run():
    class Nothing(Allocator):
        def reallocate_output(self, tensor_name, memory, size, alignment):
            return 0

    context, x = context_of(NON_ZERO), np.eye(3, 4, dtype=np.float32)
    context.set_tensor_address("x", x.ctypes.data)
    context.set_output_allocator("y", Nothing())
    assert not context.execute_async_v3(0)


def test_other_outputs_have_their_size_and_may_have_an_allocator():
    nodes = [helper.make_node("Relu", ["x"], ["y"], "relu")]
    context = context_of(model_of(nodes, [("x", FLOAT, [2, 3])], [("y", FLOAT, [2, 3])]))
    assert context.get_max_output_size("y") == 24
    allocator, x = Allocator(), np.float32([[1, -1, 2], [-3, 4, 5]])
    context.set_tensor_address("x", x.ctypes.data)
    context.set_output_allocator("y", allocator)
    assert context.execute_async_v3(0)
    np.testing.assert_array_equal(allocator.array(np.float32), np.maximum(x, 0))


def test_what_tensorrt_cannot_do_with_rows_by_values_is_told():
    told = []

    class Logger(trt.ILogger):
        def log(self, severity, message):
            told.append(message)

    builder = trt.Builder(Logger())
    network = builder.create_network(1)
    network.mark_output(network.add_non_zero(network.add_input("x", trt.float32, (2, 3))).get_output(0))
    config = builder.create_builder_config()
    assert builder.build_serialized_network(network, config) is not None
    assert [text for text in told if "makes no context of such an engine" in text]
    told.clear()
    profile = builder.create_optimization_profile()
    profile.set_shape("x", *[(2, 3)] * 3)
    config.add_optimization_profile(profile)
    assert builder.build_serialized_network(network, config) is not None
    assert not [text for text in told if "rows" in text]
