"""Tries prototxts with random weights: the reference parser, and migrate's meaning, against OpenCV's DNN.

    PYTHONPATH=. python tests/reference/try_caffe_networks.py FOLDER [WEIGHTS]

Below FOLDER each file *.prototxt or *.pt is a network. Detections are cut off, and what they are made of is compared;
the reference parser is given what convert_ssd_prototxt makes. Of a Softmax at the end what it reads is compared too.
Networks of more than WEIGHTS weights, 300,000 where none are given, are made narrower, and inputs of one pixel, which
stand for any size, are of SIDE pixels. Printed are two lines a network, and the counts.
"""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from caffe_weights import random_weights

import trtflow.reference as trt
from trtflow.formats import UserError
from trtflow.formats.caffe import (
    LayerParameter,
    NetParameter,
    convert_ssd_prototxt,
    inference_layers,
    network_inputs,
    read_prototxt,
    write_caffemodel,
    write_prototxt,
)
from trtflow.runtime.build import build_plan
from trtflow.runtime.parsers import parse_caffe
from trtflow.runtime.session import Session

LIMIT = 1e-3  # of the largest value of an output
SIDE = 96
KINDS = ("right", "TensorRT ignores", "ran, OpenCV does not read it", "refused", "WRONG")
MOST_WEIGHTS = 300_000


def narrowed(net: NetParameter, factor: int) -> NetParameter:
    """Return a network with fewer channels, but for those that a Permute or Reshape reads."""
    made = NetParameter()
    made.CopyFrom(net)
    shaped = {name for layer in net.layer if _counts_channels(layer) for name in layer.bottom}
    for layer in made.layer:
        for part in ("convolution_param", "inner_product_param"):
            if layer.HasField(part) and not shaped.intersection(layer.top):
                parameter = getattr(layer, part)
                parameter.num_output = max(1, parameter.num_output // factor)
                if part == "convolution_param" and parameter.group > 2:
                    parameter.group = max(1, parameter.group // factor)
    return made


def _counts_channels(layer: LayerParameter) -> bool:
    """Whether a layer means a number of channels of what it reads; a Reshape of zeros alone keeps any."""
    reshapes = layer.type == "Reshape" and any(layer.reshape_param.shape.dim)
    return reshapes or layer.type in ("Permute", "Slice")


def prepare(path: Path, folder: Path, most: int) -> tuple[NetParameter, list[str]]:
    """Write a network as Caffe runs it at inference, with random weights; return it and its outputs."""
    net = read_prototxt(path)
    kept = inference_layers(net)
    layers = [layer for layer in kept if layer.type != "DetectionOutput"]
    detection = next((layer for layer in kept if layer.type == "DetectionOutput"), None)
    del net.layer[:]
    net.layer.extend(layers)
    for layer in net.layer:
        for field in ("include", "exclude", "phase"):
            layer.ClearField(field)
    sizes = [*net.input_shape, *(shape for layer in net.layer for shape in layer.input_param.shape)]
    for shape in sizes:
        if list(shape.dim[2:]) == [1, 1]:
            shape.dim[2:] = [SIDE, SIDE]
    if list(net.input_dim[2:]) == [1, 1]:
        net.input_dim[2:] = [SIDE, SIDE]
    if not network_inputs(net):
        raise UserError("the network declares no input")
    for factor in (1, 2, 4, 8, 16, 32, 64):
        try:
            made = net if factor == 1 else narrowed(net, factor)
            weights = random_weights(made, most)
            break
        except OverflowError:
            continue
    else:
        raise UserError("more weights than this command takes")
    tensorrts = NetParameter()
    tensorrts.CopyFrom(made)
    if detection is not None:
        tensorrts.layer.append(detection)
        tensorrts = convert_ssd_prototxt(tensorrts)
        del tensorrts.layer[-1]
    write_prototxt(tensorrts, folder / "tensorrt.prototxt")
    write_prototxt(made, folder / "net.prototxt")
    write_caffemodel(weights, folder / "net.caffemodel")
    read = {name for layer in made.layer for name in layer.bottom if name not in layer.top}
    tops = dict.fromkeys(name for layer in made.layer for name in layer.top)
    outputs = [name for name in tops if name not in read]
    heads = {layer.top[0]: layer.bottom[0] for layer in made.layer if layer.type == "Softmax"}
    return made, [*outputs, *(heads[name] for name in outputs if name in heads and heads[name] != name)]


def ask_opencv(folder: Path, feeds: dict[str, np.ndarray], outputs: list[str]) -> dict[str, np.ndarray]:
    """Return OpenCV's outputs."""
    given = read_prototxt(folder / "net.prototxt")
    for layer in given.layer:
        if layer.type == "Axpy":  # a * x + y by SENet's axpy_layer.cpp; OpenCV 4.13 has a * y + x
            layer.bottom[1:] = layer.bottom[:0:-1]
    write_prototxt(given, folder / "opencv.prototxt")
    net = cv2.dnn.readNetFromCaffe(str(folder / "opencv.prototxt"), str(folder / "net.caffemodel"))
    for name, values in feeds.items():
        net.setInput(values, name)
    makers = {layer.top[0]: layer.name for layer in read_prototxt(folder / "net.prototxt").layer if layer.top}
    known = net.getLayerNames()
    names = [makers[name] if makers.get(name) in known else name for name in outputs]
    return dict(zip(outputs, net.forward(names), strict=True))


def ask_reference(folder: Path, feeds: dict[str, np.ndarray], outputs: list[str], as_caffe: bool):
    """Return the reference's outputs, and what it said that TensorRT ignores."""

    def define(trt, network):
        deploy = folder / ("net.prototxt" if as_caffe else "tensorrt.prototxt")
        parse_caffe(trt, network, deploy, folder / "net.caffemodel", outputs, as_caffe)

    log = io.StringIO()
    with contextlib.redirect_stderr(log):
        plan = build_plan(trt, define, "fp32", 1)
    engine = trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan)
    names = {tensor for tensor in engine if engine.get_tensor_mode(tensor) == trt.TensorIOMode.INPUT}
    found = Session(trt, engine).run({name: values for name, values in feeds.items() if name in names})
    said = [line.partition("TensorRT ignores ")[2] for line in log.getvalue().splitlines() if "ignores" in line]
    return found, said


def worst(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> float:
    """Return the largest difference of an output over its largest value."""
    parts = []
    for name, values in wanted.items():
        if found[name].size != values.size:
            return float("inf")
        apart = np.abs(found[name].ravel() - values.ravel()).max(initial=0)
        parts.append(apart / max(np.abs(values).max(initial=0), 1e-12))
    return float(max(parts))


def verdict(folder: Path, feeds: dict[str, np.ndarray], outputs: list[str], wanted, as_caffe: bool) -> str:
    """Return right, wrong, refused with the reason, or what TensorRT ignores."""
    try:
        padded = {name: values.reshape([*values.shape, *[1] * (4 - values.ndim)]) for name, values in feeds.items()}
        found, said = ask_reference(folder, padded, outputs, as_caffe)
    except UserError as error:
        return f"refused: {str(error).replace(f'{folder}/', '')}"
    if isinstance(wanted, str):
        return f"ran, {wanted}"
    apart = worst(found, wanted)
    if apart <= LIMIT:
        return f"right ({apart:.1e})"
    return f"TensorRT ignores {said[0]}" if said else f"WRONG ({apart:.1e})"


def try_network(path: Path, most: int = MOST_WEIGHTS) -> tuple[str, str]:
    """Return the verdicts on the reference parser and on migrate's meaning."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            net, outputs = prepare(path, folder, most)
        except UserError as error:
            return ("refused: " + str(error).replace(f"{path}: ", ""),) * 2
        random = np.random.default_rng(0)
        feeds = {
            name: random.normal(size=[1, *shape[1:]]).astype(np.float32) for name, shape in network_inputs(net).items()
        }
        try:
            wanted = ask_opencv(folder, feeds, outputs)
        except cv2.error as error:
            wanted = f"OpenCV does not read it: {str(error).strip().splitlines()[0][:100]}"
        return tuple(verdict(folder, feeds, outputs, wanted, as_caffe) for as_caffe in (False, True))


def main(folder: Path, most: int = MOST_WEIGHTS) -> None:
    """Try all networks of a folder."""
    counts = (Counter(), Counter())
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".prototxt", ".pt")):
        verdicts = try_network(path, most)
        print(f"{path.relative_to(folder)}\n  TensorRT's: {verdicts[0]}\n  Caffe's: {verdicts[1]}", flush=True)
        for count, text in zip(counts, verdicts, strict=True):
            count[next(kind for kind in KINDS if text.startswith(kind))] += 1
    for count, title in zip(counts, ("reference parser", "migrate"), strict=True):
        print(
            f"{title}: {sum(count.values())} tried; {', '.join(f'{number} {word}' for word, number in count.items())}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
