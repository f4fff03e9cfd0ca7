"""Readers of models that need a framework: ONNX, PyTorch, TensorFlow, Keras, and the parsers of the reference."""

from __future__ import annotations

import io
import json
import os
import resource
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from format_readers import OLD, caffemodel, uff_graph
from readers import reader
from trial import Reader, place_of

from trtflow.formats import FormatError, UserError

MEMORY = 512 << 20  # of a session of ONNX Runtime or TensorFlow


def onnx_model() -> bytes:
    """Return a small network: convolution, ReLU, reshape, product, softmax."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = {
        "w": np.ones((2, 1, 3, 3), np.float32),
        "shape": np.array([0, -1], np.int64),
        "m": np.ones((72, 3), np.float32),
    }
    nodes = [
        helper.make_node(
            "Conv", ["x", "w"], ["c"], kernel_shape=[3, 3], strides=[1, 1], pads=[0, 0, 0, 0], name="conv"
        ),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Reshape", ["r", "shape"], ["f"]),
        helper.make_node("MatMul", ["f", "m"], ["l"]),
        helper.make_node("Softmax", ["l"], ["y"], axis=1),
    ]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "net",
        [info("x", TensorProto.FLOAT, [1, 1, 8, 8])],
        [info("y", TensorProto.FLOAT, [1, 3])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


@reader
def onnx_import() -> Reader:
    from trtflow.converters.model_file import import_model

    read = lambda path: import_model(path, path.parent / "out")  # noqa: E731
    return Reader("ONNX import", read, (onnx_model(),), "model.onnx", "protobuf")


@reader
def onnx_parser() -> Reader:
    import trtflow.reference as trt

    class Silent(trt.ILogger):
        def log(self, severity: Any, message: str) -> None:
            """Say nothing."""

    def read(path: Path) -> bool:
        logger = Silent()
        network = trt.Builder(logger).create_network(1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
        parser = trt.OnnxParser(network, logger)
        taken = parser.parse(path.read_bytes()) and parser.parse_from_file(str(path)) is not None
        texts = [parser.get_error(index).desc() for index in range(parser.num_errors)]
        for text in texts:
            str(text)
        return bool(taken)

    return Reader("ONNX parser", read, (onnx_model(),), "model.onnx", "protobuf", memory=MEMORY)


@reader
def caffe_parser() -> Reader:
    import trtflow.reference as trt

    deploy = b"""name: "net" input: "data" input_shape { dim: 1 dim: 3 dim: 8 dim: 8 }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 4 kernel_size: 3 bias_term: false } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "half" type: "Scale" bottom: "pool" top: "half" scale_param { axis: 1 } }
layer { name: "prob" type: "Softmax" bottom: "pool" top: "prob" }
"""

    def read(path: Path) -> object:
        network = trt.Builder(trt.Logger(trt.Logger.INTERNAL_ERROR)).create_network()
        with trt.raising():
            found = trt.CaffeParser().parse(str(path), str(path.with_name("net.caffemodel")), network, trt.float32)
        return [found.find(name).shape for name in ("conv", "prob") if found.find(name) is not None]

    def prepare(folder: Path) -> None:
        (folder / "net.caffemodel").write_bytes(caffemodel())

    words = [b'type: "LRN"', b'type: "Eltwise"', b"pad: 3", b"kernel_size:", b"stride_h: 0", b"global_pooling: true"]
    seeds = (deploy, deploy.replace(b"8", b"9"), OLD)
    return Reader("Caffe parser", read, seeds, "net.prototxt", "text", words, prepare=prepare)


@reader
def caffe_parser_weights() -> Reader:
    import trtflow.reference as trt

    def prepare(folder: Path) -> None:
        (folder / "net.prototxt").write_bytes(
            b'input: "data" input_shape { dim: 1 dim: 3 dim: 8 dim: 8 } layer { name: "conv" type: "Convolution" '
            b'bottom: "data" top: "conv" convolution_param { num_output: 4 kernel_size: 3 bias_term: false } } '
        )

    def read(path: Path) -> object:
        network = trt.Builder(trt.Logger()).create_network()
        with trt.raising():
            return trt.CaffeParser().parse(str(path.with_name("net.prototxt")), str(path), network, trt.float32)

    return Reader("Caffe parser: weights", read, (caffemodel(),), "net.caffemodel", "protobuf", prepare=prepare)


@reader
def uff_parser() -> Reader:
    import trtflow.reference as trt

    def read(path: Path) -> object:
        network = trt.Builder(trt.Logger()).create_network()
        parser = trt.UffParser()
        parser.register_input("in", (1, 8, 8))
        parser.register_output("flat")
        with trt.raising():
            return parser.parse(str(path), network)

    return Reader("UFF parser", read, (uff_graph(),), "model.uff", "protobuf")


@reader
def uff_import() -> Reader:
    from trtflow.converters.model_file import import_model

    read = lambda path: import_model(path, path.parent / "out")  # noqa: E731
    return Reader("UFF import", read, (uff_graph(),), "model.uff", "protobuf")


@reader
def caffe_import() -> Reader:
    from trtflow.converters.model_file import import_model

    def prepare(folder: Path) -> None:
        (folder / "net.caffemodel").write_bytes(caffemodel())

    read = lambda path: import_model(path, path.parent / "out")  # noqa: E731
    return Reader("Caffe import", read, (OLD,), "net.prototxt", "text", prepare=prepare)


@reader
def torch_checkpoint() -> Reader:
    import torch

    from trtflow.families.digits.network import LeNet, load_network

    torch.set_num_threads(1)

    def state() -> bytes:
        buffer = io.BytesIO()
        model = LeNet(torch.zeros(1, 28, 28), 1.0)
        small = {name: value for name, value in model.state_dict().items() if value.numel() < 1000}
        torch.save({"network": "lenet", "weights": small}, buffer)
        return buffer.getvalue()

    return Reader(
        "PyTorch checkpoint", load_network, (state(),), "model.pt", "zip", [b"data.pkl", b"data/0"], memory=MEMORY
    )


def _tensorflow() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    import tensorflow as tf

    return tf


def _checkpoint() -> dict[str, bytes]:
    """Return the files of a checkpoint of TensorFlow 1."""
    tf = _tensorflow()
    with tempfile.TemporaryDirectory() as folder, tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.get_variable("rnn/w", initializer=np.ones((2, 3), np.float32))
        tf.compat.v1.get_variable("rnn/b", initializer=np.ones(3, np.float32))
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver().save(session, f"{folder}/model", write_meta_graph=False)
        return {path.name: path.read_bytes() for path in Path(folder).glob("model.*")}


def _checkpoint_reader(name: str, suffix: str) -> Reader:
    from trtflow.converters.checkpoint import read_checkpoint

    files = _checkpoint()
    (file,) = (file for file in files if suffix in file)

    def prepare(folder: Path) -> None:
        for other, data in files.items():
            (folder / other).write_bytes(data)

    read = lambda path: read_checkpoint(path.with_name("model"))  # noqa: E731
    return Reader(name, read, (files[file],), file, "bytes", prepare=prepare, memory=MEMORY)


@reader
def checkpoint_index() -> Reader:
    return _checkpoint_reader("TensorFlow checkpoint: index", ".index")


@reader
def checkpoint_data() -> Reader:
    return _checkpoint_reader("TensorFlow checkpoint: data", ".data")


@reader
def keras_model() -> Reader:
    tf = _tensorflow()

    from trtflow.families.common.tensorflow import load_keras, save_keras

    def seed() -> bytes:
        model = tf.keras.Sequential([tf.keras.Input((2,)), tf.keras.layers.Dense(1)])
        with tempfile.TemporaryDirectory() as folder:
            save_keras(model, Path(folder) / "model.keras")
            return (Path(folder) / "model.keras").read_bytes()

    words = [b"config.json", b"metadata.json", b"model.weights.h5", b"Lambda", b"class_name"]
    return Reader("Keras model", load_keras, (seed(),), "model.keras", "zip", words, memory=MEMORY)


def _graph() -> bytes:
    """Return a frozen graph: convolution, bias, ReLU, pooling, reshape, product, softmax."""
    tf = _tensorflow()
    ones = lambda *shape: np.ones(shape, np.float32)  # noqa: E731
    with tf.Graph().as_default() as graph:
        data = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 1], name="in")
        conv = tf.nn.conv2d(data, tf.constant(ones(3, 3, 1, 2), name="w"), 1, "SAME", name="conv")
        relu = tf.nn.relu(tf.nn.bias_add(conv, tf.constant(ones(2), name="b")), name="relu")
        pool = tf.nn.max_pool2d(relu, 2, 2, "VALID", name="pool")
        flat = tf.reshape(pool, [-1, 32], name="flat")
        tf.nn.softmax(tf.matmul(flat, tf.constant(ones(32, 3), name="m")), name="out")
        return bytes(graph.as_graph_def().SerializeToString(deterministic=True))


def _converted(path: Path, passed: Callable[[], None]) -> dict[str, str]:
    """Do in this process what the project does with a frozen graph: its trial, then the conversion to UFF."""
    from trtflow.converters import try_graph
    from trtflow.converters.uff import from_tensorflow_frozen_model
    from trtflow.graphsurgeon import graph_file

    graph_file._try = lambda *_: None  # type: ignore[assignment]  # a process of its own is this one
    try:
        graph_file.read_graph_def(path)
        for attempt in (try_graph.known_ahead, try_graph.run):
            with suppress(Exception):
                attempt(try_graph.read(path))
        passed()
        from_tensorflow_frozen_model(path, ["out"], quiet=True)
    except UserError as error:
        return {"kind": "refused", "said": str(error)}
    except Exception as error:
        return {"kind": "raw", "said": f"{type(error).__name__}: {error} at {place_of(error)}"}
    return {"kind": "read", "said": ""}


def _in_child(path: Path) -> str:
    """Convert a graph in a copy of this process, which TensorFlow may end.

    Raises:
        FormatError: the graph is refused, or ends the process at its trial, as the project would say.
        RuntimeError: any other error, or an end after a trial that passed.
    """
    source, target = os.pipe()
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        found = _converted(path, lambda: void(os.write(target, b"\n")))
        os.write(target, json.dumps(found).encode())
        os._exit(0)
    os.close(target)
    with os.fdopen(source, "rb") as pipe:
        said = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    if not said.strip():
        if said:
            raise RuntimeError(f"the process ended after a trial that passed (status {status}) at conversion")
        raise FormatError(path, f"TensorFlow breaks down on it (status {status})")
    found = json.loads(said)
    if found["kind"] == "refused":
        raise FormatError(path, found["said"])
    if found["kind"] == "raw":
        raise RuntimeError(found["said"])
    return "UFF"


def void(_: object) -> None:
    """Return nothing."""


@reader
def frozen_graph() -> Reader:
    seed = _graph()  # in graph mode, without a session: threads would not survive the copy
    words = [
        b"Conv2D",
        b"Const",
        b"Reshape",
        b"StridedSlice",
        b"PartitionedCall",
        b"in",
        b"conv:1",
        b"^conv",
        b"_output_shapes",
    ]
    return Reader("frozen graph", _in_child, (seed,), "frozen.pb", "protobuf", words, memory=MEMORY)
