"""The step loop: states stay on the device, rows of tables are chosen by pointer, names and sizes are checked."""

import numpy as np
import pytest

import trtflow.reference as trt
from trtflow.formats import UserError
from trtflow.runtime.build import build_plan
from trtflow.runtime.loop import ALIGNMENT, StepLoop, measure_steps

TABLE = np.array([[1, 2, 3], [10, 20, 30]], np.float32)


@pytest.fixture(scope="module")
def engine():
    """sum_out = sum_in + row, and twice = 2 * sum_out."""

    def define(trt_module, network):
        row, total = (network.add_input(name, trt.float32, (3,)) for name in ("row", "sum_in"))
        added = network.add_elementwise(row, total, trt.ElementWiseOperation.SUM)
        twice = network.add_elementwise(added.get_output(0), added.get_output(0), trt.ElementWiseOperation.SUM)
        for layer, name in ((added, "sum_out"), (twice, "twice")):
            layer.get_output(0).name = name
            network.mark_output(layer.get_output(0))

    return trt.Runtime(trt.Logger()).deserialize_cuda_engine(build_plan(trt, define, "fp32", 2))


def test_outputs_become_inputs_and_rows_are_chosen(engine):
    loop = StepLoop(trt, engine, {"sum_out": "sum_in"}, {"row": TABLE})
    total = np.zeros(3)
    for row in (0, 1, 1, 0, 1):
        loop.choose("row", row)
        loop.step()
        total += TABLE[row]
        np.testing.assert_array_equal(loop.read("sum_out"), [total])
        np.testing.assert_array_equal(loop.read("twice"), [2 * total])
    loop.reset()
    loop.choose("row", 1)
    loop.step()
    np.testing.assert_array_equal(loop.read("sum_out"), TABLE[1:])


def test_nothing_is_copied_between_steps(engine, monkeypatch):
    loop = StepLoop(trt, engine, {"sum_out": "sum_in"}, {"row": TABLE})
    for name in ("copy_from", "upload", "download", "values"):
        monkeypatch.setattr(f"trtflow.runtime.devices.HostBuffer.{name}", lambda *_: pytest.fail("a copy"))
    for _ in range(3):
        loop.choose("row", 1)
        loop.step()


def test_rows_are_as_far_apart_as_tensorrt_wants(engine, monkeypatch):
    loop = StepLoop(trt, engine, {"sum_out": "sum_in"}, {"row": TABLE})
    seen = []
    monkeypatch.setattr(loop.context, "execute_async", lambda batch, bindings, stream: seen.append(list(bindings)) or 1)
    for row in (1, 0):
        loop.choose("row", row)
        loop.step()
    place = engine.get_binding_index("row")
    assert seen[0][place] - seen[1][place] == ALIGNMENT


def test_inputs_from_the_host_and_a_batch(engine):
    loop = StepLoop(trt, engine, {"sum_out": "sum_in"}, batch_size=2)
    loop.write("row", TABLE)
    loop.step()
    loop.step()
    np.testing.assert_array_equal(loop.read("sum_out"), 2 * TABLE)
    loop.write("sum_in", TABLE)
    loop.step()
    np.testing.assert_array_equal(loop.read("sum_out"), 2 * TABLE)


@pytest.mark.parametrize(
    ("feedback", "tables", "fault"),
    [
        ({"sum": "sum_in"}, {}, "no binding 'sum'"),
        ({"sum_out": "sum_in"}, {"rows": TABLE}, "no binding 'rows'"),
        ({"sum_out": "sum_in"}, {"row": TABLE[:, :2]}, r"rows of a table \(2, 2\)"),
    ],
)
def test_what_does_not_fit(engine, feedback, tables, fault):
    with pytest.raises(UserError, match=fault):
        StepLoop(trt, engine, feedback, tables)


def test_feedback_of_another_shape():
    def define(trt_module, network):
        value = network.add_input("x", trt.float32, (3,))
        layer = network.add_reduce(value, trt.ReduceOperation.SUM, 1, True)
        layer.get_output(0).name = "y"
        network.mark_output(layer.get_output(0))

    engine = trt.Runtime(trt.Logger()).deserialize_cuda_engine(build_plan(trt, define, "fp32", 1))
    with pytest.raises(UserError, match="output 'y' cannot become input 'x'"):
        StepLoop(trt, engine, {"y": "x"})


def test_a_batch_that_the_engine_refuses(engine):
    loop = StepLoop(trt, engine, {}, batch_size=3)
    with pytest.raises(UserError, match="could not run"):
        loop.step()


def test_steps_are_timed_in_turns():
    order = []
    found = measure_steps({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 0.01)
    assert order[:4] == ["a", "b", "a", "b"]
    assert set(found["a"]["latency_ms"]) == {"mean", "median", "p95", "p99"}
    assert found["b"]["throughput_per_s"] > 0
