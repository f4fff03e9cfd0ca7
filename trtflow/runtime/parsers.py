"""Parsing with a useful message: what a parser objects to, node by node where it says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from trtflow.formats import UserError
from trtflow.runtime.messages import because, logger_of
from trtflow.runtime.own_plugins import CaffePlugins


def parse_onnx(trt: ModuleType, network: Any, model: Path) -> None:
    """Add an ONNX model's layers to a network with an explicit batch.

    Raises:
        UserError: the parser cannot read it; the message has each node and the reason.
    """
    parser = trt.OnnxParser(network, logger_of(trt))
    if not parser.parse_from_file(str(model)):
        errors = [parser.get_error(index) for index in range(parser.num_errors)]
        reasons = "; ".join(f"node {error.node()}: {error.desc()}" for error in errors)
        raise UserError(f"{model}: the ONNX parser could not read it: {reasons}")


def parse_caffe(
    trt: ModuleType,
    network: Any,
    deploy: Path,
    model: Path,
    outputs: Sequence[str],
    as_caffe: bool = False,
    weights: Any = None,
) -> None:
    """Add a Caffe model's layers to a network with an implicit batch, and mark its outputs.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        network: the network.
        deploy: the prototxt.
        model: the caffemodel.
        outputs: names of blobs.
        as_caffe: whether layers are what Caffe means, not what TensorRT's parser makes of them; of the reference only.
        weights: type that the parser gives them; None for float32.

    Raises:
        UserError: the parser cannot read it, or makes no blob of an output's name.
    """
    parser, own = trt.CaffeParser(), CaffePlugins(deploy)
    if own:
        parser.plugin_factory_v2 = own
    parse = parser.parse_as_caffe if as_caffe else parser.parse
    tensors = parse(deploy=str(deploy), model=str(model), network=network, dtype=weights or trt.float32)
    mark_blobs(network, tensors, deploy, outputs)


def mark_blobs(network: Any, tensors: Any, deploy: str | Path, outputs: Sequence[str]) -> None:
    """Mark blobs of a Caffe model as outputs of its network.

    Args:
        network: the network.
        tensors: what the parser answered, None where it failed.
        deploy: the prototxt.
        outputs: names of blobs.

    Raises:
        UserError: the parser failed, or made no blob of a name.
    """
    if tensors is None:
        raise UserError(because(f"{deploy}: the Caffe parser could not read it"))
    for name in outputs:
        tensor = tensors.find(name)
        if tensor is None:
            raise UserError(f"{deploy}: no blob {name!r}, which is to be an output. Name one of its tops.")
        network.mark_output(tensor)


def parse_uff(
    trt: ModuleType, network: Any, model: Path, inputs: Mapping[str, Sequence[int]], outputs: Sequence[str]
) -> None:
    """Add a UFF graph's layers to a network with an implicit batch.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        network: the network.
        model: the file.
        inputs: shape C, H, W of each input by name.
        outputs: names of nodes.

    Raises:
        UserError: the parser cannot read it.
    """
    parser = trt.UffParser()
    for name, shape in inputs.items():
        parser.register_input(name, tuple(shape), trt.UffInputOrder.NCHW)
    for name in outputs:
        parser.register_output(name)
    if not parser.parse(str(model), network, trt.float32):
        raise UserError(because(f"{model}: the UFF parser could not read it"))
