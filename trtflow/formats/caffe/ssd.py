"""The edit that turns the SSD authors' deploy.prototxt into what TensorRT's parser takes."""

from __future__ import annotations

from trtflow.formats.caffe.caffe_pb2 import NetParameter
from trtflow.formats.caffe.network import at_inference
from trtflow.formats.errors import UserError

KEEP_COUNT = "keep_count"


def convert_ssd_prototxt(net: NetParameter) -> NetParameter:
    """Return the network with each Flatten as a Reshape to 0, -1, 1, 1, and a top for the number of detections.

    TensorRT's parser passes over Flatten, and its detection plugin has two outputs where Caffe's layer has one. It does
    not know phases either: layers that inference leaves out are left out, and the others lose their rules. A network
    that is in this form already comes back unchanged.

    Raises:
        UserError: the network has no DetectionOutput layer, or a Flatten that is not of all axes behind the batch.
    """
    converted = at_inference(net)
    if not any(layer.type == "DetectionOutput" for layer in converted.layer):
        raise UserError(f"network {net.name!r} has no DetectionOutput layer. Give the deploy.prototxt of an SSD.")
    if fed := next((layer for layer in converted.layer if not layer.bottom and layer.type != "Input"), None):
        raise UserError(f"layer {fed.name!r} of the type {fed.type} feeds the network. Give the deploy.prototxt.")
    for layer in converted.layer:
        if layer.type == "Flatten":
            if (layer.flatten_param.axis, layer.flatten_param.end_axis) not in ((1, -1), (-3, -1), (1, 3)):
                raise UserError(f"Flatten layer {layer.name!r} keeps other axes than the batch. Write it as a Reshape.")
            layer.type = "Reshape"
            layer.ClearField("flatten_param")
            layer.reshape_param.shape.dim.extend([0, -1, 1, 1])
        elif layer.type == "DetectionOutput" and len(layer.top) == 1:
            layer.top.append(KEEP_COUNT)
    return converted
