"""What TensorRT 8.6 checks of what slides a window, resizes or samples, in its words; see `refusals`."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from trtflow.reference.record.onnx.errors import ErrorCode
from trtflow.reference.record.onnx.inference import title
from trtflow.reference.record.onnx.parse import Parse
from trtflow.reference.record.onnx.refusals import check, invalid, rank_of
from trtflow.reference.record.onnx.registry import attribute, refuses
from trtflow.reference.record.tensor import ITensor


@refuses("MaxPool", "AveragePool", "LpPool")
def _pool(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    words = "TensorRT does not support the indices output in MaxPool!"
    check(node.op_type != "MaxPool" or len(node.output) == 1, words, "Leave the output Indices out of the node.")
    words = "This version of TensorRT does not support dilations other than 1."
    check(set(attribute(node, "dilations", [1])) == {1}, words, "Gather the elements before a plain pool.")
    spatial = rank_of(operands[0]) - 2
    words = "The attribute kernel_shape misaligns with the shape of the input tensor."
    check(spatial in (1, 2, 3) and len(attribute(node, "kernel_shape")) == spatial, words)


@refuses("Resize")
def _resize(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    mode = attribute(node, "mode", b"nearest").decode()
    coordinates = attribute(node, "coordinate_transformation_mode", b"half_pixel").decode()
    rounding = attribute(node, "nearest_mode", b"round_prefer_floor").decode()
    rank = rank_of(operands[0])
    check(rank > 0, "The input tensor cannot be a scalar.")
    words = "This version of TensorRT only support round_prefer_floor nearest mode in tf_half_pixel_for_nn!"
    check(coordinates != "tf_half_pixel_for_nn" or rounding == "round_prefer_floor", words)
    words = (
        "TensorRT only supports half_pixel, pytorch_half_pixel, tf_half_pixel_for_nn, asymmetric and align_corners "
        "transformation modes!"
    )
    check(coordinates != "tf_crop_and_resize", words, "Crop with Slice, then resize.")
    scales = operands[2] if len(operands) > 2 else None
    by_sizes = len(operands) > 3 and operands[3] is not None and coordinates != "tf_half_pixel_for_nn"
    if by_sizes or isinstance(scales, ITensor):
        return
    scales = np.empty(0) if scales is None else scales
    words = "The shape of input scales must align with the input rank."
    check(scales.size == rank, words, "Give one for each dimension.", ErrorCode.INVALID_NODE)
    most = {"linear": 3, "cubic": 2}.get(mode, rank)
    words = f"This version of TensorRT only supports {mode} resizing on the outermost {most} dimensions."
    check(bool((scales[: max(0, rank - most)] == 1).all()), words, "Resize the last dimensions only.")


@refuses("ConvTranspose")
def _deconvolution(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    check(rank_of(operands[0]) in (3, 4, 5), "TensorRT only supports 1D, 2D or 3D deconvolutions!")


@refuses("Conv", "ConvTranspose")
def _channels(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    data, kernel, groups = operands[0].shape, operands[1].shape, attribute(node, "group", 1)
    words = "The number of spatial dimensions and the kernel shape doesn't match up for the Conv operator."
    check(len(data) == len(kernel) >= 3, words.replace("Conv", node.op_type))
    wanted = kernel[1] * groups if node.op_type == "Conv" else kernel[0]
    words = "Kernel weight dimension failed to broadcast to input."
    remedy = f"{groups} groups of a kernel {tuple(kernel)} need {wanted} channels; there are {data[1]}."
    known = -1 not in (data[1], *kernel[:2])
    fits = data[1] == wanted and kernel[0] % groups == 0
    check(not known or fits, f"Invalid Node - {title(node)}\n{words}", remedy, ErrorCode.INVALID_NODE)


@refuses("Conv")
def _window_of_fed_weights(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    if not all(map(parse.is_weights, node.input[1:])):  # behind a dequantize layer too: measured on an H200
        words = "The input tensor shape misaligns with the input kernel shape."
        check(attribute(node, "kernel_shape", None) is not None, words, "Give the node its attribute kernel_shape.")


@refuses("Conv", "ConvTranspose")
def _kernel(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    sizes, given = operands[1].shape[2:], attribute(node, "kernel_shape", None)
    words = "The size of spatial dimension and the size of kernel shape are not equal for the Conv operator."
    if node.op_type == "ConvTranspose":
        words = "Attribute kernel_shape misaligns with the dimensions of the weight tensor."
    remedy = f"kernel_shape is {given}, and the weights have {list(sizes)}: leave the attribute out."
    check(given is None or -1 in sizes or list(given) == list(sizes), words, remedy)


@refuses("Conv", "ConvTranspose")
def _bias(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    bias = operands[2] if len(operands) > 2 else None
    if not isinstance(bias, np.ndarray):
        return
    plain = node.op_type == "Conv"
    words = "The bias tensor is required to be 1D."
    check(bias.ndim == 1 or (plain and bias.ndim == 0), words, f"It is {bias.shape}.", ErrorCode.INVALID_NODE)
    wanted = operands[1].shape[0] if plain else operands[1].shape[1] * attribute(node, "group", 1)
    words = "The shape of the bias tensor misaligns with the weight tensor."
    if not plain:
        words = "The shape of the bias tensor does not align with the shape of the output."
    remedy = f"There are {bias.size} for {wanted} channels."
    check(wanted in (-1, bias.size), words, remedy, ErrorCode.INVALID_NODE)


@refuses("ConvTranspose")
def _negative_padding(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    pads = attribute(node, "pads", [])
    words = "TensorRT does not support negative pre-padding in the ConvTranspose operator!"
    check(min(pads[: len(pads) // 2], default=0) >= 0, words, "Pad with a node Pad behind it.")


@refuses("DepthToSpace", "SpaceToDepth")
def _blocks(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    words = f"The input tensor must be in {'the ' if node.op_type == 'SpaceToDepth' else ''}NCHW format."
    check(rank_of(operands[0]) == 4, words, "Reshape it to [N, C, H, W].")


@refuses("RoiAlign")
def _regions(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    shape = operands[1].shape
    fits = len(shape) == 2 and shape[1] == 4
    words = "Found incorrect dimensions for ROIs input!"
    check(fits, words, f"They are {tuple(shape)}: give [regions, 4], and the pictures' indices as the third input.")


@refuses("GridSample")
def _grid(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    same = rank_of(operands[0]) == rank_of(operands[1])
    check(same, "The input tensor and the grid tensor must have the same rank.")
    if rank_of(operands[0]) != 4:
        raise invalid(node, "TensorRT samples [N, C, H, W] only.")


@refuses("GlobalLpPool")
def _global_power(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> None:
    if attribute(node, "p", 2) % 2:
        what = f"of the elements of {node.name!r} (GlobalLpPool) and not of their magnitudes"
        parse.warn(f"TensorRT 8.6 takes powers {what}: where p is odd its values differ for negative ones.")
