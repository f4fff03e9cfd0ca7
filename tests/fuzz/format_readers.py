"""Readers of trtflow.formats."""

from __future__ import annotations

import gzip
import hashlib
import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from readers import reader
from trial import Reader

from trtflow.formats import (
    arrays,
    batch_file,
    calibration_table,
    checksums,
    dynamic_ranges,
    files,
    idx,
    netpbm,
    nmt_weights,
    skeleton,
    wts,
)
from trtflow.formats.caffe import (
    NetParameter,
    array_to_blob,
    convert_faster_rcnn_prototxt,
    convert_ssd_prototxt,
    network_inputs,
    read_binaryproto,
    read_caffemodel,
    read_prototxt,
    write_binaryproto,
    write_caffemodel,
)
from trtflow.formats.darknet.layers import read_layers
from trtflow.formats.darknet.weights import Header, read_weights, shapes_of, write_weights
from trtflow.formats.uff import MetaGraph, blob_of, data_of, orders_key, read_uff, serialized, to_text
from trtflow.formats.uff.old_types import renumber_types

RNG = np.random.default_rng(0)
SSD = b"""name: "ssd"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 300 dim: 300 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "loc" param { lr_mult: 1 decay_mult: 0.5 }
        convolution_param { num_output: 16 pad: 1 kernel_size: 3 stride: 2 weight_filler { type: "xavier" } } }
layer { name: "loc_perm" type: "Permute" bottom: "loc" top: "loc_perm" permute_param { order: 0 order: 2 } }
layer { name: "loc_flat" type: "Flatten" bottom: "loc_perm" top: "loc_flat" flatten_param { axis: 1 } }
layer { name: "detection_out" type: "DetectionOutput" bottom: "loc_flat" top: "detection_out"
        include { phase: TEST } detection_output_param { num_classes: 21 nms_param { nms_threshold: 0.45 } } }
"""
OLD = b"""input: "data" input_dim: 1 input_dim: 3 input_dim: 28 input_dim: 28
layers { name: "conv1" type: CONVOLUTION bottom: "data" top: "conv1" blobs_lr: 1 weight_decay: 1 param: "shared"
         convolution_param { num_output: 20 kernel_size: 5 } }
layers { name: "pool1" type: POOLING bottom: "conv1" top: "pool1" pooling_param { pool: MAX kernel_size: 2 } }
"""
RPN = b"""input: "data" input_shape { dim: 1 dim: 3 dim: 224 dim: 224 } input: "im_info" input_shape { dim: 1 dim: 3 }
layer { name: "l0" type: "Convolution" bottom: "data" top: "l0" convolution_param { kernel_size: 7 stride: 2 pad: 3 } }
layer { name: "l1" type: "Pooling" bottom: "l0" top: "l1" pooling_param { kernel_size: 3 stride: 2 } }
layer { name: "score" type: "Convolution" bottom: "l1" top: "score" convolution_param { kernel_size: 1 } }
layer { name: "proposal" type: "Python" bottom: "score" bottom: "delta" bottom: "im_info" top: "rois"
        python_param { module: "proposal" param_str: "'feat_stride': 16 \\n'scales': !!python/tuple [4, 8]" } }
layer { name: "pool5" type: "ROIPooling" bottom: "l1" bottom: "rois" top: "pool5" roi_pooling_param { pooled_w: 6 } }
layer { name: "drop6" type: "Dropout" bottom: "pool5" top: "pool5" dropout_param { scale_train: false } }
"""
CFG = b"""[net]
# Testing
batch=1
width=32
height=32
channels=3
[convolutional]
batch_normalize=1
filters=8
size=3
stride=1
pad=1
activation=leaky
[maxpool]
size=2
stride=2
[convolutional]
filters=8
size=1
activation=linear
[shortcut]
from=-2
activation=linear
[route]
layers=-1,-3
groups=1
[upsample]
stride=2
[connected]
output=18
activation=logistic
[reorg]
stride=1
[yolo]
mask = 0,1,2
anchors = 10,14, 23,27, 37,58
classes=1
num=3
jitter=.3
"""


def written(write: Callable[[Path], object], name: str = "file") -> bytes:
    """Return the bytes of a file that a function writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path)
        return path.read_bytes()


def caffemodel() -> bytes:
    """Return weights in several of the forms that they are stored in."""
    net = NetParameter(name="net")
    net.layer.add(name="conv", type="Convolution").blobs.append(array_to_blob(RNG.normal(size=(4, 3, 3, 3))))
    old = net.layer.add(name="fc", type="InnerProduct").blobs.add(num=1, channels=1, height=2, width=3)
    old.data.extend([1, 2, 3, 4, 5, 6])
    raw = net.layer.add(name="half", type="Scale").blobs.add(raw_data=b"\0<\0\xbc", raw_data_type=2)
    raw.shape.dim.append(2)
    double = net.layer.add(name="double", type="Scale").blobs.add(double_data=[0.5, 1.5])
    double.shape.dim.append(2)
    return written(lambda path: write_caffemodel(net, path))


def old_caffemodel() -> bytes:
    """Return weights in the format of 2014."""
    net = NetParameter(name="net")
    layer = net.layers.add(name="conv", type=4, bottom=["data"], top=["conv"])
    layer.blobs.add(num=1, channels=1, height=1, width=2).data.extend([1, 2])
    return written(lambda path: write_caffemodel(net, path))


@reader
def prototxt() -> Reader:
    words = [
        b"layer {",
        b"layers {",
        b"}",
        b"dim:",
        b"input_dim:",
        b"include { phase: TRAIN }",
        b"param_str:",
        b"<",
        b">",
    ]
    return Reader("prototxt", read_prototxt, (SSD, OLD, RPN), "deploy.prototxt", "text", words)


@reader
def prototxt_inputs() -> Reader:
    return Reader("prototxt: inputs", lambda path: network_inputs(read_prototxt(path)), (SSD, OLD, RPN), form="text")


@reader
def ssd_prototxt() -> Reader:
    return Reader("prototxt of SSD", lambda path: convert_ssd_prototxt(read_prototxt(path)), (SSD,), form="text")


@reader
def faster_rcnn_prototxt() -> Reader:
    words = [b"'scales':", b"'ratios': [0.5]", b"!!python/tuple", b"((((", b"param_str: '", b"**", b"-", b"kernel_h: 3"]
    read = lambda path: convert_faster_rcnn_prototxt(read_prototxt(path))  # noqa: E731
    return Reader("prototxt of Faster R-CNN", read, (RPN,), form="text", words=words)


@reader
def caffe_weights() -> Reader:
    return Reader("caffemodel", read_caffemodel, (caffemodel(), old_caffemodel()), form="protobuf")


@reader
def binaryproto() -> Reader:
    seed = written(lambda path: write_binaryproto(RNG.normal(size=(1, 3, 4, 5)).astype(np.float32), path))
    return Reader("binaryproto", read_binaryproto, (seed,), form="protobuf")


def uff_graph() -> bytes:
    """Return a UFF graph of an input, a convolution, an activation and an output."""
    uff = MetaGraph(version=1, descriptor_core_version=2)
    main = uff.graphs.add(id="main")

    def add(name: str, operation: str, inputs: list[str], **fields: object) -> None:
        node = main.nodes.add(id=name, operation=operation, inputs=inputs)
        for key, value in fields.items():
            node.fields[key].CopyFrom(data_of(value))

    kernel = RNG.normal(size=(3, 3, 1, 2)).astype(np.float32)
    orders = orders_key(uff, ("N+C", "+CK"))
    add("in", "Input", [], dtype=np.dtype("<f4"), shape=[-1, 8, 8, 1])
    add("w", "Const", [], dtype=np.dtype("<f4"), shape=[3, 3, 1, 2], values=blob_of(uff, "w", kernel))
    add("conv", "Conv", ["in", "w"], strides=[1, 1], inputs_orders=orders, padding=[0, 0], dilation=[1, 1])
    add("relu", "Activation", ["conv"], func="relu")
    add("pool", "Pool", ["relu"], func="max", kernel=[2, 2], strides=[2, 2], inputs_orders=orders_key(uff, ("N+C",)))
    add("flat", "Flatten", ["pool"], axis=1)
    add("out", "MarkOutput", ["flat"])
    return serialized(uff)


@reader
def uff() -> Reader:
    def read(path: Path) -> str:
        graph = read_uff(path)
        renumber_types(graph, path)
        return to_text(graph)

    return Reader("UFF", read, (uff_graph(),), "model.uff", "protobuf")


@reader
def darknet_cfg() -> Reader:
    words = [b"num=9", b"layers=", b"from=", b"groups=", b"[yolo]", b"[local]", b"[region]", b"[detection]", b"side=7"]
    return Reader("Darknet cfg", read_layers, (CFG,), "net.cfg", "text", words)


@reader
def darknet_weights() -> Reader:
    folder = written(lambda path: path.write_bytes(CFG))
    layers = _layers(folder)
    values = {
        layer.index: {name: np.zeros(shape, np.float32) for name, shape in found.items()}
        for layer in layers
        if (found := shapes_of(layer))
    }
    seeds = [
        written(lambda path, header=header: write_weights(path, header, layers, values))
        for header in (Header(), Header(0, 1), Header(1001))
    ]
    return Reader("Darknet weights", lambda path: read_weights(path, layers), seeds, "net.weights")


def _layers(cfg: bytes) -> list:
    small = cfg.replace(b"width=32", b"width=8").replace(b"height=32", b"height=8")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.cfg"
        path.write_bytes(small)
        return read_layers(path)


BLOBS = {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(2, np.float16), "n": np.int32([[7]])}


@reader
def wts1() -> Reader:
    return Reader("wts 1", wts.read_wts, (written(lambda path: wts.write_wts(path, BLOBS)),), "model.wts", "text")


@reader
def wts2() -> Reader:
    seed = written(lambda path: wts.write_wts2(path, BLOBS))
    return Reader("wts 2", wts.read_wts2, (seed,), "model.wts2", "text", [b"(2 3)", b"(,)", b"()", b" 0 (3,) "])


@reader
def nmt_matrix() -> Reader:
    seed = written(lambda path: nmt_weights.write_matrix(path, np.ones((3, 4), np.float32)))
    return Reader("NMT matrix", nmt_weights.read_matrix, (seed,), "decproj.bin")


@reader
def nmt_recurrent() -> Reader:
    kernels = [(np.ones((4, 2, 3), np.float32), np.ones((4, 2, 2), np.float32)), (np.ones((4, 2, 2), np.float32),) * 2]
    weights = nmt_weights.Recurrent(kernels, np.zeros((2, 2, 4, 2), np.float32))
    seed = written(lambda path: nmt_weights.write_recurrent(path, weights))
    return Reader("NMT recurrent", lambda path: nmt_weights.read_recurrent(path, 3), (seed,), "encrnn.bin")


@reader
def batches() -> Reader:
    images = np.ones((2, 1, 3, 3), np.float32)
    labels = np.arange(2, dtype=np.float32)
    seeds = [
        written(lambda path, b=b: batch_file.write_batch(path, b))
        for b in (batch_file.Batch(images), batch_file.Batch(images, labels))
    ]
    return Reader("batch file", batch_file.read_batch, seeds, "batch0")


@reader
def tables() -> Reader:
    seeds = (
        b"TRT-8600-EntropyCalibration2\ndata: 3c000889\n(Unnamed Layer* 0) [Convolution]_output: 3d8e3838\n",
        b"0 3ff0000000000000 3fefff2e48e8a71e\ndata: 3c000889\n",
    )
    words = [b"TRT-8601-MinMaxCalibration", b"LegacyCalibration", b": ", b"7fc00000", b"ffffffff", b"7f800000"]
    return Reader("calibration table", calibration_table.read_table, seeds, "CalibrationTable", "text", words)


@reader
def ranges() -> Reader:
    seeds = (b"data:127.5\nconv1:3.25\nprob:1\n", "\ufeffdata:1\nzw\u00f6lf:2\n".encode(), "data:1\n".encode("utf-16"))
    return Reader("dynamic ranges", dynamic_ranges.read_ranges, seeds, "ranges.txt", "text")


@reader
def netpbm_pictures() -> Reader:
    image = RNG.integers(0, 256, (3, 4, 3)).astype(np.uint8)
    seeds = (
        written(lambda path: netpbm.write_ppm(path, image)),
        written(lambda path: netpbm.write_pgm(path, image[..., 0])),
        b"P3\n# a comment\n2 1 # another\n255\n1 2 3\n4 5 6\n",
        b"P2 2 2 9 1 2 3 4",
    )
    return Reader("netpbm", netpbm.read_picture, seeds, "picture.ppm", "text")


@reader
def idx_images() -> Reader:
    values = RNG.integers(0, 256, (3, 4, 5)).astype(np.uint8)
    seeds = (
        written(lambda path: idx.write_idx(path, values)),
        written(lambda path: idx.write_idx(path, values), "i.gz"),
    )
    return Reader("IDX", lambda path: idx.read_idx(path, 3), seeds, "images.idx")


@reader
def gzipped_idx() -> Reader:
    labels = written(lambda path: idx.write_idx(path, np.arange(9, dtype=np.uint8)), "labels.gz")
    bomb = gzip.compress(bytes([0, 0, 8, 1, 16, 0, 0, 0]) + bytes(1 << 20))
    return Reader("IDX, gzipped", lambda path: idx.read_idx(path, 1), (labels, bomb), "labels.gz", "gzip")


def npz(**values: np.ndarray) -> bytes:
    """Return an .npz as NumPy packs it."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **values)
    return buffer.getvalue()


@reader
def npz_arrays() -> Reader:
    values = {"images": np.array(["a", "b"]), "detections": np.ones((2, 3, 7), np.float32)}
    seeds = (written(lambda path: arrays.write_arrays(path, values)), npz(**values))
    read = lambda path: arrays.read_arrays(path, "detections", "images")  # noqa: E731
    return Reader("npz", read, seeds, "predictions.npz", "zip", [b"images.npy", b"detections.npy"])


@reader
def skeletons() -> Reader:
    array = RNG.normal(size=5000).astype(np.float32)
    made = skeleton.cut(b"head" + array.tobytes() + b"tail", [array])
    seed = written(lambda path: skeleton.write_skeleton(path, made), "m.npz")

    def read(path: Path) -> int:
        return skeleton.read_skeleton(path).size

    return Reader("skeleton", read, (seed,), "model.skeleton.npz", "zip", [b"kept.npy", b"places.npy", b"moments.npy"])


@reader
def sha256sums() -> Reader:
    def prepare(folder: Path) -> None:
        (folder / "model.onnx").write_bytes(b"model")

    def read(path: Path) -> None:
        checksums.verify_checksums(path.parent)

    seed = f"{hashlib.sha256(b'model').hexdigest()}  model.onnx\n".encode()
    words = [b"../model.onnx", b"/etc/passwd", b".", b" *", b"a" * 300]
    return Reader("SHA256SUMS", read, (seed,), "SHA256SUMS", "text", words, prepare=prepare)


@reader
def json_files() -> Reader:
    return Reader("JSON", files.read_json, (b'{"a": [1, 2.5, null, {"b": "c"}]}',), "x.json", "json")
