"""A Caffe model in OpenCV's DNN, from the files as they were given.

A layer that OpenCV does not have is cut out: what it reads is compared, and what follows it gets the values that the
ONNX model has there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trtflow.formats import UserError
from trtflow.formats.caffe import NetParameter, at_inference, read_prototxt, write_prototxt
from trtflow.formats.caffe.caffe_pb2 import LayerParameter
from trtflow.migration.agreement import compare
from trtflow.migration.lowering import Lowered, values_of
from trtflow.migration.originals import Asked, Original, match

MOST_SIZES = 4  # of a blob in OpenCV


def ask_opencv(original: Original, lowered: Lowered, feeds: Mapping[str, np.ndarray]) -> Asked:
    """Return how the lowered network differs from what OpenCV computes.

    Raises:
        UserError: OpenCV is not installed, or does not read the files.
    """
    try:
        import cv2  # noqa: PLC0415 - not all that migrate need have it
    except ImportError as error:
        raise UserError("OpenCV is not installed. Install opencv-python-headless to compare with it") from error
    assert original.deploy is not None
    net = at_inference(read_prototxt(original.deploy))
    unknown = _unknown_layers(cv2, net, original.path)
    asked = Asked(f"OpenCV {cv2.__version__}")
    asked.left_out += [
        f"{layer.name} ({layer.type}): OpenCV {misread(layer) or 'has no such layer'}" for layer in unknown
    ]
    blobs = _compared(net, unknown)
    tensors = [name for name in blobs if name in lowered.tensors]
    asked.left_out += [
        f"{name}: TensorRT's form of the network has no blob of this name" for name in blobs if name not in tensors
    ]
    cuts = [name for layer in unknown for name in layer.top if name in lowered.tensors]
    ours = values_of(lowered, [*tensors, *cuts], feeds)
    detections = [name for name in tensors if _producer(net, name).type == "DetectionOutput"]
    theirs = _run(
        cv2, _cut(net, unknown, ours), original.path, {**feeds, **ours}, {name: blobs[name] for name in tensors}
    )
    for name in detections:
        asked.detections.append(match(name, *(_rows(values[name]) for values in (ours, theirs))))
    plain = [name for name in tensors if name not in detections]
    wanted = {name: theirs[name] for name in plain}
    asked.differences = compare(_shaped(ours, wanted), wanted)
    if lowered.scales:
        asked.quantised = compare(_shaped(values_of(lowered, plain, feeds, quantised=True), wanted), wanted)
    return asked


def _shaped(values: Mapping[str, np.ndarray], like: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return values in the shapes of others of the same number: TensorRT has three dimensions where Caffe has one.

    Raises:
        UserError: the numbers differ.
    """
    for name, wanted in like.items():
        if values[name].size != wanted.size:
            raise UserError(f"blob {name!r} has the shape {wanted.shape} there and {values[name].shape} in ONNX")
    return {name: values[name].reshape(wanted.shape) for name, wanted in like.items()}


def _read(cv2: Any, net: NetParameter, model: Path) -> Any:
    """Return OpenCV's network of the layers in `net`."""
    with tempfile.TemporaryDirectory() as folder:
        deploy = Path(folder) / "deploy.prototxt"
        write_prototxt(net, deploy)
        try:
            return cv2.dnn.readNetFromCaffe(str(deploy), str(model))
        except cv2.error as error:
            raise UserError(f"OpenCV does not read it ({error.err})") from error


def _unknown_layers(cv2: Any, net: NetParameter, model: Path) -> list[LayerParameter]:
    reader = _read(cv2, net, model)
    named = set(reader.getLayerNames())
    unknown = []
    for layer in net.layer:
        try:
            if misread(layer):
                unknown.append(layer)
            elif layer.name in named:
                reader.getLayer(layer.name)
        except cv2.error:
            unknown.append(layer)
    return unknown


def misread(layer: LayerParameter) -> str:
    """Return what OpenCV 4.13 passes over of a layer, as seen; nothing where it reads all."""
    if layer.type == "LRN" and layer.lrn_param.k != 1:
        return "passes over lrn_param.k"
    if layer.type == "InnerProduct" and layer.inner_product_param.transpose:
        return "passes over inner_product_param.transpose"
    if layer.type == "Concat" and layer.concat_param.HasField("concat_dim"):
        return "passes over concat_param.concat_dim"
    if layer.type == "Scale" and layer.scale_param.axis not in (0, 1):
        return "passes over scale_param.axis"
    pooling = layer.pooling_param
    if layer.type == "Pooling" and pooling.HasField("stride_h") != pooling.HasField("stride_w"):
        return "passes over a stride of one side alone"
    return ""


def _producer(net: NetParameter, blob: str) -> LayerParameter:
    """Return the layer that has a blob last, as others may work in place before it."""
    return next(layer for layer in reversed(net.layer) if blob in layer.top)


def _compared(net: NetParameter, unknown: list[LayerParameter]) -> dict[str, str]:
    """Return the layer of each blob that is compared: what unknown layers read, and what nothing reads."""
    read = {name for layer in net.layer for name in layer.bottom if name not in layer.top}
    wanted = [name for layer in unknown for name in layer.bottom]
    wanted += [name for layer in net.layer for name in layer.top if name not in read]
    found = {}
    for name in dict.fromkeys(wanted):
        makers = [layer for layer in net.layer if name in layer.top]
        if makers and makers[-1] not in unknown and makers[-1].type != "Input" and len(makers[-1].top) == 1:
            found[name] = makers[-1].name
    return found


def _cut(net: NetParameter, unknown: list[LayerParameter], values: Mapping[str, np.ndarray]) -> NetParameter:
    """Return the network with inputs in place of unknown layers, without inputs that only these read."""
    names = {layer.name for layer in unknown}
    read = {name for layer in net.layer if layer.name not in names for name in layer.bottom}
    cut = NetParameter()
    cut.CopyFrom(net)
    del cut.layer[:]
    for layer in net.layer:
        if layer.name not in names:
            if layer.type != "Input" or read.intersection(layer.top):
                cut.layer.add().CopyFrom(layer)
            continue
        for name in read.intersection(layer.top):
            added = cut.layer.add(name=name, type="Input", top=[name])
            added.input_param.shape.add().dim.extend(_sizes(values[name]))
    return cut


def _sizes(values: np.ndarray) -> tuple[int, ...]:
    """Return the shape of a value in Caffe, where rois are the batch of what follows them."""
    return values.shape if values.ndim <= MOST_SIZES else (-1, *values.shape[-3:])


def _run(
    cv2: Any, net: NetParameter, model: Path, feeds: Mapping[str, np.ndarray], layers: Mapping[str, str]
) -> dict[str, np.ndarray]:
    """Return blobs by name, given the layer that has each."""
    inputs = [*net.input, *(layer.top[0] for layer in net.layer if layer.type == "Input")]
    for layer in net.layer:
        if layer.type == "Input" and layer.top[0] in feeds:
            values = feeds[layer.top[0]]
            shape = values.reshape(_sizes(values)).shape
            del layer.input_param.shape[:]
            layer.input_param.shape.add().dim.extend(shape)
    reader = _read(cv2, net, model)
    try:
        for name in inputs:
            reader.setInput(feeds[name].reshape(_sizes(feeds[name])), name)
        known = set(reader.getLayerNames())  # the last layer is called by its blob at times
        names = [layer if layer in known else name for name, layer in layers.items()]
        return dict(zip(layers, map(np.array, reader.forward(names)), strict=True)) if names else {}
    except cv2.error as error:
        raise UserError(f"OpenCV does not run it ({error.err})") from error


def _rows(values: np.ndarray) -> np.ndarray:
    """Return the detections of [1, 1, K, 7] that are there as rows of label, score and box, clipped as TensorRT's."""
    rows = values.reshape(-1, 7)
    rows = rows[rows[:, 1] >= 0][:, 1:]
    return np.concatenate([rows[:, :2], rows[:, 2:].clip(0, 1)], axis=1)
