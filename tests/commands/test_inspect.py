"""trtflow inspect tells of each form what other programs say of the same file."""

from __future__ import annotations

import json
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

import trtflow.reference as trt
from trtflow.__main__ import main
from trtflow.formats import FormatError, UserError
from trtflow.formats.caffe import NetParameter, array_to_blob, read_prototxt, write_caffemodel
from trtflow.formats.calibration_table import CalibrationTable, write_table
from trtflow.formats.darknet import Header, read_layers, shapes_of, write_weights
from trtflow.formats.wts import write_wts, write_wts2
from trtflow.inspection import describe

PROTOTXT = """
name: "small"
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 19 dim: 17 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 6 kernel_size: 3 stride: 2 pad: 1 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { kernel_size: 3 stride: 2 } }
layer { name: "side" type: "Convolution" bottom: "pool" top: "side"
  convolution_param { num_output: 4 kernel_size: 1 group: 2 bias_term: false } }
layer { name: "join" type: "Concat" bottom: "pool" bottom: "side" top: "join" }
layer { name: "up" type: "Deconvolution" bottom: "join" top: "up"
  convolution_param { num_output: 5 kernel_size: 4 stride: 2 pad: 1 } }
layer { name: "ip" type: "InnerProduct" bottom: "up" top: "ip" inner_product_param { num_output: 7 } }
layer { name: "train" type: "ReLU" bottom: "ip" include { phase: TRAIN } top: "ip" }
layer { name: "prob" type: "Softmax" bottom: "ip" top: "prob" }
"""
BLOBS = {
    "conv": ((6, 3, 3, 3), (6,)),
    "side": ((4, 3, 1, 1),),
    "up": ((10, 5, 4, 4), (5,)),
    "ip": ((7, 5 * 10 * 8), (7,)),
}
CFG = """
[net]
batch=4
height=32
width=48
channels=3

[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=leaky

[maxpool]
size=2
stride=2

[convolutional]
filters=18
size=1
stride=1
pad=1
activation=linear

[yolo]
mask=0,1,2
anchors=10,14, 23,27, 37,58
classes=1
num=3

[route]
layers=-4

[upsample]
stride=2

[convolutional]
filters=18
size=1
stride=1
pad=1
activation=linear

[yolo]
mask=0,1,2
anchors=10,14, 23,27, 37,58
classes=1
num=3
"""


def outputs_of(description):
    return {layer.name: layer.outputs[0].shape for layer in description.layers}


@pytest.fixture
def caffe(tmp_path: Path) -> Path:
    """The prototxt, with random weights beside it."""
    path = tmp_path / "small.prototxt"
    path.write_text(PROTOTXT)
    random, net = np.random.default_rng(0), NetParameter()
    net.CopyFrom(read_prototxt(path))
    for layer in net.layer:
        layer.blobs.extend(array_to_blob(random.random(shape, np.float32)) for shape in BLOBS.get(layer.name, ()))
    write_caffemodel(net, path.with_suffix(".caffemodel"))
    return path


def test_caffe_has_opencvs_shapes_with_weights_or_without(caffe: Path) -> None:
    net = cv2.dnn.readNetFromCaffe(str(caffe), str(caffe.with_suffix(".caffemodel")))
    net.setInput(np.zeros((2, 3, 19, 17), np.float32), "data")
    found = describe(caffe)
    assert [(tensor.name, tensor.shape) for tensor in found.inputs] == [("data", [2, 3, 19, 17])]
    assert [tensor.name for tensor in found.outputs] == ["prob"]
    assert [layer.name for layer in found.layers] == ["conv", "relu", "pool", "side", "join", "up", "ip", "prob"]
    for name, shape in outputs_of(found).items():
        assert shape == list(net.forward(name).shape), name
    counts = {name: sum(int(np.prod(shape)) for shape in shapes) for name, shapes in BLOBS.items()}
    assert {layer.name: layer.weights for layer in found.layers if layer.weights} == counts
    caffe.with_suffix(".caffemodel").rename(caffe.with_name("other.caffemodel"))
    alone = describe(caffe)
    assert alone.layers == found.layers
    assert "weights from" not in alone.facts
    assert describe(caffe.with_name("other.caffemodel"), caffe).layers == found.layers


def test_caffemodel_alone_says_what_is_missing(caffe: Path) -> None:
    caffe.unlink()
    found = describe(caffe.with_suffix(".caffemodel"))
    assert {layer.name: layer.weights for layer in found.layers}["ip"] == 7 * 400 + 7
    assert found.layers[1].outputs[0].shape is None
    assert "shapes stand in the prototxt" in found.notes[0]


def test_layer_that_is_refused_is_a_note_and_the_rest_is_listed(caffe: Path) -> None:
    caffe.write_text(PROTOTXT.replace('"Concat"', '"Python"'))
    found = describe(caffe)
    assert outputs_of(found)["side"] == [2, 4, 5, 4]
    assert outputs_of(found)["join"] is outputs_of(found)["prob"] is None
    assert "no shapes from here on: layer 'join': unknown type 'Python'" in found.notes[0]
    assert "?" in found.to_text()


def test_darknet_has_opencvs_shapes(tmp_path: Path) -> None:
    cfg, weights = tmp_path / "small.cfg", tmp_path / "small.weights"
    cfg.write_text(CFG)
    layers, random = read_layers(cfg), np.random.default_rng(0)
    values = {
        layer.index: {name: random.random(shape, np.float32) for name, shape in shapes_of(layer).items()}
        for layer in layers
        if shapes_of(layer)
    }
    write_weights(weights, Header(seen=640), layers, values)
    net = cv2.dnn.readNetFromDarknet(str(cfg), str(weights))
    net.setInput(np.zeros((1, 3, 32, 48), np.float32))
    found = describe(cfg)
    shapes = outputs_of(found)
    named = {"001_convolutional": "bn_0", "002_maxpool": "pool_1", "003_convolutional": "conv_2"}
    for ours, theirs in (named | {"006_upsample": "upsample_5", "007_convolutional": "conv_6"}).items():
        assert shapes[ours][1:] == list(net.forward(theirs).shape)[1:], ours
    assert [tensor.name for tensor in found.outputs] == ["004_yolo", "008_yolo"]
    count = sum(array.size for arrays in values.values() for array in arrays.values())
    assert sum(layer.weights for layer in found.layers) == count == (weights.stat().st_size - 20) // 4
    assert found.facts == {"weights from": "small.weights", "pictures seen": 640}
    assert describe(weights).layers == found.layers
    cfg.unlink()
    alone = describe(weights)
    assert alone.facts == {"version": "0.2.0", "pictures seen": 640}
    assert "layers stand in the cfg" in alone.notes[0]


def onnx_model(path: Path) -> Path:
    """A convolution with Q/DQ in front, a domain of somebody's, and shapes that the file does not state."""
    random = np.random.default_rng(0)
    constants = {
        "k": random.random((4, 3, 3, 3), np.float32),
        "scale": np.float32(0.1),
        "zero": np.int8(0),
        "sizes": np.array([0, -1]),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"], name="dequantise"),
        helper.make_node("Conv", ["d", "k"], ["c"], name="conv", pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Reshape", ["c", "sizes"], ["r"], name="flat"),
        helper.make_node("ArgMax", ["r"], ["best"], name="best", axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 8, 6])],
        [helper.make_tensor_value_info("best", TensorProto.INT64, None)],
        [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="somebody")
    model.ir_version = 8
    onnx.save(model, path)
    return path


def test_onnx_has_onnx_runtimes_shapes_and_types(tmp_path: Path) -> None:
    path = onnx_model(tmp_path / "model.onnx")
    found = describe(path)
    model = onnx.load(path)
    del model.graph.output[:]
    names = ("q", "d", "c", "r", "best")
    model.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    values = dict(zip(names, session.run(None, {"x": np.zeros((5, 3, 8, 6), np.float32)}), strict=True))
    for layer in found.layers:
        (tensor,) = layer.outputs
        said = values[tensor.name]
        assert tensor.dtype == said.dtype.name
        assert [5 if size == "N" else size for size in tensor.shape] == list(said.shape), layer.name
    precisions = {layer.name: layer.precision for layer in found.layers}
    expected = {"QuantizeLinear_0": "int8", "dequantise": "float32", "conv": "int8", "flat": "float32", "best": "int64"}
    assert precisions == expected
    assert {layer.name: layer.weights for layer in found.layers}["conv"] == 108
    assert found.facts == {"opset": "17", "IR": 8, "by": "somebody"}


def test_sizes_that_onnx_has_no_name_for(tmp_path: Path) -> None:
    """ONNX calls them unk__0 …, tf2onnx too: they stand as d1 …, but for names that the model has."""
    nodes = [
        helper.make_node("NonZero", ["x"], ["places"]),
        helper.make_node("Cast", ["places"], ["y"], to=TensorProto.FLOAT),
        helper.make_node("NonZero", ["y"], ["z"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["d1", "unk__417"])],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in (("y", 1), ("z", 7))],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), tmp_path / "m.onnx")
    described = describe(tmp_path / "m.onnx")
    assert described.inputs[0].shape == ["d1", "d2"]
    (first, second, third) = [layer.outputs[0].shape for layer in described.layers]
    assert first is not None
    assert first[0] == 2
    assert first == second
    assert third is not None
    assert third[1] not in (first[1], "d1", "d2")
    assert "unk__" not in described.to_text()
    assert described.notes == ["d2 to d4: dynamic, known only when the model runs; the model has no name for them"]


def test_operator_of_another_domain_has_its_name_and_no_shape(tmp_path: Path) -> None:
    path = onnx_model(tmp_path / "model.onnx")
    model = onnx.load(path)
    model.graph.node[2].op_type, model.graph.node[2].domain = "Mine", "some.body"
    model.opset_import.add(domain="some.body", version=1)
    onnx.save(model, path)
    found = {layer.name: layer for layer in describe(path).layers}
    assert found["conv"].type == "some.body::Mine"
    assert found["conv"].outputs[0].shape is None


def test_frozen_graph_and_uff_have_tensorflows_shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf  # noqa: PLC0415 - takes seconds

    from trtflow.converters.uff import from_tensorflow  # noqa: PLC0415

    # another process tries each graph first, which tests/converters/test_damaged_graphs.py is about
    monkeypatch.setattr("trtflow.graphsurgeon.graph_file._try", lambda path, digest: None)
    v1, random = tf.compat.v1, np.random.default_rng(0)
    with tf.Graph().as_default() as graph:
        data = v1.placeholder(tf.float32, (None, 9, 7, 3), name="in")
        kernel = tf.constant(random.random((3, 3, 3, 4), np.float32), name="kernel")
        conv = v1.nn.conv2d(data, tf.identity(kernel, "kernel/read"), 2, "SAME", name="conv")
        pool = v1.nn.max_pool2d(tf.nn.relu(conv, "relu"), 2, 1, "VALID", name="pool")
        weights = tf.constant(random.random((48, 5), np.float32), name="weights")
        tf.nn.softmax(tf.matmul(tf.reshape(pool, [-1, 48]), weights, name="scores"), name="out")
    (tmp_path / "model.pb").write_bytes(graph.as_graph_def().SerializeToString())
    found = {layer.name: layer for layer in describe(tmp_path / "model.pb").layers}
    for name in ("conv", "relu", "pool", "scores", "out"):
        shape = graph.get_tensor_by_name(f"{name}:0").shape
        assert found[name].outputs[0].shape == [-1 if size is None else size for size in shape], name
    assert (found["conv"].weights, found["scores"].weights) == (108, 240)
    assert "kernel/read" not in found
    (tmp_path / "model.uff").write_bytes(from_tensorflow(graph.as_graph_def(), ["out"], quiet=True))
    uff = describe(tmp_path / "model.uff")
    shapes = outputs_of(uff)
    for name in ("conv", "relu", "pool"):
        _, height, width, channels = found[name].outputs[0].shape
        assert shapes[name] == ["N", channels, height, width], name
    assert {layer.name: layer.weights for layer in uff.layers}["conv"] == 108
    assert [tensor.name for tensor in uff.outputs] == ["out"]
    main(["inspect", str(tmp_path / "model.uff")])


def make_plan(path: Path, detailed: bool = True) -> Path:
    """An engine of two convolutions, one in INT8 by ranges, one in FP16."""
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    network, config = builder.create_network(1), builder.create_builder_config()
    config.set_flag(trt.BuilderFlag.INT8)
    config.set_flag(trt.BuilderFlag.FP16)
    config.profiling_verbosity = getattr(trt.ProfilingVerbosity, "DETAILED" if detailed else "LAYER_NAMES_ONLY")
    tensor = network.add_input("x", trt.float32, (1, 3, 8, 8))
    tensor.set_dynamic_range(-1, 1)
    for name, precision in (("first", trt.int8), ("second", trt.float16)):
        channels = tensor.shape[1]
        layer = network.add_convolution_nd(tensor, 4, (3, 3), np.ones((4, channels, 3, 3), np.float32))
        layer.name, layer.precision, tensor = name, precision, layer.get_output(0)
        tensor.set_dynamic_range(-1, 1)
    tensor.name = "y"
    network.mark_output(tensor)
    path.write_bytes(builder.build_serialized_network(network, config))
    return path


def test_plan_has_what_it_was_built_with(tmp_path: Path) -> None:
    found = describe(make_plan(tmp_path / "engine.plan"))
    assert [(tensor.name, tensor.dtype, tensor.shape) for tensor in found.inputs] == [("x", "float32", [1, 3, 8, 8])]
    assert [(tensor.name, tensor.shape) for tensor in found.outputs] == [("y", [1, 4, 4, 4])]
    assert [(layer.name, layer.precision) for layer in found.layers] == [("first", "int8"), ("second", "float16")]
    assert outputs_of(found) == {"first": [1, 4, 6, 6], "second": [1, 4, 4, 4]}
    bare = describe(make_plan(tmp_path / "names.plan", detailed=False))
    assert [(layer.name, layer.outputs) for layer in bare.layers] == [("first", []), ("second", [])]
    assert "built to tell names of layers alone" in bare.notes[0]


def test_tables_ranges_and_weights_are_known_by_their_beginning(tmp_path: Path) -> None:
    scales = {"data": np.float32(0.5), "a: b": np.float32(2)}
    write_table(tmp_path / "CalibrationTable", CalibrationTable("8502", "MinMaxCalibration", scales))
    found = describe(tmp_path / "CalibrationTable")
    assert [(entry.tensor, entry.scale, entry.range) for entry in found.ranges] == [
        ("data", 0.5, 63.5),
        ("a: b", 2, 254),
    ]
    assert found.facts == {"algorithm": "MinMaxCalibration", "TensorRT": "8502"}
    write_table(tmp_path / "legacy", CalibrationTable("0", "LegacyCalibration", scales))
    assert describe(tmp_path / "legacy").facts["quantile"] == "0.9999"
    for encoding in ("utf-8", "utf-16"):
        (tmp_path / "ranges.txt").write_text("data:127\nconv1/x:12.7\n", encoding)
        assert [entry.scale for entry in describe(tmp_path / "ranges.txt").ranges] == [1, pytest.approx(0.1)]
    blobs = {"kernel": np.zeros((2, 3), np.float16), "bias": np.zeros(2, np.float32)}
    for write, shape in ((write_wts, [6]), (write_wts2, [2, 3])):
        for name in ("model.wts", "weights of somebody"):
            write(tmp_path / name, blobs)
            first = describe(tmp_path / name).blobs[0]
            assert (first.name, first.dtype, first.shape) == ("kernel", "float16", shape)


def test_json_has_what_the_text_has(caffe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["inspect", str(caffe), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told == describe(caffe).to_json()
    assert set(told) == {
        *("schema", "file", "form", "facts", "inputs", "outputs", "layers", "ranges", "blobs", "notes"),
    }
    main(["inspect", str(caffe)])
    text = capsys.readouterr().out
    for layer in told["layers"]:
        shape = "x".join(map(str, layer["outputs"][0]["shape"]))
        line = next(line.split() for line in text.splitlines() if line.split()[1:2] == [layer["name"]])
        assert line[2:5] == [layer["type"], shape, "float32"]
    assert text.endswith("8 layers, 3,792 weights\n")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.onnx", b"\xff" * 40, "model.onnx: not an ONNX model, or a damaged one. Export"),
        ("model.onnx", b"", "model.onnx: not an ONNX model, or a damaged one: it has no nodes"),
        ("model.uff", b"\xff" * 40, "model.uff: cut off or damaged"),
        (
            "saved_model.pb",
            b"",
            "saved_model.pb: a SavedModel and not a frozen graph. Freeze it: python scripts/freeze",
        ),
        ("model.prototxt", b"layer { nam: 1 }", "model.prototxt: not a Caffe network, line:column 1:"),
        ("model.cfg", b"[net]\nwidth=0\n", "model.cfg: line 1, .net.: "),
        ("model.weights", b"\0\0", "model.weights: too short: its 2 bytes hold no header"),
        (
            "engine.plan",
            b"ftrt" + b"\0" * 40,
            "engine.plan: an engine of NVIDIA's TensorRT, which only the version that",
        ),
        ("engine.plan", b"\0" * 40, "engine.plan: not a plan of the reference runtime, or a damaged one. Build"),
        ("model.h5", b"\x89HDF", "model.h5: of no form that is known: it ends in .h5 and begins with b'.x89HDF'"),
        ("Table", b"TRT-8600-EntropyCalibration2\ndata: xyz\n", "Table: line 2: 'data: xyz' is not <tensor>: <hex"),
        ("empty", b"", "empty: of no form that is known: it ends in nothing"),
    ],
)
def test_damaged_files_are_one_clear_error(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FormatError, match=message):
        describe(tmp_path / name)


def test_files_that_are_not_there(tmp_path: Path, caffe: Path) -> None:
    for arguments in ((tmp_path / "no.onnx",), (caffe, tmp_path / "no.caffemodel")):
        with pytest.raises(FileNotFoundError) as raised:
            describe(*arguments)
        assert "no." in str(raised.value.filename)
    with pytest.raises(UserError, match="a ONNX file has no other beside it"):
        describe(onnx_model(tmp_path / "model.onnx"), caffe)
