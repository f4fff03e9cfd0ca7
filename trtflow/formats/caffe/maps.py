"""Height and width of the maps of a network, as Caffe rounds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trtflow.formats.caffe.caffe_pb2 import LayerParameter
from trtflow.formats.errors import UserError

Size = tuple[int, int]
# These give maps of the size of their first bottom.
KEEPS = (
    *("AbsVal", "BatchNorm", "Bias", "BNLL", "Clip", "Concat", "Dropout", "Eltwise", "ELU", "LRN", "Normalize"),
    *("Power", "PReLU", "ReLU", "Scale", "Sigmoid", "Slice", "Softmax", "Split", "TanH"),
)
FIELDS = (("kernel", 0), ("stride", 1), ("pad", 0))  # and what stands for one that is not set


def map_size(layers: Sequence[LayerParameter], blob: str, inputs: Mapping[str, Size]) -> Size:
    """Return height and width of a blob.

    Reshapes are passed over: those of region proposals fold channels into rows, and unfold them again.

    Args:
        layers: in their order.
        blob: its name; a blob that is written in place counts as its last.
        inputs: height and width of the network's inputs.

    Raises:
        UserError: no layer makes it, or one whose sizes are not known here, or nothing is left of the picture.
    """
    sizes = dict(inputs)
    for layer in layers:
        if layer.type in ("Input", "Data") or not layer.bottom or layer.bottom[0] not in sizes:
            continue
        size = _size(layer, sizes[layer.bottom[0]])
        if size is not None:
            if min(size) < 1:
                raise UserError(f"layer {layer.name!r}: nothing is left of the picture. Give a larger one.")
            sizes.update(dict.fromkeys(layer.top, size))
        if blob in layer.top and size is None:
            break
    if blob not in sizes:
        raise UserError(f"the size of {blob!r} is not known: no convolution or pooling leads to it from the picture.")
    return sizes[blob]


def _size(layer: LayerParameter, size: Size) -> Size | None:
    if layer.type in KEEPS or layer.type == "Reshape":
        return size
    if layer.type == "Convolution":
        return _along(layer, layer.convolution_param, size, up=False)
    if layer.type == "Pooling" and layer.pooling_param.global_pooling:
        return 1, 1
    if layer.type == "Pooling":
        return _along(layer, layer.pooling_param, size, up=not layer.pooling_param.torch_pooling)
    return None


def _along(layer: LayerParameter, parameter: Any, size: Size, up: bool) -> Size:
    found = []
    for axis, whole in enumerate(size):
        window, step, pad = (_field(parameter, name, axis, default) for name, default in FIELDS)
        dilation = _field(parameter, "dilation", axis, 1)
        if min(window, step, dilation) < 1 or pad < 0:
            raise UserError(f"layer {layer.name!r}: its window, stride or dilation is not positive. Correct it.")
        reach = dilation * (window - 1) + 1
        if whole + 2 * pad < reach:
            return 0, 0
        count = (whole + 2 * pad - reach + (step - 1 if up else 0)) // step + 1
        found.append(count - 1 if up and pad and (count - 1) * step >= whole + pad else count)
    return found[0], found[1]


def _field(parameter: Any, name: str, axis: int, default: int) -> int:
    """Return a size along an axis: of the field of its own, or of the one for both."""
    fields = parameter.DESCRIPTOR.fields_by_name
    own = f"{name}_{'hw'[axis]}"
    if own in fields and parameter.HasField(own):
        return int(getattr(parameter, own))
    both = "kernel_size" if name == "kernel" else name
    if both not in fields:
        return default
    value = getattr(parameter, both)
    if fields[both].is_repeated:
        return int(value[min(axis, len(value) - 1)]) if value else default
    return int(value)
