"""Layers of Caffe's format of 2014 (field `layers`) in the form of today's (field `layer`)."""

from __future__ import annotations

from collections.abc import Iterable

from trtflow.formats.caffe.caffe_pb2 import LayerParameter, NetParameter, V1LayerParameter

SPELLINGS = {
    "ABSVAL": "AbsVal",
    "ARGMAX": "ArgMax",
    "BNLL": "BNLL",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "IM2COL": "Im2col",
    "LRN": "LRN",
    "MVN": "MVN",
    "RELU": "ReLU",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "TANH": "TanH",
}
PARAM_SPEC = {"param": "name", "blob_share_mode": "share_mode", "blobs_lr": "lr_mult", "weight_decay": "decay_mult"}
SAME_NAME = ("bottom", "top", "blobs", "include", "exclude", "loss_weight")


def type_name(kind: int) -> str:
    """Return today's name of a layer type: CONVOLUTION becomes Convolution, SOFTMAX_LOSS SoftmaxWithLoss."""
    old = V1LayerParameter.LayerType.Name(kind)
    return SPELLINGS.get(old) or "".join(part.capitalize() for part in old.split("_"))


def upgrade(net: NetParameter) -> NetParameter:
    """Return the network with all layers in `layer`; one that has no old layers is returned as it is."""
    if not net.layers:
        return net
    upgraded = NetParameter()
    upgraded.CopyFrom(net)
    del upgraded.layers[:]
    for old in net.layers:
        new = upgraded.layer.add(name=old.name, type=type_name(old.type))
        for field, value in old.ListFields():
            if field.name in SAME_NAME:
                getattr(new, field.name).extend(value)
            elif field.name.endswith("_param"):
                getattr(new, field.name).CopyFrom(value)
            elif field.name in PARAM_SPEC:
                _set_param_specs(new, PARAM_SPEC[field.name], value)
    return upgraded


def _set_param_specs(layer: LayerParameter, field: str, values: Iterable[object]) -> None:
    """Set one field of each blob's settings, which the old format keeps as a list a field."""
    for index, value in enumerate(values):
        spec = layer.param[index] if index < len(layer.param) else layer.param.add()
        setattr(spec, field, value)
