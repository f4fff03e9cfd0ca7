"""Outputs whose sizes depend on values, of no bound that is known: each batch gets its memory as it asks for it."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from test_sessions import LateDevice, on

import trtflow.reference as trt
from trtflow.formats import UserError
from trtflow.losses import Precise, tensor_losses
from trtflow.runtime.build import build_plan
from trtflow.runtime.devices import HostBuffer, HostDevice
from trtflow.runtime.open_outputs import LEAST
from trtflow.runtime.session import Session
from trtflow.runtime.timing import measure

WIDTH = 6000  # numbers of an input: all of them are more than the least memory holds
COUNTS = (3, 0, WIDTH, 1, 2000, WIDTH)  # positive ones of each batch


def positives():
    """Return a model of the positive numbers of an input, the largest first, and of the input doubled."""
    nodes = [
        helper.make_node("Mul", ["x", "two"], ["doubled"], "double"),
        helper.make_node("Greater", ["x", "zero"], ["is"], "is"),
        helper.make_node("NonZero", ["is"], ["places"], "places"),
        helper.make_node("Transpose", ["places"], ["rows"], "rows"),
        helper.make_node("GatherND", ["x", "rows"], ["chosen"], "chosen"),
        helper.make_node("Shape", ["chosen"], ["count"], "count"),
        helper.make_node("TopK", ["chosen", "count"], ["best", "order"], "best"),
        helper.make_node("Cast", ["order"], ["order32"], "cast", to=TensorProto.INT32),
    ]
    graph = helper.make_graph(
        nodes,
        "positives",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, WIDTH])],
        [
            helper.make_tensor_value_info("best", TensorProto.FLOAT, ["K"]),
            helper.make_tensor_value_info("doubled", TensorProto.FLOAT, [1, WIDTH]),
            helper.make_tensor_value_info("order32", TensorProto.INT32, ["K"]),
        ],
        [numpy_helper.from_array(np.float32(value), name) for name, value in (("zero", 0), ("two", 2))],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


MODEL = positives()


def define(trt_module, network):
    parser = trt_module.OnnxParser(network, trt_module.Logger(trt_module.Logger.INTERNAL_ERROR))
    assert parser.parse(MODEL.SerializeToString()), parser.get_error(0)


@pytest.fixture(scope="module")
def plan():
    return build_plan(trt, define, "fp32", 1, explicit_batch=True)


def session(plan, **options):
    return Session(trt, trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan), **options)


def batches():
    random = np.random.default_rng(0)
    for count in COUNTS:
        x = -random.uniform(1, 2, (1, WIDTH)).astype(np.float32)
        x[0, random.permutation(WIDTH)[:count]] *= -1
        yield {"x": x}


def check(found, given):
    runtime = onnxruntime.InferenceSession(MODEL.SerializeToString())
    for values, feeds in zip(found, given, strict=True):
        for name, wanted in zip(("best", "doubled", "order32"), runtime.run(None, feeds), strict=True):
            assert values[name].dtype == wanted.dtype
            np.testing.assert_array_equal(values[name], wanted)


def test_no_bound_is_known_of_such_a_network(plan):
    made = session(plan)
    assert made.opened == ["best", "order32"]
    assert made.context.get_max_output_size("best") == -1


@pytest.mark.parametrize("contexts", [1, 2])
def test_each_batch_comes_back_in_its_own_size(monkeypatch, plan, contexts):
    on(monkeypatch, LateDevice())  # several batches are under way, each with memory of its own
    given = list(batches())
    with session(plan, contexts=contexts) as made:
        check(list(made.run_all(given)), given)


def test_memory_grows_and_is_given_back(monkeypatch, plan):
    sizes, freed = [], []

    class Counted(HostBuffer):
        def __init__(self, nbytes):
            super().__init__(nbytes)
            sizes.append(nbytes)

        def free(self):
            freed.append(self)

    device = HostDevice()
    device.allocate = Counted
    on(monkeypatch, device)
    with session(plan) as made:
        assert sizes == [4 * WIDTH, 4 * WIDTH]  # of the input, and of the output that has one size
        for feeds in batches():
            made.run(feeds)
        assert sizes[2:] == [LEAST, LEAST, 32768, 32768]  # both of few, then both of all
        assert len(freed) == 2
    assert len(freed) == len(sizes)


def test_too_little_memory_is_one_line(monkeypatch, plan):
    class Small(HostDevice):
        def allocate(self, nbytes):
            if nbytes > 4 * WIDTH:
                raise UserError(f"out of device memory: {nbytes} bytes wanted. Lower max_batch_size.")
            return HostBuffer(nbytes)

    on(monkeypatch, Small())
    with session(plan) as made, pytest.raises(UserError, match="out of device memory: 32768 bytes wanted"):
        list(made.run_all(batches()))


def test_such_engines_are_timed_without_graphs(plan):
    with session(plan) as made:
        made.fill(next(batches()))
        (row,) = measure({"fp32": made}, 1, 0.01).values()
        assert row["latency_ms"]["p99"] > 0
        with pytest.raises(RuntimeError, match="the size of 'best' depends on values"):
            next(made.queries(1, graph=True))


def test_addresses_are_of_what_has_a_size_and_allocators_of_the_rest(plan):
    """As TensorRT takes it: an output has an address or an allocator, set before each batch is enqueued."""
    called = []

    class Spy:
        def __init__(self, context):
            self.context = context

        def __getattr__(self, name):
            told = getattr(self.context, name)
            if name not in ("set_tensor_address", "set_output_allocator", "execute_async_v3"):
                return told

            def call(*arguments):
                called.append((name, *arguments[:1]))
                return told(*arguments)

            return call

    with session(plan) as made:
        lane = made._lanes[0]
        lane.context = Spy(lane.context)
        made.run(next(batches()))
    assert sorted(called[:-1]) == [
        ("set_output_allocator", "best"),
        ("set_output_allocator", "order32"),
        ("set_tensor_address", "doubled"),
        ("set_tensor_address", "x"),
    ]
    assert called[-1] == ("execute_async_v3", 0)


def test_rows_of_two_precisions_are_not_held_against_each_other():
    """The numbers that INT8 finds positive may be more or fewer: losses are of tensors of one size alone."""

    def in_int8(trt_module, network):
        define(trt_module, network)
        for tensor in (network.get_input(0), *(network.get_layer(n).get_output(0) for n in range(network.num_layers))):
            tensor.set_dynamic_range(-127.0, 127.0)  # steps of 1: what is below a half is no longer positive

    few = {"x": np.linspace(-1, 1, WIDTH, dtype=np.float32)[None]}
    found = tensor_losses(trt, define, Precise(in_int8, None), [few], {}, explicit_batch=True)
    assert "doubled" in {loss.tensor for loss in found}
    assert not {"best", "chosen"} & {loss.tensor for loss in found}
