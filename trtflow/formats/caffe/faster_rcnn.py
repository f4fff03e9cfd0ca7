"""The edit that turns py-faster-rcnn's test.prototxt into what TensorRT's parser takes."""

from __future__ import annotations

import ast

from trtflow.formats.caffe.caffe_pb2 import LayerParameter, NetParameter
from trtflow.formats.errors import UserError

FUSED = "RPROIFused"
HEIGHT, WIDTH = 375, 500  # of the guide's pictures (§12.2)
PRE_NMS_TOP, NMS_MAX_OUT, IOU_THRESHOLD, MIN_BOX_SIZE = 6000, 300, 0.7, 16
RATIOS, SCALES, STRIDE = (0.5, 1.0, 2.0), (8.0, 16.0, 32.0), 16


def convert_faster_rcnn_prototxt(net: NetParameter, height: int = HEIGHT, width: int = WIDTH) -> NetParameter:
    """Return the network with its proposal and RoI pooling layers as one RPROI layer, for pictures of one size.

    TensorRT's parser has no Python layer, takes inputs of four dimensions only, and reshapes behind the batch. Of small
    pictures no more proposals enter suppression than there are anchors: RPROI_TRT would read what lies behind them.

    Raises:
        UserError: the network has no layer `proposal` in Python with a RoI pooling behind it, or one that it cannot
            read.
    """
    layers = {layer.name: layer for layer in net.layer}
    proposal = next((layer for layer in net.layer if layer.type == "Python" and "rois" in layer.top), None)
    pooling = next((layer for layer in net.layer if layer.type == "ROIPooling"), None)
    if proposal is None or pooling is None or len(proposal.bottom) != 3:
        raise UserError(
            f"network {net.name!r} has no proposal and ROIPooling layers. Give py-faster-rcnn's test.prototxt."
        )
    converted = NetParameter(name=net.name)
    for name, dims in (("data", (1, 3, height, width)), ("im_info", (1, 1, 1, 3))):
        converted.layer.add(name=name, type="Input", top=[name]).input_param.shape.add(dim=dims)
    for layer in layers.values():
        if layer is pooling:
            cells = -(-height // STRIDE) * -(-width // STRIDE)  # Caffe rounds the size of a pooled map up
            converted.layer.append(_fused(proposal, pooling, cells))
        elif layer is not proposal:
            converted.layer.append(layer)
            _reshape_behind_the_batch(converted.layer[-1])
    return converted


def _fused(proposal: LayerParameter, pooling: LayerParameter, cells: int) -> LayerParameter:
    scores, offsets, info = proposal.bottom
    scales = _scales(proposal)
    anchors = len(RATIOS) * len(scales) * cells
    layer = LayerParameter(name=FUSED, type="RPROI", bottom=[scores, offsets, pooling.bottom[0], info])
    layer.top.extend([proposal.top[0], pooling.top[0]])
    region = layer.region_proposal_param
    region.feature_stride = STRIDE
    region.prenms_top, region.nms_max_out = min(PRE_NMS_TOP, anchors), min(NMS_MAX_OUT, anchors)
    region.anchor_ratio_count, region.anchor_scale_count = len(RATIOS), len(scales)
    region.iou_threshold, region.min_box_size = IOU_THRESHOLD, MIN_BOX_SIZE
    region.anchor_ratio.extend(RATIOS)
    region.anchor_scale.extend(scales)
    layer.roi_pooling_param.CopyFrom(pooling.roi_pooling_param)
    return layer


def _scales(proposal: LayerParameter) -> tuple[float, ...]:
    """Return the scales of the anchors, which the layer's parameters name where they are not the authors' own."""
    text = proposal.python_param.param_str
    try:
        settings = ast.literal_eval(f"{{{text.replace(chr(10), ',')}}}")
        return tuple(float(scale) for scale in settings.get("scales", SCALES))
    except (ValueError, SyntaxError, TypeError, AttributeError) as error:
        raise UserError(
            f"layer {proposal.name!r}: param_str {text!r} is not read. Write it as 'name': value."
        ) from error


def _reshape_behind_the_batch(layer: LayerParameter) -> None:
    """Write 0, 2, -1, 0 as 2, -1, 0 behind axis 1."""
    if layer.type == "Reshape" and layer.reshape_param.axis == 0 and layer.reshape_param.shape.dim[0] == 0:
        layer.reshape_param.axis = 1
        del layer.reshape_param.shape.dim[0]
