"""Layers that are plugins: those of SSD and Faster R-CNN, and what a plugin factory makes."""

from __future__ import annotations

from typing import Any

import numpy as np

from trtflow.formats.caffe import LayerParameter
from trtflow.reference.errors import NetworkError
from trtflow.reference.record import rpn_plugins, ssd_plugins
from trtflow.reference.record.caffe.net import Net
from trtflow.reference.record.caffe.table import FACTORY, Added, imports
from trtflow.reference.record.enums import PluginFieldType
from trtflow.reference.record.layers import ILayer
from trtflow.reference.record.plugins import PluginField, PluginFieldCollection, get_plugin_registry
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.values import Weights

DETECTION_OUTPUT = (
    "share_location variance_encoded_in_target background_label_id num_classes keep_top_k confidence_threshold"
    " code_type nms_param.nms_threshold nms_param.top_k"
)
SHOWS = "save_output_param visualize visualize_threshold save_file"  # where Caffe writes what it finds
REGION = "region_proposal_param roi_pooling_param"
REGION_FIELDS = (
    "prenms_top nms_max_out iou_threshold min_box_size feature_stride anchor_ratio_count anchor_scale_count"
    " anchor_ratio anchor_scale pooled_h pooled_w spatial_scale"
)
PRIOR_BOX = "min_size max_size aspect_ratio flip clip variance img_size img_h img_w step step_h step_w offset"


@imports(FACTORY, bottoms=None)
def from_factory(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Add what the plugin factory makes of a layer (guide §10.2)."""
    assert net.factory is not None
    weights = [Weights(net.weights(layer, index)) for index in range(len(net.blobs.get(layer.name, [])))]
    plugin = net.factory.create_plugin(layer.name, weights)
    if plugin is None:
        raise NetworkError(layer.name, "the plugin factory made no plugin of it", "Correct its create_plugin.")
    plugin.plugin_namespace = net.namespace
    return net.network.add_plugin_v2(inputs, plugin)


def add_plugin(net: Net, layer: LayerParameter, name: str, inputs: list[ITensor], fields: dict[str, Any]) -> ILayer:
    """Add a plugin layer from the registry."""
    rpn_plugins.register()
    ssd_plugins.register()
    creator = get_plugin_registry().get_plugin_creator(name, "1", "")
    assert creator is not None
    collection = PluginFieldCollection(
        PluginField(key, np.asarray(value), _field_type(value)) for key, value in fields.items()
    )
    return net.network.add_plugin_v2(inputs, creator.create_plugin(layer.name, collection))


def _field_type(value: Any) -> PluginFieldType:
    return PluginFieldType.INT32 if np.asarray(value).dtype.kind in "iub" else PluginFieldType.FLOAT32


@imports("Normalize", parameters="norm_param", reads="across_spatial channel_shared eps")
def normalize(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Normalize_TRT."""
    parameter = layer.norm_param
    weights = net.weights(layer, 0, 1 if parameter.channel_shared else inputs[0].shape[-3])
    fields = {
        "weights": weights,
        "acrossSpatial": parameter.across_spatial,
        "channelShared": parameter.channel_shared,
        "nbWeights": 1,
        "eps": parameter.eps,
    }
    return add_plugin(net, layer, "Normalize_TRT", inputs, fields)


@imports("PriorBox", parameters="prior_box_param", reads=PRIOR_BOX, bottoms=2)
def prior_box(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """PriorBox_TRT."""
    parameter = layer.prior_box_param
    if not parameter.min_size:
        raise NetworkError(layer.name, f"no min_size in {net.deploy}", "Write it in the prototxt.")
    variance = list(parameter.variance) or [0.1]
    fields = {
        "minSize": np.array(parameter.min_size, np.float32),
        "maxSize": np.array(parameter.max_size, np.float32),
        "aspectRatios": np.array(parameter.aspect_ratio, np.float32),
        "flip": parameter.flip,
        "clip": parameter.clip,
        "variance": np.array(variance * 4 if len(variance) == 1 else variance, np.float32),
        "imgH": parameter.img_h or parameter.img_size,
        "imgW": parameter.img_w or parameter.img_size,
        "stepH": np.float32(parameter.step_h or parameter.step),
        "stepW": np.float32(parameter.step_w or parameter.step),
        "offset": np.float32(parameter.offset),
    }
    added = add_plugin(net, layer, "PriorBox_TRT", inputs, fields)
    net.ranked(added.outputs[0], 3)  # 1, 2, boxes * 4
    return added


@imports("DetectionOutput", parameters="detection_output_param", reads=DETECTION_OUTPUT, idle=SHOWS, bottoms=3)
def detection_output(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> Added:
    """NMS_TRT."""
    parameter = layer.detection_output_param
    fields = {
        "shareLocation": parameter.share_location,
        "varianceEncodedInTarget": parameter.variance_encoded_in_target,
        "backgroundLabelId": parameter.background_label_id,
        "numClasses": parameter.num_classes,
        "topK": parameter.nms_param.top_k,
        "keepTopK": parameter.keep_top_k,
        "confidenceThreshold": np.float32(parameter.confidence_threshold),
        "nmsThreshold": np.float32(parameter.nms_param.nms_threshold),
        "inputOrder": np.arange(3),
        "codeType": parameter.code_type - 1,  # Caffe counts from 1, NMS_TRT from 0
    }
    added = add_plugin(net, layer, "NMS_TRT", inputs, fields)
    net.ranks.update(dict.fromkeys(added.outputs, 4))
    if len(layer.top) == 1 and net.means_caffe:  # Caffe's form; TensorRT's has a top for the number of detections
        added.name = layer.name
        return added.outputs[:1]
    return added


@imports("RPROI", parameters=REGION, reads=REGION_FIELDS, bottoms=4)
def rproi(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """RPROI_TRT."""
    region, pooling = layer.region_proposal_param, layer.roi_pooling_param
    fields = {
        "poolingH": pooling.pooled_h,
        "poolingW": pooling.pooled_w,
        "featureStride": region.feature_stride,
        "preNmsTop": region.prenms_top,
        "nmsMaxOut": region.nms_max_out,
        "anchorsRatioCount": region.anchor_ratio_count,
        "anchorsScaleCount": region.anchor_scale_count,
        "iouThreshold": np.float32(region.iou_threshold),
        "minBoxSize": np.float32(region.min_box_size),
        "spatialScale": np.float32(pooling.spatial_scale),
        "anchorsRatios": np.array(region.anchor_ratio, np.float32),
        "anchorsScales": np.array(region.anchor_scale, np.float32),
    }
    added = add_plugin(net, layer, "RPROI_TRT", inputs, fields)
    net.regions.add(added.outputs[1])
    return added
