"""Which function makes a layer type, and which fields it reads: the one place where a field is found to be unread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message

from trtflow.formats.caffe import LayerParameter
from trtflow.reference.record.layers import ILayer
from trtflow.reference.record.tensor import ITensor

if TYPE_CHECKING:
    from trtflow.reference.record.caffe.net import Net

Added = ILayer | ITensor | list[ITensor] | None
Add = Callable[["Net", LayerParameter, list[ITensor]], Added]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Of every layer: what `Net` reads itself, and what steers training or NVCaffe's choice of kernels.
COMMON = _names(
    "name type bottom top blobs phase include exclude loss_weight param propagate_down loss_param"
    " forward_type backward_type forward_math backward_math debug cudnn_math_override"
)
IDLE = _names(
    "engine weight_filler bias_filler filler scale_filler force_nd_im2col stable_prod_grad moving_average_fraction"
    " cudnn_convolution_algo_seeker conv_algos_override random_seed"
)


@dataclass(frozen=True)
class Importer:
    """How a layer type becomes layers of a network.

    Attributes:
        add: adds them, given the tensors of the bottoms; returns the layer or the tensors of the tops.
        parameters: the messages that the type has its fields in, as pooling_param.
        reads: fields of these that `add` reads; a field of a message within has its path, as nms_param.top_k.
        idle: fields that mean nothing at inference.
        bottoms: how many there must be; None for one or more.
    """

    add: Add
    parameters: tuple[str, ...]
    reads: frozenset[str]
    idle: frozenset[str]
    bottoms: int | None


FACTORY = "(factory)"  # stands in the table for whatever a plugin factory makes
TENSORRT: dict[str, Importer] = {}
CAFFE: dict[str, Importer] = {}  # where Caffe's meaning takes another function, and types that TensorRT does not know


def imports(
    *types: str,
    parameters: str = "",
    reads: str = "",
    idle: str = "",
    bottoms: int | None = 1,
    meaning: bool = False,
) -> Callable[[Add], Add]:
    """Enter a function into TensorRT's table, or with `meaning` into Caffe's; names are apart by spaces."""

    def register(add: Add) -> Add:
        sets = (_names(reads), _names(idle) | IDLE)
        importer = Importer(add, tuple(parameters.split()), *sets, bottoms)
        (CAFFE if meaning else TENSORRT).update(dict.fromkeys(types, importer))
        return add

    return register


def unread(layer: LayerParameter, importer: Importer) -> Iterator[str]:
    """Yield the fields of a layer's own parameters that are set, not to their default, and that nothing reads."""
    for name in importer.parameters:
        if layer.HasField(name):
            for path in _unread(getattr(layer, name), importer, ""):
                yield f"{name}.{path}"


def misplaced(layer: LayerParameter, importer: Importer) -> list[str]:
    """Return parameters that belong to layers of other types, which Caffe passes over too."""
    known = {*COMMON, *importer.parameters}
    return [field.name for field, _ in layer.ListFields() if field.name not in known]


def _unread(message: Message, importer: Importer, prefix: str) -> Iterator[str]:
    for field, value in message.ListFields():
        path = f"{prefix}{field.name}"
        if path in importer.reads or path in importer.idle or _is_default(field, value):
            continue
        if any(known.startswith(f"{path}.") for known in importer.reads | importer.idle):
            yield from _unread(value, importer, f"{path}.")
        else:
            yield path


def _is_default(field: Any, value: Any) -> bool:
    return not field.is_repeated and field.message_type is None and value == field.default_value
