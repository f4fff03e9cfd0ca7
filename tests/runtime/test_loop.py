"""The step loop: states stay on the device, rows of tables are chosen by pointer, names and sizes are checked.

What comes again is a CUDA graph where that can be.
"""

import time

import numpy as np
import pytest
from recorder import Recorder

import trtflow.reference as trt
from trtflow.formats import UserError
from trtflow.runtime.build import build_plan
from trtflow.runtime.loop import ALIGNMENT, LEAST_WARM_UP, TOGETHER, StepLoop, measure_steps
from trtflow.runtime.profile import layer_recorder
from trtflow.runtime.timing import BRIEF_QUERIES, LEAST_QUERIES

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


def recorded_loop(monkeypatch, engine, device, table=TABLE):
    monkeypatch.setattr("trtflow.runtime.loop.device_of", lambda module: device)
    return StepLoop(trt, device.engine(engine), {"sum_out": "sum_in"}, {"row": table})


def test_steps_that_come_again_are_recorded_once(engine, monkeypatch):
    device = Recorder()
    loop = recorded_loop(monkeypatch, engine, device)
    for step in range(1, 11):
        assert loop.step(outputs=["sum_out"])[0].tolist() == [(step * TABLE[0]).tolist()]
    assert (device.recorded, device.launched) == (2, 8)  # two, for states have two places each
    loop.choose("row", 1)
    for _ in range(4):
        loop.step()
    assert (device.recorded, device.launched) == (4, 10)
    np.testing.assert_array_equal(loop.read("sum_out"), [10 * TABLE[0] + 4 * TABLE[1]])
    loop.close()
    loop.close()
    assert device.freed == 4


def test_an_engine_that_cannot_be_recorded_runs_directly_for_good(engine, monkeypatch, caplog):
    device = Recorder(able=False)
    loop = recorded_loop(monkeypatch, engine, device)
    with caplog.at_level("DEBUG"):
        for _ in range(10):
            loop.step()
    np.testing.assert_array_equal(loop.read("sum_out"), [10 * TABLE[0]])
    assert [record.levelname for record in caplog.records] == ["DEBUG"]
    assert "not stream capturable" in caplog.text


def test_what_shall_not_be_recorded_is_not_tried(engine, monkeypatch):
    device = Recorder()
    monkeypatch.setattr("trtflow.runtime.loop.device_of", lambda module: device)
    loop = StepLoop(trt, device.engine(engine), {"sum_out": "sum_in"}, {"row": TABLE}, record=False)
    for _ in range(5):
        loop.step()
    assert device.recorded == 0


def test_a_profiled_step_is_no_graph_and_tells_its_layers(engine, monkeypatch):
    device = Recorder()
    loop = recorded_loop(monkeypatch, engine, device)
    for _ in range(6):
        loop.step()
    before, recorder = (device.recorded, device.launched), layer_recorder(trt)
    loop.profile(recorder)
    for step in range(7, 11):
        assert loop.step(outputs=["sum_out"])[0].tolist() == [(step * TABLE[0]).tolist()]
    assert (device.recorded, device.launched) == before
    assert "(Unnamed Layer* 0) [ElementWise]" in recorder.totals


def test_rows_of_a_large_table_are_not_recorded(engine, monkeypatch):
    device = Recorder()
    loop = recorded_loop(monkeypatch, engine, device, np.ones((33, 3), np.float32))
    for _ in range(6):
        loop.step()
    assert device.recorded == 0


def test_no_more_than_so_many_graphs(engine, monkeypatch):
    monkeypatch.setattr("trtflow.runtime.step_graphs.MOST", 2)
    device = Recorder()
    loop = recorded_loop(monkeypatch, engine, device)
    for row in (0, 0, 0, 0, 1, 1, 1, 1):
        loop.choose("row", row)
        loop.step()
    assert (device.recorded, device.launched) == (2, 2)
    np.testing.assert_array_equal(loop.read("sum_out"), [4 * TABLE.sum(axis=0)])


def test_inputs_and_outputs_of_a_step(engine, monkeypatch):
    device = Recorder()
    loop = recorded_loop(monkeypatch, engine, device)
    loop.fill("row", 2 * TABLE)
    assert loop.step({"sum_in": np.ones(3)}, ["twice", "sum_out"])[1].tolist() == [(1 + 2 * TABLE[0]).tolist()]
    for _ in range(6):
        twice, total = loop.step({"sum_in": TABLE[:1]}, ["twice", "sum_out"])
        np.testing.assert_array_equal(total, 3 * TABLE[:1])
        np.testing.assert_array_equal(twice, 6 * TABLE[:1])
    assert device.launched == 5


def test_parts_of_an_input_come_from_another_loop(engine):
    def define(trt_module, network):
        rows = network.add_input("rows", trt.float32, (3, 3))
        layer = network.add_reduce(rows, trt.ReduceOperation.SUM, 1, False)
        layer.get_output(0).name = "total"
        network.mark_output(layer.get_output(0))

    reader = StepLoop(trt, trt.Runtime(trt.Logger()).deserialize_cuda_engine(build_plan(trt, define, "fp32", 2)), {},
                      batch_size=2)  # fmt: skip
    loop = StepLoop(trt, engine, {"sum_out": "sum_in"}, batch_size=2, beside=reader)
    loop.write("row", TABLE)
    for place in (0, 2):
        loop.step()
        reader.lay("rows", place, loop, "sum_out")
    np.testing.assert_array_equal(reader.step(outputs=["total"])[0], 3 * TABLE)
    reader.clear("rows")
    np.testing.assert_array_equal(reader.step(outputs=["total"])[0], 0 * TABLE)
    alone = StepLoop(trt, engine, {}, batch_size=2)
    with pytest.raises(UserError, match="cannot become a part of input 'rows'"):
        reader.lay("rows", 0, alone, "sum_out")


@pytest.mark.parametrize("able", [True, False])
def test_runs_of_several_steps_keep_what_each_put_out(engine, monkeypatch, able):
    """Whatever is one graph, wherever the room for what is kept ends, and whichever place an output has at the time."""
    monkeypatch.setattr("trtflow.runtime.loop.KEPT", 7)
    device = Recorder(able=able)
    loop = recorded_loop(monkeypatch, engine, device)
    total = 0
    for counts in ((8, 3), (1, 1, 20), (8, 3), (8, 3), ()):
        for count in counts:
            loop.run(count, ["sum_out", "twice"])
        wanted = TABLE[0] * np.arange(total + 1, total + 1 + sum(counts))[:, np.newaxis, np.newaxis]
        np.testing.assert_array_equal(loop.kept("sum_out"), wanted)
        np.testing.assert_array_equal(loop.kept("twice"), 2 * wanted)
        total += sum(counts)
        if total:
            np.testing.assert_array_equal(loop.read("sum_out"), [total * TABLE[0]])
    loop.run(2)
    np.testing.assert_array_equal(loop.read("sum_out"), [(total + 2) * TABLE[0]])
    assert (device.recorded > 0) == able
    assert (device.launched > 0) == able


def test_several_steps_are_one_graph(engine, monkeypatch):
    device = Recorder()
    loop = recorded_loop(monkeypatch, engine, device)
    for _ in range(4):
        loop.run(2 * TOGETHER, ["twice"])
        assert len(loop.kept("twice")) == 2 * TOGETHER
    assert (device.recorded, device.launched) == (2, 2 * 3)  # the first time all is given directly
    np.testing.assert_array_equal(loop.read("sum_out"), [8 * TOGETHER * TABLE[0]])


def test_a_batch_that_the_engine_refuses(engine):
    with pytest.raises(UserError, match="batch of 3, but the engine takes at most 2"):
        StepLoop(trt, engine, {}, batch_size=3)


def test_steps_are_timed_in_turns():
    order = []
    found = measure_steps({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 0.01)
    assert order[:4] == ["a", "b", "a", "b"]
    assert set(found["a"]["latency_ms"]) == {"mean", "median", "p95", "p99"}
    assert found["b"]["throughput_per_s"] > 0


def test_steps_are_timed_three_times_where_that_will_do():
    done = []
    measure_steps({"a": lambda: done.append(time.sleep(0.01))}, 0.001, brief=True)
    assert len(done) == 1 + BRIEF_QUERIES


def test_steps_that_last_are_timed_ten_times_all_the_same():
    done = []
    measure_steps({"a": lambda: done.append(time.sleep(0.05))}, 0)
    assert len(done) >= LEAST_WARM_UP + LEAST_QUERIES
