"""From PyTorch to TensorFlow: SSD on InceptionV2 as a frozen graph like ssd_inception_v2_coco's.

Namespaces, names and outputs are those of TensorFlow's object detection models (guide §13.1): Preprocessor,
FeatureExtractor, BoxPredictor_0 to _5, MultipleGridAnchorGenerator with its assertions, Postprocessor; image_tensor
goes in, detection_boxes, detection_scores, detection_classes and num_detections come out. Loops over the pictures of a
batch are operations on the whole batch here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trtflow.families.common import environment  # noqa: F401  # isort: skip - of TensorFlow, before it is loaded

import numpy as np
import tensorflow as tf
from torch import Tensor

from trtflow.families.ssd_inception.network import (
    BLOCKS,
    EPSILON,
    EXTRAS,
    FEATURE_SIZES,
    FIRST,
    SIZE,
    SOURCES,
    STEM,
    SSDInception,
    Unit,
    default_shapes,
)

INPUT = "image_tensor"
BOXES, SCORES, CLASSES, COUNT = OUTPUTS = (
    "detection_boxes",
    "detection_scores",
    "detection_classes",
    "num_detections",
)
CODER_SCALES = (10.0, 10.0, 5.0, 5.0)  # of y, x, height and width in the box encodings
SCORE_THRESHOLD, IOU_THRESHOLD, MOST_DETECTIONS = 1e-8, 0.6, 100
TO_TENSORFLOW = (1, 0, 3, 2)  # x, y, width, height become y, x, height, width

scope = tf.compat.v1.name_scope


def to_graph(model: SSDInception) -> Any:
    """Return the network with its weights as a frozen GraphDef.

    Its input image_tensor is uint8 [N, H, W, 3], red, green, blue, of any size; its outputs are those of TensorFlow's
    object detection models: detection_boxes float32 [N, 100, 4], ymin, xmin, ymax, xmax from 0 to 1, best first,
    detection_scores and detection_classes float32 [N, 100], num_detections float32 [N].
    """
    with tf.Graph().as_default() as graph:
        images = tf.compat.v1.placeholder(tf.uint8, [None, None, None, 3], name=INPUT)
        maps = _feature_maps(model, _preprocess(tf.cast(images, tf.float32, name="ToFloat")))
        predictions = [_predict(model, x, index) for index, x in enumerate(maps)]
        boxes, scores = zip(*predictions, strict=True)
        encodings, logits = tf.concat(boxes, 1, name="concat"), tf.concat(scores, 1, name="concat_1")
        _postprocess(encodings, _anchors(), logits)
    return graph.as_graph_def()


def _preprocess(images: Any) -> Any:
    with scope("Preprocessor/"):
        resized = tf.raw_ops.ResizeBilinear(images=images, size=[SIZE, SIZE], name="ResizeBilinear")
        return tf.subtract(tf.multiply(resized, 2 / 255, name="mul"), 1.0, name="sub")


def _constant(values: Tensor | np.ndarray, name: str) -> Any:
    """Return a weight as freezing leaves it: a constant, and the identity that read the variable."""
    array = values if isinstance(values, np.ndarray) else values.detach().numpy()
    return tf.identity(tf.constant(array, tf.float32, name=name), name=f"{name}/read")


def _kernel(model: SSDInception, name: str) -> Tensor:
    return model.get_parameter(f"convolutions.{name}.weight")


def _feature_maps(model: SSDInception, x: Any) -> list[Any]:
    """Return the maps that boxes are predicted from."""
    maps = {}
    with scope("FeatureExtractor/InceptionV2/InceptionV2/"):
        x = _run(model, STEM, _first(model, x))
        for block in BLOCKS:
            x = tf.concat([_run(model, branch, x) for branch in block.branches], 3, name=f"{block.scope}/concat")
            maps[block.scope] = x
    with scope("FeatureExtractor/InceptionV2/"):
        for unit in EXTRAS:
            x = maps[unit.scope] = _run(model, (unit,), x)
    return [maps[source] for source in SOURCES]


def _first(model: SSDInception, x: Any) -> Any:
    """Add the separable convolution."""
    depthwise, pointwise = (_kernel(model, f"{FIRST.scope}/{part}") for part in ("depthwise", "pointwise"))
    kernel = depthwise.reshape(3, -1, *depthwise.shape[2:]).permute(2, 3, 0, 1)  # height, width, channel, of each
    strides = [1, FIRST.stride, FIRST.stride, 1]
    with scope(f"{FIRST.scope}/"):
        kernel = _constant(kernel, "depthwise_weights")
        x = tf.nn.depthwise_conv2d(x, kernel, strides, "SAME", name="separable_conv2d/depthwise")
        kernel = _constant(pointwise.permute(2, 3, 1, 0), "pointwise_weights")
        return _normalise(model, FIRST, tf.nn.conv2d(x, kernel, 1, "SAME", name="separable_conv2d"))


def _run(model: SSDInception, units: Sequence[Unit], x: Any) -> Any:
    for unit in units:
        if unit.channels:
            with scope(f"{unit.scope}/"):
                kernel = _constant(_kernel(model, unit.scope).permute(2, 3, 1, 0), "weights")
                x = _normalise(model, unit, tf.nn.conv2d(x, kernel, unit.stride, "SAME", name="Conv2D"))
        elif unit.pooling == "MaxPool":
            x = tf.nn.max_pool2d(x, unit.kernel, unit.stride, "SAME", name=f"{unit.scope}/MaxPool")
        else:
            x = tf.nn.avg_pool2d(x, unit.kernel, unit.stride, "SAME", name=f"{unit.scope}/AvgPool")
    return x


def _normalise(model: SSDInception, unit: Unit, x: Any) -> Any:
    norm = f"batch_norms.{unit.scope}"
    parts = {
        "gamma": model.get_parameter(f"{norm}.weight"),
        "beta": model.get_parameter(f"{norm}.bias"),
        "moving_mean": model.get_buffer(f"{norm}.running_mean"),
        "moving_variance": model.get_buffer(f"{norm}.running_var"),
    }
    moments = [_constant(values, f"BatchNorm/{name}") for name, values in parts.items()]
    x, *_ = tf.compat.v1.nn.fused_batch_norm(x, *moments, EPSILON, is_training=False, name="BatchNorm/FusedBatchNorm")
    return tf.nn.relu6(x, name="Relu6")


def _predict(model: SSDInception, x: Any, index: int) -> tuple[Any, Any]:
    """Return box encodings [N, boxes, 1, 4] and class scores [N, boxes, classes] of one map."""
    with scope(f"BoxPredictor_{index}/"):
        encodings = _head(model, x, f"BoxPredictor_{index}", "BoxEncodingPredictor", TO_TENSORFLOW)
        logits = _head(model, x, f"BoxPredictor_{index}", "ClassPredictor", range(model.class_count))
        batch = tf.shape(x, name="Shape")[0]
        count = FEATURE_SIZES[index] ** 2 * len(default_shapes()[index])
        encodings = tf.reshape(encodings, tf.stack([batch, count, 1, 4], name="stack"), name="Reshape")
        shape = tf.stack([batch, count, model.class_count], name="stack_1")
        return encodings, tf.reshape(logits, shape, name="Reshape_1")


def _head(model: SSDInception, x: Any, namespace: str, name: str, order: Sequence[int]) -> Any:
    """Add a predictor; `order` is that of a box's values."""
    weights, biases = (model.get_parameter(f"heads.{namespace}/{name}.{part}") for part in ("weight", "bias"))
    rows = np.arange(len(biases)).reshape(-1, len(order))[:, list(order)].ravel()
    with scope(f"{namespace}/{name}/"):
        kernel = _constant(weights[rows].permute(2, 3, 1, 0), "weights")
        x = tf.nn.conv2d(x, kernel, 1, "SAME", name="Conv2D")
        return tf.nn.bias_add(x, _constant(biases[rows], "biases"), name="BiasAdd")


def _anchors() -> Any:
    """Return the default boxes, float32 [1917, 4], ymin, xmin, ymax, xmax."""
    with scope("MultipleGridAnchorGenerator/"):
        boxes = [_grid(size, shapes) for size, shapes in zip(FEATURE_SIZES, default_shapes(), strict=True)]
        return tf.concat([tf.identity(part, name="Identity") for part in boxes], 0, name="Concatenate/concat")


def _grid(size: int, shapes: np.ndarray) -> Any:
    """Return the default boxes of one map, of a cell in the order of `shapes`, width and height."""
    centres = tf.multiply(tf.add(tf.cast(tf.range(size), tf.float32), 0.5), 1 / size)
    y, x = tf.meshgrid(centres, centres, indexing="ij")
    centre = tf.expand_dims(tf.stack([y, x], 2), 2)
    half = tf.constant(shapes[:, ::-1] / 2, tf.float32)
    corners = tf.reshape(tf.concat([centre - half, centre + half], 3), [-1, 4])
    expected = size * size * len(shapes)
    with tf.control_dependencies([_assert_count(corners, expected)]):
        return tf.identity(corners)


def _assert_count(boxes: Any, expected: int) -> Any:
    """Return an Assert node; where TensorFlow knows the shape, its own assertions leave none."""
    with scope("assert_equal"):
        equal = tf.equal(tf.shape(boxes)[0], expected, name="Equal")
        return tf.raw_ops.Assert(condition=equal, data=[tf.constant(expected)], name="Assert/Assert")


def _postprocess(encodings: Any, anchors: Any, logits: Any) -> None:
    """Add decoding, suppression and the outputs."""
    with scope("Postprocessor/"):
        boxes = _decode(tf.squeeze(encodings, 2, name="Squeeze"), tf.expand_dims(anchors, 0, name="ExpandDims"))
        scores = tf.sigmoid(logits, name="convert_scores")[:, :, 1:]  # without the background
        found = tf.raw_ops.CombinedNonMaxSuppression(
            boxes=tf.expand_dims(boxes, 2),
            scores=scores,
            max_output_size_per_class=MOST_DETECTIONS,
            max_total_size=MOST_DETECTIONS,
            iou_threshold=IOU_THRESHOLD,
            score_threshold=SCORE_THRESHOLD,
            clip_boxes=True,
            name="BatchMultiClassNonMaxSuppression/CombinedNonMaxSuppression",
        )
        count = tf.cast(found.valid_detections, tf.float32, name="ToFloat")
    tf.identity(found.nmsed_boxes, name=BOXES)
    tf.identity(found.nmsed_scores, name=SCORES)
    tf.identity(tf.add(found.nmsed_classes, 1.0, name="add"), name=CLASSES)  # the background is class 0
    tf.identity(count, name=COUNT)


def _decode(encodings: Any, anchors: Any) -> Any:
    """Return boxes ymin, xmin, ymax, xmax [N, 1917, 4]."""
    with scope("Decode"):
        low, high = tf.split(anchors, 2, axis=2)
        shift, growth = tf.split(tf.divide(encodings, CODER_SCALES), 2, axis=2)
        size = high - low
        centre, half = shift * size + (low + high) / 2, tf.exp(growth) * size / 2
        return tf.concat([centre - half, centre + half], 2)
