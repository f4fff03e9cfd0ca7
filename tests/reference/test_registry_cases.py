"""The cases that TensorRT's own plugins are compared on, on the reference runtime alone."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper
from registry_cases import CASES, check, define, run

import trtflow.reference as trt
from trtflow.reference.lower.graph import Graph
from trtflow.runtime.build import build_plan

LARGEST_K = 3840  # of TensorRT's TopK


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case_runs_and_a_difference_is_noticed(case):
    outputs = run(trt, case)
    assert all(np.isfinite(output).all() for output in outputs)
    assert float(np.abs(outputs[0]).max()) > 0
    check(case, outputs, outputs)
    other = [outputs[0] + np.float32(0.1), *outputs[1:]]
    with pytest.raises(AssertionError):
        check(case, other, outputs)
    if case.plugin == "NMS_TRT":
        counts = np.asarray(outputs[1]).view(np.int32)
        assert 5 < counts.min() <= counts.max() <= 50
        with pytest.raises(AssertionError):
            check(case, [outputs[0], np.asarray(counts + 1, np.int32)], outputs)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_lowered_plugin_is_what_tensorrts_parser_takes(case):
    """TensorRT 8.6 passes over Shape's start and end, and refuses a TopK of more than 3,840."""
    model = onnx.load_from_string(build_plan(trt, define(case), "fp32", 2, explicit_batch=case.explicit))
    parser = trt.OnnxParser(trt.INetworkDefinition(1), trt.Logger(trt.Logger.INTERNAL_ERROR))
    assert parser.parse(model.SerializeToString()), parser.get_error(0)
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        assert node.op_type != "Shape" or not node.attribute
        assert node.op_type != "TopK" or stored[node.input[1]] <= LARGEST_K


def test_more_candidates_than_topk_takes_are_found_in_parts():
    random = np.random.default_rng(4)
    values = random.permutation(2 * 9000).reshape(2, 9000).astype(np.float32)
    values[:, ::3] = np.finfo(np.float32).min  # as small boxes have
    graph = Graph(implicit_batch=False)
    best, places = graph.largest("x", 8000)
    made = helper.make_graph(
        graph.nodes,
        "g",
        [helper.make_tensor_value_info("x", 1, values.shape)],
        [helper.make_tensor_value_info(best, 1, None), helper.make_tensor_value_info(places, 7, None)],
        list(graph.initializers.values()),
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    found, where = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": values})
    np.testing.assert_array_equal(found, -np.sort(-values)[:, :8000])
    np.testing.assert_array_equal(np.take_along_axis(values, where, 1), found)
    assert all(len(set(row)) == 8000 for row in where.tolist())
