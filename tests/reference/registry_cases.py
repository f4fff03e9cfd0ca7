"""Random inputs for TensorRT's own plugins, which their reference implementations must agree on; for either Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
from plugin_cases import FIELD_TYPES

from trtflow.runtime.build import build_plan
from trtflow.runtime.session import Session

RNG = np.random.default_rng(20)
DYNAMIC = ("EfficientNMS_TRT", "BatchedNMSDynamic_TRT", "InstanceNormalization_TRT", "ROIAlign_TRT")
COUNTED = ("EfficientNMS_TRT", "BatchedNMS_TRT", "BatchedNMSDynamic_TRT")  # whose first output is a number of rows
CORNER_STEP = 5e-4  # NMS_TRT has sizes of boxes as half numbers; one may fall to the other side


@dataclass
class Case:
    """A plugin with its fields, a batch for each input, and how far outputs may be from the reference's.

    A plugin of dynamic shapes is in a network with an explicit batch; `constants` are inputs without a batch.
    """

    name: str
    plugin: str
    fields: dict[str, list[float] | float]
    inputs: dict[str, np.ndarray]
    outputs: int = 1
    tolerance: float = 1e-6  # absolute
    version: str = "1"
    constants: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def explicit(self) -> bool:
        """Whether the network has an explicit batch."""
        return self.plugin in DYNAMIC


def grid_anchor(name: str, shapes: list[int], ratios: list[float], **fields: Any) -> Case:
    """Return default boxes of some maps; the input is a factor of one, for a network needs an input."""
    usual: dict[str, Any] = {"minSize": 0.2, "maxSize": 0.95, "variance": [0.1, 0.1, 0.2, 0.2]}
    usual |= {"aspectRatios": ratios, "featureMapShapes": shapes, "numLayers": len(shapes)}
    return Case(name, "GridAnchor_TRT", usual | fields, {"one": np.ones((2, 1, 1, 1), np.float32)}, len(shapes), 2e-6)


def flatten_concat(name: str, batch: int, shapes: list[tuple[int, int, int]], axis: int = 1) -> Case:
    """Return rows of some maps, joined along an axis."""
    inputs = {f"x{i}": RNG.normal(size=(batch, *shape)).astype(np.float32) for i, shape in enumerate(shapes)}
    return Case(name, "FlattenConcat_TRT", {"axis": axis, "ignoreBatch": 0}, inputs, 1, 0)


def nms(name: str, batch: int, classes: int, side: float = 1, spread: float = 1, **fields: Any) -> Case:
    """Return detections from random offsets and scores of random default boxes.

    `side` is that of a picture, in the units of its boxes, and `spread` that of the offsets. Where pictures have
    default boxes of their own they differ.
    """
    count = 200
    shared = fields.get("shareLocation", 1)
    pictures = 1 if fields.get("isBatchAgnostic", 1) else batch
    low, size = (
        RNG.uniform(0, 0.7 * side, (pictures, count, 2)),
        RNG.uniform(0.1 * side, 0.3 * side, (pictures, count, 2)),
    )
    boxes = np.concatenate([low, low + size], axis=2).reshape(pictures, -1)
    priors = np.stack([boxes, np.broadcast_to(np.tile([0.1, 0.1, 0.2, 0.2], count), boxes.shape)], axis=1)
    arrays = {
        "loc": RNG.normal(size=(batch, count * 4 * (1 if shared else classes), 1, 1), scale=spread),
        "conf": RNG.normal(size=(batch, count * classes, 1, 1)),
        "prior": np.broadcast_to(priors[..., None], (batch, 2, count * 4, 1)),
    }
    if not fields.get("confSigmoid"):
        arrays["conf"] = 1 / (1 + np.exp(-arrays["conf"]))
    usual = {"shareLocation": 1, "varianceEncodedInTarget": 0, "backgroundLabelId": 0, "numClasses": classes}
    usual |= {"topK": 100, "keepTopK": 50, "confidenceThreshold": 0.6, "nmsThreshold": 0.45}
    usual |= {"inputOrder": [0, 1, 2], "confSigmoid": 0, "isNormalized": 1, "codeType": 1}
    usual |= fields
    placed = sorted(zip(usual["inputOrder"], arrays.items(), strict=True), key=lambda item: item[0])
    inputs = {key: np.ascontiguousarray(array, np.float32) for _, (key, array) in placed}
    return Case(name, "NMS_TRT", usual, inputs, 2, CORNER_STEP)


def rproi(name: str, batch: int, cells: tuple[int, int], channels: int, scale: float = 1, **fields: Any) -> Case:
    """Return proposals and what is pooled below them, from random scores, offsets and maps.

    `scale` is what the pictures were enlarged by, which smallest boxes are measured before.
    """
    usual: dict[str, Any] = {"poolingH": 7, "poolingW": 7, "featureStride": 16, "preNmsTop": 300, "nmsMaxOut": 50}
    usual |= {"anchorsRatioCount": 3, "anchorsScaleCount": 3, "iouThreshold": 0.7, "minBoxSize": 16.0}
    usual |= {"spatialScale": 0.0625, "anchorsRatios": [0.5, 1.0, 2.0], "anchorsScales": [8.0, 16.0, 32.0]}
    info = np.array([cells[0] * 16, cells[1] * 16, scale], np.float32)
    inputs = {
        "score": RNG.uniform(size=(batch, 18, *cells)),
        "delta": RNG.normal(size=(batch, 36, *cells), scale=0.3),
        "map": RNG.normal(size=(batch, channels, *cells)),
        "info": np.broadcast_to(info, (batch, 1, 1, 3)),
    }
    inputs = {key: np.ascontiguousarray(array, np.float32) for key, array in inputs.items()}
    return Case(name, "RPROI_TRT", usual | fields, inputs, 2, 1e-2)


def boxes_of(batch: int, count: int, classes: int = 0, centred: bool = False) -> np.ndarray:
    """Return random boxes [N, P, 4], or [N, P, C, 4], by corners or by centre and size."""
    shape = (batch, count, classes) if classes else (batch, count)
    low, size = RNG.uniform(-0.1, 0.8, (*shape, 2)), RNG.uniform(0.1, 0.3, (*shape, 2))
    parts = [low + size / 2, size] if centred else [low, low + size]
    return np.concatenate(parts, axis=-1).astype(np.float32)


def efficient_nms(name: str, batch: int, count: int, classes: int, anchors: int = 0, **fields: Any) -> Case:
    """Return detections of random boxes, or of random offsets from random anchors of `anchors` pictures."""
    each, raw = fields.pop("each", False), fields.get("score_activation", 0)
    centred = bool(fields.get("box_coding"))
    scores = RNG.normal(size=(batch, count, classes), scale=2)
    inputs = {"boxes": boxes_of(batch, count, classes if each else 0, centred)}
    inputs["scores"] = np.float32(scores if raw else 1 / (1 + np.exp(-scores)))
    if anchors:
        inputs["boxes"] = RNG.normal(size=inputs["boxes"].shape, scale=0.1).astype(np.float32)
        inputs["anchors"] = boxes_of(anchors, count, 0, centred)
    usual: dict[str, Any] = {"score_threshold": 0.3, "iou_threshold": 0.4, "max_output_boxes": 60}
    usual |= {"background_class": -1, "score_activation": 0, "class_agnostic": 0, "box_coding": 0}
    return Case(name, "EfficientNMS_TRT", usual | fields, inputs, 4, 1e-5)


def batched_nms(name: str, plugin: str, batch: int, count: int, classes: int, side: float = 1, **fields: Any) -> Case:
    """Return detections of random boxes on a picture of a side."""
    shared = fields.get("shareLocation", 1)
    inputs = {"boxes": boxes_of(batch, count, 1 if shared else classes) * np.float32(side)}
    inputs["scores"] = RNG.uniform(size=(batch, count, classes)).astype(np.float32)
    usual: dict[str, Any] = {"shareLocation": 1, "backgroundLabelId": -1, "numClasses": classes, "topK": 80}
    usual |= {"keepTopK": 50, "scoreThreshold": 0.4, "iouThreshold": 0.4, "isNormalized": 1, "clipBoxes": 1}
    usual |= {"scoreBits": 16, "caffeSemantics": 1}
    return Case(name, plugin, usual | fields, inputs, 4, 1e-5)


def on_map(name: str, plugin: str, shape: tuple[int, ...], tolerance: float = 1e-6, **fields: Any) -> Case:
    """Return what a plugin makes of a random map."""
    version = str(fields.pop("version", "1"))
    return Case(name, plugin, fields, {"x": RNG.normal(size=shape).astype(np.float32)}, 1, tolerance, version)


def roi_align(name: str, **fields: Any) -> Case:
    """Return what is pooled below random rois, some of which reach out of the picture."""
    low = RNG.uniform(-10, 80, (14, 2))
    rois = np.concatenate([low, low + RNG.uniform(1, 70, (14, 2))], axis=1).astype(np.float32)
    pictures = RNG.integers(0, 2, 14).astype(np.int32)
    inputs = {"x": RNG.normal(size=(2, 3, 20, 24)).astype(np.float32), "rois": rois, "pictures": pictures}
    usual: dict[str, Any] = {"coordinate_transformation_mode": 1, "mode": 1, "output_height": 4, "output_width": 3}
    usual |= {"sampling_ratio": 2, "spatial_scale": 0.25}
    return Case(name, "ROIAlign_TRT", usual | fields, inputs, 1, 1e-5)


def crop_and_resize(name: str, batch: int, rois: int, height: int, width: int) -> Case:
    """Return random parts of a random map, some of which reach out of it."""
    low = RNG.uniform(-0.1, 0.7, (batch, rois, 1, 2))
    places = np.concatenate([low, low + RNG.uniform(0.05, 0.5, low.shape)], axis=3).astype(np.float32)
    inputs = {"x": RNG.normal(size=(batch, 3, 9, 11)).astype(np.float32), "rois": places}
    return Case(name, "CropAndResize", {"crop_width": width, "crop_height": height}, inputs, 1, 2e-5)


def batch_tile(name: str, batch: int, shape: tuple[int, int, int]) -> Case:
    """Return a constant for each picture of a batch."""
    tile = {"tile": RNG.normal(size=(1, *shape)).astype(np.float32)}
    return Case(
        name, "BatchTilePlugin_TRT", {}, {"x": RNG.normal(size=(batch, 2, 3, 1)).astype(np.float32)}, 1, 0, "1", tile
    )


CASES = [
    grid_anchor("grid_anchor of ssd_inception_v2", [19, 10, 5, 3, 2, 1], [1.0, 2.0, 0.5, 3.0, 0.33]),
    grid_anchor("grid_anchor of three maps", [8, 4, 2], [1.0, 2.0, 0.5]),
    flatten_concat("flatten_concat_trt of one map", 2, [(5, 1, 4)]),
    flatten_concat("flatten_concat_trt of three maps", 3, [(4, 3, 2), (6, 3, 2), (1, 3, 2)]),
    nms("nms as in SSD's Caffe model", 2, 5),
    nms("nms as in TensorFlow's SSD", 2, 5, codeType=3, inputOrder=[0, 1, 2], confSigmoid=1, nmsThreshold=0.6),
    nms("nms with corners", 1, 3, codeType=0),
    nms("nms with corners by the size", 1, 3, codeType=2),
    nms("nms with boxes of each class", 1, 3, shareLocation=0),
    rproi("rproi as in sampleFasterRCNN", 1, (24, 32), 16),
    rproi("rproi of two pictures", 2, (12, 10), 5, poolingH=3, poolingW=2, anchorsScales=[1.0, 2.0, 4.0]),
    grid_anchor(
        "grid_anchor of other sizes", [6, 3], [1.0, 2.0, 0.5], minSize=0.1, maxSize=0.8, variance=[0.2, 0.1, 0.3, 0.4]
    ),
    flatten_concat("flatten_concat_trt along rows", 2, [(1, 4, 3), (1, 2, 3)], axis=2),
    flatten_concat("flatten_concat_trt along columns", 2, [(1, 1, 5), (1, 1, 2)], axis=3),
    nms("nms with inputs in TensorFlow's order", 2, 4, codeType=3, inputOrder=[0, 2, 1], confSigmoid=1),
    nms("nms with the third class as the background", 2, 4, backgroundLabelId=2),
    nms("nms without a background", 1, 3, backgroundLabelId=-1),
    nms("nms of boxes in pixels", 2, 3, side=300, isNormalized=0, codeType=0, spread=100),
    nms("nms with variances in the offsets", 1, 3, spread=0.15, varianceEncodedInTarget=1),
    nms("nms with default boxes of each picture", 3, 3, isBatchAgnostic=0),
    nms("nms with few bits of the scores", 1, 3, scoreBits=8),
    rproi("rproi of an enlarged picture", 1, (12, 10), 4, scale=1.6, minBoxSize=24.0, iouThreshold=0.5),
    rproi("rproi of a finer map", 1, (8, 12), 4, featureStride=8, spatialScale=0.125, anchorsScales=[2.0, 4.0, 8.0]),
]
CASES += [
    efficient_nms("efficient_nms of two pictures", 2, 120, 5),
    efficient_nms("efficient_nms with a background and raw scores", 2, 90, 4, background_class=0, score_activation=1),
    efficient_nms("efficient_nms over all classes", 1, 150, 6, class_agnostic=1, score_threshold=0.5),
    efficient_nms("efficient_nms with centres and sizes", 2, 100, 3, box_coding=1),
    efficient_nms("efficient_nms with boxes of each class", 2, 70, 4, each=True),
    efficient_nms("efficient_nms with anchors", 2, 100, 4, anchors=1),
    efficient_nms("efficient_nms with anchors of each picture", 2, 100, 4, anchors=2, box_coding=1),
    efficient_nms("efficient_nms of fewer boxes than it may give", 2, 12, 2, max_output_boxes=100),
    efficient_nms("efficient_nms of many boxes", 1, 3000, 3, score_threshold=0.05, max_output_boxes=200),
    batched_nms("batched_nms", "BatchedNMS_TRT", 2, 100, 5),
    batched_nms("batched_nms with a background", "BatchedNMS_TRT", 2, 100, 5, backgroundLabelId=0, topK=60),
    batched_nms("batched_nms with boxes of each class", "BatchedNMS_TRT", 2, 80, 4, shareLocation=0, clipBoxes=0),
    batched_nms("batched_nms in pixels", "BatchedNMS_TRT", 1, 100, 3, side=40, isNormalized=0, clipBoxes=0),
    batched_nms(
        *("batched_nms in pixels, but not Caffe's", "BatchedNMS_TRT", 1, 100, 3, 40),
        isNormalized=0,
        clipBoxes=0,
        caffeSemantics=0,
    ),
    batched_nms("batched_nms_dynamic", "BatchedNMSDynamic_TRT", 2, 100, 5),
    batched_nms("batched_nms_dynamic of few boxes", "BatchedNMSDynamic_TRT", 2, 9, 2, topK=60),
    on_map(
        "instance_norm",
        "InstanceNormalization_TRT",
        (2, 3, 6, 5),
        1e-5,
        epsilon=1e-3,
        scales=[1.0, 0.5, -2.0],
        bias=[0.1, 0.0, 1.0],
    ),
    on_map(
        "instance_norm with a leaky relu",
        "InstanceNormalization_TRT",
        (2, 2, 7, 4),
        1e-5,
        epsilon=1e-5,
        scales=[1.5, 0.5],
        bias=[0.1, -0.3],
        relu=1,
        alpha=0.2,
    ),
    roi_align("roi_align"),
    roi_align("roi_align without the half pixel", coordinate_transformation_mode=0),
    roi_align("roi_align of the largest", mode=0),
    roi_align("roi_align with as many samples as fit", sampling_ratio=0),
    on_map("lrelu", "LReLU_TRT", (2, 3, 4, 5), negSlope=0.1),
    on_map("clip", "Clip_TRT", (2, 3, 4, 5), clipMin=-0.5, clipMax=0.7),
    on_map("reorg", "Reorg_TRT", (2, 12, 4, 6), stride=2),
    on_map("region as in YOLOv2", "Region_TRT", (2, 75, 4, 3), 1e-5, num=3, coords=4, classes=20),
    on_map("resize_nearest by 2", "ResizeNearest_TRT", (2, 3, 4, 5), scale=2.0),
    on_map("resize_nearest by 1.7", "ResizeNearest_TRT", (1, 3, 7, 5), scale=1.7),
    Case(
        "grid_anchor_rect",
        "GridAnchorRect_TRT",
        {"minSize": 0.2, "maxSize": 0.9, "variance": [0.1, 0.1, 0.2, 0.2], "aspectRatios": [1.0, 2.0, 0.5]}
        | {"featureMapShapes": [4, 6, 2, 3], "numLayers": 2},
        {"one": np.ones((2, 1, 1, 1), np.float32)},
        2,
        2e-6,
    ),
    batch_tile("batch_tile", 3, (2, 4, 5)),
    crop_and_resize("crop_and_resize", 2, 6, 4, 5),
    crop_and_resize("crop_and_resize to one row", 1, 5, 1, 4),
]
ANCHORS = ("GridAnchor_TRT", "GridAnchorRect_TRT")
INTEGERS = {
    *("numLayers", "featureMapShapes", "axis", "ignoreBatch", "shareLocation", "varianceEncodedInTarget"),
    *("backgroundLabelId", "numClasses", "topK", "keepTopK", "inputOrder", "confSigmoid", "isNormalized", "codeType"),
    *("scoreBits", "isBatchAgnostic", "clipBoxes", "caffeSemantics", "max_output_boxes", "background_class"),
    *("score_activation", "class_agnostic", "box_coding", "relu", "coordinate_transformation_mode", "mode"),
    *("output_height", "output_width", "sampling_ratio", "stride", "num", "coords", "classes"),
    *("crop_width", "crop_height"),
    *("poolingH", "poolingW", "featureStride", "preNmsTop", "nmsMaxOut", "anchorsRatioCount", "anchorsScaleCount"),
}


def create_plugin(trt: ModuleType, case: Case) -> Any:
    """Return the case's plugin from TensorRT's own creator."""
    fields, arrays = [], []
    for name, value in case.fields.items():
        arrays.append(np.atleast_1d(np.array(value, np.int32 if name in INTEGERS else np.float32)))
        kind = getattr(trt.PluginFieldType, FIELD_TYPES[arrays[-1].dtype.name])
        fields.append(trt.PluginField(name, arrays[-1], kind))
    creator = trt.get_plugin_registry().get_plugin_creator(case.plugin, case.version, "")
    return creator.create_plugin(case.name, trt.PluginFieldCollection(fields))


def define(case: Case) -> Callable[[ModuleType, Any], None]:
    """Return the definition of a network of the one layer, outputs y0, y1, …"""

    def network_of(trt: ModuleType, network: Any) -> None:
        skip = 0 if case.explicit else 1
        types = {np.dtype(np.float32): trt.float32, np.dtype(np.int32): trt.int32}
        inputs = [network.add_input(name, types[x.dtype], x.shape[skip:]) for name, x in case.inputs.items()]
        inputs += [network.add_constant(x.shape, x).get_output(0) for x in case.constants.values()]
        anchors = case.plugin in ANCHORS
        layer = network.add_plugin_v2([] if anchors else inputs, create_plugin(trt, case))
        outputs = [layer.get_output(index) for index in range(case.outputs)]
        if anchors:
            product = trt.ElementWiseOperation.PROD
            outputs = [network.add_elementwise(output, inputs[0], product).get_output(0) for output in outputs]
        for index, output in enumerate(outputs):
            output.name = f"y{index}"
            network.mark_output(output)

    return network_of


def run(trt: ModuleType, case: Case) -> list[np.ndarray]:
    """Return the outputs of the case's batch."""
    batch = len(next(iter(case.inputs.values())))
    plan = build_plan(trt, define(case), "fp32", batch, explicit_batch=case.explicit)
    engine = trt.Runtime(trt.Logger(trt.Logger.WARNING)).deserialize_cuda_engine(plan)
    with Session(trt, engine) as session:
        found = session.run(case.inputs)
    return [found[f"y{index}"] for index in range(case.outputs)]


def check(case: Case, found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    """Compare two runtimes' outputs.

    Raises:
        AssertionError: they differ by more than the case allows.
    """
    if case.plugin == "NMS_TRT":
        counts = [np.ascontiguousarray(outputs[1]).view(np.int32).ravel() for outputs in (found, expected)]
        np.testing.assert_array_equal(*counts, err_msg=case.name)
        used = np.arange(found[0].shape[2]) < counts[0][:, None]  # TensorRT leaves the others as they were
        found, expected = ([outputs[0][:, 0][used]] for outputs in (found, expected))
    if case.plugin in COUNTED:
        counts = [np.ascontiguousarray(outputs[0]).view(np.int32).ravel() for outputs in (found, expected)]
        np.testing.assert_array_equal(*counts, err_msg=case.name)
        used = np.arange(expected[2].shape[1]) < counts[0][:, None]
        found, expected = ([output[used] for output in outputs[1:]] for outputs in (found, expected))
    if case.plugin in ANCHORS:  # TensorRT writes them for a batch's first picture alone
        found, expected = ([output[:1] for output in outputs] for outputs in (found, expected))
    for output, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(output, wanted, atol=case.tolerance, rtol=1e-5, err_msg=case.name)
