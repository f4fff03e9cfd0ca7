"""The edit that turns py-faster-rcnn's test.prototxt into what TensorRT's parser takes."""

from __future__ import annotations

import ast
import re

from trtflow.formats.caffe.caffe_pb2 import LayerParameter, NetParameter
from trtflow.formats.caffe.maps import map_size
from trtflow.formats.caffe.network import at_inference
from trtflow.formats.errors import UserError

FUSED = "RPROIFused"
HEIGHT, WIDTH = 375, 500  # of the guide's pictures (§12.2)
PRE_NMS_TOP, NMS_MAX_OUT, IOU_THRESHOLD, MIN_BOX_SIZE = 6000, 300, 0.7, 16
RATIOS, SCALES, STRIDE = (0.5, 1.0, 2.0), (8.0, 16.0, 32.0), 16
SETTING = re.compile(r"""['"]?(\w+)['"]?\s*:\s*(?:!!python/tuple\s*)?(.+)""")  # of YAML what proposal layers have
BETWEEN = re.compile(r"\s*\n\s*|\s*,\s*(?=['\"]\w+['\"]\s*:)")  # lines, or entries in braces


def convert_faster_rcnn_prototxt(net: NetParameter, height: int = HEIGHT, width: int = WIDTH) -> NetParameter:
    """Return the network with its proposal and RoI pooling layers as one RPROI layer, for pictures of one size.

    TensorRT's parser has no Python layer, takes inputs of four dimensions only, reshapes behind the batch, and does not
    know a dropout that scales at inference, which becomes a Power layer. Of small pictures no more proposals enter
    suppression than there are anchors: RPROI_TRT would read what lies behind them.

    Raises:
        UserError: the network has no layer `proposal` in Python with a RoI pooling behind it, or one that it cannot
            read.
    """
    layers = list(at_inference(net).layer)
    if any(layer.type == "RPROI" for layer in layers):
        raise UserError(f"network {net.name!r} has an RPROI layer: it is in TensorRT's form already. Use it as it is.")
    proposal = next((layer for layer in layers if layer.type == "Python" and "rois" in layer.top), None)
    pooling = next((layer for layer in layers if layer.type == "ROIPooling"), None)
    if proposal is None or pooling is None or len(proposal.bottom) != 3:
        raise UserError(
            f"network {net.name!r} has no proposal and ROIPooling layers. Give py-faster-rcnn's test.prototxt."
        )
    converted = NetParameter(name=net.name)
    for name, dims in (("data", (1, 3, height, width)), ("im_info", (1, 1, 1, 3))):
        converted.layer.add(name=name, type="Input", top=[name]).input_param.shape.add(dim=dims)
    for layer in layers:
        if layer is pooling:
            rows, columns = map_size(layers, proposal.bottom[0], {"data": (height, width)})
            converted.layer.append(_fused(proposal, pooling, rows * columns))
        elif layer is not proposal and layer.type != "Input":
            converted.layer.append(layer)
            _adapt(converted.layer[-1])
    return converted


def _fused(proposal: LayerParameter, pooling: LayerParameter, cells: int) -> LayerParameter:
    scores, offsets, info = proposal.bottom
    stride, scales, ratios = _settings(proposal)
    anchors = len(ratios) * len(scales) * cells
    layer = LayerParameter(name=FUSED, type="RPROI", bottom=[scores, offsets, pooling.bottom[0], info])
    layer.top.extend([proposal.top[0], pooling.top[0]])
    region = layer.region_proposal_param
    region.feature_stride = stride
    region.prenms_top, region.nms_max_out = min(PRE_NMS_TOP, anchors), min(NMS_MAX_OUT, anchors)
    region.anchor_ratio_count, region.anchor_scale_count = len(ratios), len(scales)
    region.iou_threshold, region.min_box_size = IOU_THRESHOLD, MIN_BOX_SIZE
    region.anchor_ratio.extend(ratios)
    region.anchor_scale.extend(scales)
    layer.roi_pooling_param.CopyFrom(pooling.roi_pooling_param)
    return layer


def _settings(proposal: LayerParameter) -> tuple[int, tuple[float, ...], tuple[float, ...]]:
    """Return stride, scales and ratios of the anchors, which param_str names where they are not the authors' own.

    Lines of it are YAML, with a tuple in Python's tag; settings in braces are taken too.
    """
    text = proposal.python_param.param_str
    found: dict[str, object] = {"feat_stride": STRIDE, "scales": SCALES, "ratios": RATIOS}
    try:
        for line in BETWEEN.split(text.strip("{} \n")) if text.strip() else ():
            name, value = SETTING.fullmatch(line.strip()).groups()  # type: ignore[union-attr]
            if name not in found:
                raise KeyError(name)
            found[name] = ast.literal_eval(value)
        scales, ratios = (tuple(float(size) for size in found[name]) for name in ("scales", "ratios"))  # type: ignore[attr-defined]
        stride = int(found["feat_stride"])  # type: ignore[call-overload]
        if stride < 1 or not scales or not ratios or min(*scales, *ratios) <= 0:
            raise ValueError(text)
    except KeyError as error:
        known = "feat_stride, scales and ratios"
        fault = f"layer {proposal.name!r}: param_str has {error}, but {known} are read"
        raise UserError(f"{fault}. Leave it out.") from error
    except (ValueError, SyntaxError, TypeError, AttributeError) as error:
        raise UserError(
            f"layer {proposal.name!r}: param_str {text!r} is not read. Write it as 'name': value, a line each."
        ) from error
    return stride, scales, ratios


def _adapt(layer: LayerParameter) -> None:
    """Write 0, 2, -1, 0 as 2, -1, 0 behind axis 1, and a dropout that scales at inference as a Power layer."""
    if layer.type == "Reshape" and layer.reshape_param.axis == 0 and layer.reshape_param.shape.dim[:1] == [0]:
        layer.reshape_param.axis = 1
        del layer.reshape_param.shape.dim[0]
    if layer.type == "Dropout":
        share = 1 if layer.dropout_param.scale_train else 1 - layer.dropout_param.dropout_ratio
        layer.ClearField("dropout_param")
        if share != 1:
            layer.type, layer.power_param.scale = "Power", share
