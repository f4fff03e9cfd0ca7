"""Random inputs for TensorRT's own plugins, which their reference implementations must agree on; for either Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from plugin_cases import FIELD_TYPES

from trtflow.runtime.build import build_plan
from trtflow.runtime.session import Session

RNG = np.random.default_rng(20)
CORNER_STEP = 5e-4  # NMS_TRT has sizes of boxes as half numbers; one may fall to the other side


@dataclass
class Case:
    """A plugin with its fields, a batch for each input, and how far outputs may be from the reference's."""

    name: str
    plugin: str
    fields: dict[str, list[float] | float]
    inputs: dict[str, np.ndarray]
    outputs: int = 1
    tolerance: float = 1e-6  # absolute


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
INTEGERS = {
    *("numLayers", "featureMapShapes", "axis", "ignoreBatch", "shareLocation", "varianceEncodedInTarget"),
    *("backgroundLabelId", "numClasses", "topK", "keepTopK", "inputOrder", "confSigmoid", "isNormalized", "codeType"),
    *("scoreBits", "isBatchAgnostic"),
    *("poolingH", "poolingW", "featureStride", "preNmsTop", "nmsMaxOut", "anchorsRatioCount", "anchorsScaleCount"),
}


def create_plugin(trt: ModuleType, case: Case) -> Any:
    """Return the case's plugin from TensorRT's own creator."""
    fields, arrays = [], []
    for name, value in case.fields.items():
        arrays.append(np.atleast_1d(np.array(value, np.int32 if name in INTEGERS else np.float32)))
        kind = getattr(trt.PluginFieldType, FIELD_TYPES[arrays[-1].dtype.name])
        fields.append(trt.PluginField(name, arrays[-1], kind))
    creator = trt.get_plugin_registry().get_plugin_creator(case.plugin, "1", "")
    return creator.create_plugin(case.name, trt.PluginFieldCollection(fields))


def define(case: Case) -> Callable[[ModuleType, Any], None]:
    """Return the definition of a network of the one layer, outputs y0, y1, …"""

    def network_of(trt: ModuleType, network: Any) -> None:
        inputs = [network.add_input(name, trt.float32, x.shape[1:]) for name, x in case.inputs.items()]
        anchors = case.plugin == "GridAnchor_TRT"
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
    plan = build_plan(trt, define(case), "fp32", batch)
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
    if case.plugin == "GridAnchor_TRT":  # TensorRT writes them for a batch's first picture alone
        found, expected = ([output[:1] for output in outputs] for outputs in (found, expected))
    for output, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(output, wanted, atol=case.tolerance, rtol=1e-5, err_msg=case.name)
