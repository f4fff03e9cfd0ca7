"""Plans: deterministic, checked when loaded, and told layer by layer how long they take."""

import json

import numpy as np
import onnx
import pytest
from networks import build

import trtflow.reference as trt
from trtflow.reference.run.plan import KEY


def define(network, tensor):
    layer = network.add_convolution(tensor, 4, (3, 3), np.ones((4, 2, 3, 3), np.float32))
    layer.name = "conv"
    relu = network.add_activation(layer.get_output(0), trt.ActivationType.RELU)
    relu.name = "relu"
    softmax = network.add_softmax(relu.get_output(0))
    softmax.name = "prob"
    return softmax.get_output(0)


def load(plan):
    return trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan)


@pytest.fixture
def plan():
    return build(define, (2, 6, 6)).engine.serialize()


def test_same_network_gives_same_bytes(plan):
    assert plan == build(define, (2, 6, 6)).engine.serialize()


def test_engine_describes_its_bindings(plan):
    engine = load(plan)
    assert [engine.get_binding_name(index) for index in range(engine.num_bindings)] == ["x", "y"]
    assert [engine.binding_is_input(index) for index in range(2)] == [True, False]
    assert engine.get_binding_shape("y") == (4, 4, 4)
    assert engine.get_binding_index("nothing") == -1
    assert (engine.max_batch_size, engine.num_layers, engine.has_implicit_batch_dimension) == (4, 3, True)


@pytest.mark.parametrize("damage", [lambda plan: plan[: len(plan) // 2], lambda plan: b"", lambda plan: b"\xff" * 100])
def test_cut_off_plan_is_refused(plan, damage):
    with pytest.raises(trt.PlanError, match="not a plan of the reference runtime, or a damaged one"):
        load(damage(plan))


def test_flipped_weight_is_noticed(plan):
    model = onnx.load_from_string(plan)
    kernel = next(tensor for tensor in model.graph.initializer if "kernel" in tensor.name)
    kernel.raw_data = b"\x01" + kernel.raw_data[1:]
    with pytest.raises(trt.PlanError, match="checksum does not match"):
        load(model.SerializeToString())


def test_plan_of_another_version_is_refused(plan):
    model = onnx.load_from_string(plan)
    entry = next(entry for entry in model.metadata_props if entry.key == KEY)
    metadata = json.loads(entry.value)
    metadata["versions"]["onnxruntime"] = "0.1"
    entry.value = json.dumps(metadata)
    with pytest.raises(trt.PlanError, match=r"built with .*0\.1.* Build the engine again"):
        load(model.SerializeToString())


def test_batch_above_the_largest_is_refused(plan, capsys):
    context = load(plan).create_execution_context()
    assert not context.execute(5, [0, 0])
    assert "batch size 5, but the engine was built for 1 to 4" in capsys.readouterr().err


def test_profiler_reports_fused_layers_under_one_name():
    times = {}

    class Recorder(trt.IProfiler):
        def report_layer_time(self, layer_name, ms):
            times[layer_name] = ms

    session = build(define, (2, 6, 6))
    session.context.profiler = Recorder()
    result = session.run({"x": np.ones((1, 2, 6, 6), np.float32)})["y"]
    np.testing.assert_allclose(result, 0.25)
    assert set(times) - {"(reformat)"} == {"conv + relu", "prob"}
    assert all(ms > 0 for ms in times.values())
