"""Plugins of TensorRT that end the process are refused with a message."""

import re

import numpy as np
import pytest
from onnx import TensorProto, helper

import trtflow.reference as trt
from trtflow.formats import UserError
from trtflow.runtime.build import build_plan

FIELDS = {
    "poolingH": 7,
    "poolingW": 7,
    "featureStride": 16,
    "preNmsTop": 20,
    "nmsMaxOut": 4,
    "anchorsRatioCount": 1,
    "anchorsScaleCount": 1,
    "iouThreshold": 0.7,
    "minBoxSize": 16.0,
    "spatialScale": 0.0625,
    "anchorsRatios": 1.0,
    "anchorsScales": 4.0,
}


def define(height, width):
    """Return the definition of an INT8 network of RPROI_TRT alone."""

    def network_of(trt, network):
        channels = {"score": 2, "delta": 4, "map": 8}
        inputs = [network.add_input(name, trt.float32, (count, height, width)) for name, count in channels.items()]
        inputs.append(network.add_input("info", trt.float32, (1, 1, 3)))
        arrays = {
            name: np.array([value], np.int32 if isinstance(value, int) else np.float32)
            for name, value in FIELDS.items()
        }
        kinds = {"int32": trt.PluginFieldType.INT32, "float32": trt.PluginFieldType.FLOAT32}
        fields = [trt.PluginField(name, array, kinds[array.dtype.name]) for name, array in arrays.items()]
        creator = trt.get_plugin_registry().get_plugin_creator("RPROI_TRT", "1", "")
        layer = network.add_plugin_v2(inputs, creator.create_plugin("roi", trt.PluginFieldCollection(fields)))
        for tensor in [*inputs, layer.get_output(0), layer.get_output(1)]:
            tensor.set_dynamic_range(-1, 1)
        network.mark_output(layer.get_output(0))
        network.mark_output(layer.get_output(1))

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
