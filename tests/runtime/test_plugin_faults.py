"""Plugins of TensorRT that end the process are refused with a message."""

import re

import pytest
import registry_cases
from onnx import TensorProto, helper

import trtflow.reference as trt
from trtflow.formats import UserError
from trtflow.runtime.build import build_plan


def define(height, width):
    """Return the definition of an INT8 network of RPROI_TRT alone."""
    define_case = registry_cases.define(registry_cases.rproi("roi", 1, (height, width), 8))

    def network_of(trt, network):
        define_case(trt, network)
        layer = network.get_layer(0)
        for tensor in [*(layer.get_input(index) for index in range(4)), layer.get_output(0), layer.get_output(1)]:
            tensor.set_dynamic_range(-1, 1)

    return network_of


def test_nodes_of_an_onnx_model_which_no_plugin_is_are_let_through():
    node = helper.make_node("Celu", ["x"], ["y"])
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "xy"]
    graph = helper.make_graph([node], "graph", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)

    def parse(trt, network):
        assert trt.OnnxParser(network, trt.Logger()).parse(model.SerializeToString())
        assert network.get_layer(0).type == trt.LayerType.PLUGIN_V2
        for tensor in (network.get_input(0), network.get_output(0)):
            tensor.set_dynamic_range(-1, 1)

    assert build_plan(trt, parse, "int8", 1, explicit_batch=True)


def test_a_map_whose_cells_are_no_multiple_of_4_is_refused_in_int8_alone():
    for size, precision in (((19, 19), "fp32"), ((19, 19), "fp16"), ((19, 20), "int8")):
        assert build_plan(trt, define(*size), precision, 1)
    with pytest.raises(UserError, match=re.escape("INT8 map of 19 x 19 cells")):
        build_plan(trt, define(19, 19), "int8", 1)
