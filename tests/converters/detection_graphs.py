"""Frozen detectors with the namespaces of TensorFlow's object_detection, at small width and with random weights.

What config.py files for graphsurgeon go by is as the exporters of 2017 to 2020 wrote it: the loop over the pictures
of a batch (TensorArrays, Enter, Exit), identities behind weights, assertions, `image_tensor:0` as an input, names and
order of the nodes. The networks keep their kinds of layers, strides and feature maps (19, 10, 5, 3, 2, 1), not depth.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
SIZE, WIDTH, MAPS = 300, 8, (19, 10, 5, 3, 2, 1)
MOST, OVERLAP = 100, 0.6
CODER = np.array([10, 10, 5, 5], np.float32)  # object_detection's scales of y, x, height, width
RATIOS = (1.0, 2.0, 0.5, 3.0, 0.33)  # 0.33 as NVIDIA's files have it; object_detection has 0.3333


@dataclass(frozen=True)
class Form:
    """How an exporter wrote a network.

    Attributes:
        extractor: namespace of the feature extractor.
        cast: name of the cast of the picture: ToFloat, since TensorFlow 1.15 Cast.
        squeezed: whether the box encodings are squeezed outside the Postprocessor, and classes counted inside it.
        scores_first: whether the Postprocessor reads the scores before the boxes.
        anchors_apart: whether the anchors are joined outside their generator's namespace.
        fused: whether a normalisation is one node, and not a product and a sum.
        lite: whether the predictors are depthwise separable, and the extra layers too.
        counted: whether the exporter wrote the number of boxes, and not -1, into the shapes of predictions.
        version: of the operations, "V2" for AddV2 and FusedBatchNormV3, which TensorFlow 1.15 writes.
    """

    extractor: str = "MobilenetV1"
    cast: str = "ToFloat"
    squeezed: bool = False
    scores_first: bool = False
    anchors_apart: bool = True
    fused: bool = True
    lite: bool = False
    counted: bool = True
    version: str = ""


# The published models that config.py files are written for.
PUBLISHED = {
    "ssd_inception_v2_coco_2017_11_17": Form("InceptionV2", anchors_apart=False),
    "ssd_mobilenet_v1_coco_2017_11_17": Form("MobilenetV1", anchors_apart=False, fused=False),
    "ssd_mobilenet_v1_coco_2018_01_28": Form("MobilenetV1", anchors_apart=False, fused=False),
    "ssd_mobilenet_v2_coco_2018_03_29": Form("MobilenetV2", scores_first=True),
    "ssdlite_mobilenet_v2_coco_2018_05_09": Form("MobilenetV2", lite=True),
    "ssd_mobilenet_v1 of TensorFlow 1.12": Form("MobilenetV1", squeezed=True, counted=False),
    "ssd_mobilenet_v2 of TensorFlow 1.12": Form("MobilenetV2"),
    "ssd_mobilenet_v2 of TensorFlow 1.15": Form("MobilenetV2", cast="Cast", squeezed=True, counted=False, version="V2"),
}


class Detector:
    """Builds one frozen graph.

    Args:
        form: what the exporter wrote.
        classes: number of classes, the background included.
        smallest: scale of the smallest anchors.
        threshold: scores below it are no detections.
        seed: of the weights.
        overlap: from which on the less sure of two boxes is none.
    """

    def __init__(
        self,
        form: Form,
        classes: int = 91,
        smallest: float = 0.2,
        threshold: float = 1e-8,
        seed: int = 1,
        overlap: float = OVERLAP,
    ) -> None:
        self.form, self.classes, self.smallest, self.threshold = form, classes, smallest, threshold
        self.overlap = overlap
        self.random = np.random.default_rng(seed)

    def graph(self) -> Any:
        """Return the GraphDef: image_tensor [N, H, W, 3] uint8 to the four outputs of object_detection."""
        with _old_control_flow(), tf.Graph().as_default() as graph:
            images = v1.placeholder(tf.uint8, [None, None, None, 3], name="image_tensor")
            images = tf.cast(images, tf.float32, name=self.form.cast)
            pictures, shapes = self.preprocess(images)
            maps = self.extract(pictures)
            predictions = [self.predict(x, index) for index, x in enumerate(maps)]
            anchors = self.anchors(maps)
            encodings = tf.concat([boxes for boxes, _ in predictions], 1, name="concat")
            if self.form.squeezed:
                encodings = tf.squeeze(encodings, [2], name="Squeeze")
            logits = tf.concat([scores for _, scores in predictions], 1, name="concat_1")
            self.postprocess(encodings, anchors, logits, shapes)
        graphdef = graph.as_graph_def()
        next(node for node in graphdef.node if node.name == self.form.cast).input[0] = "image_tensor:0"
        return graphdef

    def preprocess(self, images: Any) -> tuple[Any, Any]:
        """Return pictures of the network's size, from -1 to 1, and their shapes; one by one, as the exporters do."""
        with v1.name_scope("Preprocessor/"):

            def resize(image: Any) -> tuple[Any, Any]:
                resized = tf.raw_ops.ResizeBilinear(images=image[None], size=[SIZE, SIZE], name="ResizeImage")
                return resized[0], tf.stack([SIZE, SIZE, 3])

            resized, shapes = v1.map_fn(resize, images, fn_output_signature=(tf.float32, tf.int32))
            resized.set_shape([None, SIZE, SIZE, 3])
            return tf.subtract(tf.multiply(resized, 2 / 255, name="mul"), 1.0, name="sub"), shapes

    # feature extractors

    def weights(self, *shape: int, name: str = "weights", spread: float | None = None) -> Any:
        """Return weights as freezing leaves them: a constant, and the identity that read the variable."""
        scale = spread or 1.6 / np.sqrt(np.prod(shape[:-1]))
        values = self.random.normal(0, scale, shape).astype(np.float32)
        return tf.identity(tf.constant(values, name=name), name=f"{name}/read")

    def normalised(self, x: Any, activation: bool = True) -> Any:
        """Return a batch normalisation of inference and ReLU6."""
        count = x.shape[-1]
        gamma, beta, mean = (self.weights(count, name=f"BatchNorm/{n}", spread=0.3) for n in ("gamma", "beta", "mean"))
        gamma, variance = tf.abs(gamma) + 0.8, tf.constant(np.full(count, 0.9, np.float32))
        if self.form.fused and self.form.version:
            outputs = tf.raw_ops.FusedBatchNormV3(
                x=x, scale=gamma, offset=beta, mean=mean, variance=variance, is_training=False, name="BatchNorm/Fused"
            )
            x = outputs.y
        elif self.form.fused:
            outputs = tf.raw_ops.FusedBatchNorm(
                x=x, scale=gamma, offset=beta, mean=mean, variance=variance, is_training=False, name="BatchNorm/Fused"
            )
            x = outputs.y
        else:
            factor = tf.math.rsqrt(variance + 1e-3, name="BatchNorm/batchnorm/Rsqrt") * gamma
            product = tf.multiply(x, factor, name="BatchNorm/batchnorm/mul_1")
            x = tf.raw_ops.Add(x=product, y=beta - mean * factor, name="BatchNorm/batchnorm/add_1")
        return tf.nn.relu6(x, name="Relu6") if activation else x

    def unit(self, x: Any, name: str, channels: int = 0, kernel: int = 1, stride: int = 1, linear: bool = False) -> Any:
        """Return a convolution with its normalisation; without channels a depthwise one."""
        with v1.name_scope(f"{name}/"):
            if channels:
                filters = self.weights(kernel, kernel, x.shape[-1], channels)
                x = tf.nn.conv2d(x, filters, stride, "SAME", name="Conv2D")
            else:
                filters = self.weights(kernel, kernel, x.shape[-1], 1, name="depthwise_weights", spread=0.4)
                x = tf.nn.depthwise_conv2d(x, filters, [1, stride, stride, 1], "SAME", name="depthwise")
            return self.normalised(x, not linear)

    def extract(self, x: Any) -> list[Any]:
        """Return the six feature maps."""
        name = self.form.extractor
        first, second = {"MobilenetV1": self.mobilenet_v1, "MobilenetV2": self.mobilenet_v2}.get(
            name, self.inception_v2
        )(x, f"FeatureExtractor/{name}")
        maps = [first, second]
        for index, width in enumerate((512, 256, 256, 128), start=2):
            scope = f"FeatureExtractor/{name}/layer_19"
            x = self.unit(maps[-1], f"{scope}_1_Conv2d_{index}_1x1_{width // 2}", WIDTH)
            deep = f"{scope}_2_Conv2d_{index}_3x3_s2_{width}"
            if self.form.lite:
                x = self.unit(x, f"{deep}_depthwise", kernel=3, stride=2)
                maps.append(self.unit(x, deep, WIDTH))
            else:
                maps.append(self.unit(x, deep, WIDTH, 3, 2))
        return maps

    def mobilenet_v1(self, x: Any, scope: str) -> tuple[Any, Any]:
        """Depthwise separable units, of which the 11th and the 13th are read."""
        x, read = self.unit(x, f"{scope}/MobilenetV1/Conv2d_0", WIDTH, 3, 2), {}
        for index, stride in ((1, 1), (2, 2), (4, 2), (6, 2), (11, 1), (12, 2), (13, 1)):
            x = self.unit(x, f"{scope}/MobilenetV1/Conv2d_{index}_depthwise", kernel=3, stride=stride)
            x = read[index] = self.unit(x, f"{scope}/MobilenetV1/Conv2d_{index}_pointwise", WIDTH)
        return read[11], read[13]

    def mobilenet_v2(self, x: Any, scope: str) -> tuple[Any, Any]:
        """Inverted residuals; the first map is read inside one, behind its expansion."""
        x, inside = self.unit(x, f"{scope}/Conv", WIDTH, 3, 2), None
        for index, stride in ((1, 2), (2, 1), (3, 2), (6, 2), (7, 1), (13, 2), (14, 1)):
            block = f"{scope}/expanded_conv_{index}"
            expanded = self.unit(x, f"{block}/expand", 2 * WIDTH)
            inside = expanded if index == 13 else inside
            deep = self.unit(expanded, f"{block}/depthwise", kernel=3, stride=stride)
            projected = self.unit(deep, f"{block}/project", WIDTH, linear=True)
            add = tf.add if self.form.version else lambda a, b, name: tf.raw_ops.Add(x=a, y=b, name=name)
            x = add(projected, x, name=f"{block}/add") if stride == 1 else projected
        return inside, self.unit(x, f"{scope}/Conv_1", 2 * WIDTH)

    def inception_v2(self, x: Any, scope: str) -> tuple[Any, Any]:
        """A separable convolution, poolings, and blocks of four branches."""
        scope = f"{scope}/InceptionV2"
        with v1.name_scope(f"{scope}/Conv2d_1a_7x7/"):
            deep = tf.nn.depthwise_conv2d(
                x, self.weights(7, 7, 3, 2, name="depthwise_weights"), [1, 2, 2, 1], "SAME", name="depthwise"
            )
            x = self.normalised(tf.nn.conv2d(deep, self.weights(1, 1, 6, WIDTH), 1, "SAME", name="separable_conv2d"))
        x = tf.nn.max_pool2d(x, 3, 2, "SAME", name=f"{scope}/MaxPool_2a_3x3/MaxPool")
        x = self.unit(x, f"{scope}/Conv2d_2c_3x3", WIDTH, 3)
        x = tf.nn.max_pool2d(x, 3, 2, "SAME", name=f"{scope}/MaxPool_3a_3x3/MaxPool")
        x = self.block(x, f"{scope}/Mixed_4a", 2)
        first = x = self.block(x, f"{scope}/Mixed_4e", 1)
        x = self.block(x, f"{scope}/Mixed_5a", 2)
        return first, self.block(x, f"{scope}/Mixed_5c", 1)

    def block(self, x: Any, scope: str, stride: int) -> Any:
        """Return an Inception block."""
        one = self.unit(x, f"{scope}/Branch_0/Conv2d_0a_1x1", WIDTH, stride=1)
        one = self.unit(one, f"{scope}/Branch_0/Conv2d_1a_3x3", WIDTH, 3, stride)
        two = self.unit(x, f"{scope}/Branch_1/Conv2d_0b_3x3", WIDTH, 3, stride)
        if stride == 2:
            pooled = tf.nn.max_pool2d(x, 3, 2, "SAME", name=f"{scope}/Branch_2/MaxPool_1a_3x3/MaxPool")
        else:
            pooled = tf.nn.avg_pool2d(x, 3, 1, "SAME", name=f"{scope}/Branch_2/AvgPool_0a_3x3/AvgPool")
            pooled = self.unit(pooled, f"{scope}/Branch_2/Conv2d_0b_1x1", WIDTH)
        return tf.concat([one, two, pooled], 3, name=f"{scope}/concat")

    # heads

    def predict(self, x: Any, index: int) -> tuple[Any, Any]:
        """Return box encodings [N, boxes, 1, 4] and class scores [N, boxes, classes] of one map."""
        with v1.name_scope(f"BoxPredictor_{index}/"):
            count = 3 if index == 0 else 6
            boxes = self.head(x, f"BoxPredictor_{index}/BoxEncodingPredictor", 4 * count, 0.3, 0.0)
            scores = self.head(x, f"BoxPredictor_{index}/ClassPredictor", self.classes * count, 1.0, -4.0)
            batch = tf.shape(x, name="Shape")[0]
            number = MAPS[index] ** 2 * count if self.form.counted else -1
            boxes = tf.reshape(boxes, tf.stack([batch, number, 1, 4], name="stack"), name="Reshape")
            shape = tf.stack([batch, number, self.classes], name="stack_1")
            return boxes, tf.reshape(scores, shape, name="Reshape_1")

    def head(self, x: Any, scope: str, channels: int, spread: float, bias: float) -> Any:
        """Return a predictor's values."""
        if self.form.lite:
            x = self.unit(x, f"{scope}_depthwise", kernel=3)
        with v1.name_scope(f"{scope}/"):
            filters = self.random.normal(0, spread, (1, 1, x.shape[-1], channels)) / x.shape[-1] ** 0.5
            filters -= filters.mean(2, keepdims=True)  # else the class with the largest sum wins everywhere
            filters = tf.constant(filters.astype(np.float32), name="weights")
            x = tf.nn.conv2d(x, tf.identity(filters, name="weights/read"), 1, "SAME", name="Conv2D")
            offset = tf.constant(np.full(channels, bias, np.float32), name="biases")
            return tf.nn.bias_add(x, tf.identity(offset, name="biases/read"), name="BiasAdd")

    def anchors(self, maps: list[Any]) -> Any:
        """Return the anchors [1917, 4], ymin, xmin, ymax, xmax, with object_detection's assertion of their number."""
        with v1.name_scope("MultipleGridAnchorGenerator/"):
            scales = [*np.linspace(self.smallest, 0.95, len(MAPS)), 1.0]
            grids = [self.grid(index, scales) for index in range(len(MAPS))]
            counted = tf.add_n([tf.shape(x)[1] * tf.shape(x)[2] for x in maps])
            equal = tf.equal(counted, sum(size * size for size in MAPS))
            check = tf.raw_ops.Assert(condition=equal, data=[counted], name="assert_equal/Assert/Assert")
            if not self.form.anchors_apart:
                joined = tf.concat(grids, 0, name="Concatenate/concat")
                with tf.control_dependencies([check]):
                    return tf.identity(joined, name="Identity")
        with tf.control_dependencies([check]):
            return tf.concat(grids, 0, name="Concatenate/concat")

    @staticmethod
    def grid(index: int, scales: list[float]) -> Any:
        """Return one map's anchors, computed by the graph."""
        if index == 0:
            shapes = [(0.1, 1.0), (scales[0], 2.0), (scales[0], 0.5)]
        else:
            between = (scales[index] * scales[index + 1]) ** 0.5
            shapes = [*((scales[index], ratio) for ratio in RATIOS), (between, 1.0)]
        size = MAPS[index]
        centres = tf.multiply(tf.cast(tf.range(size), tf.float32) + 0.5, 1 / size)
        y, x = tf.meshgrid(centres, centres, indexing="ij")
        centre = tf.expand_dims(tf.stack([y, x], 2), 2)
        half = tf.constant([[s / r**0.5 / 2, s * r**0.5 / 2] for s, r in shapes], tf.float32)
        return tf.reshape(tf.concat([centre - half, centre + half], 3), [-1, 4])

    def postprocess(self, encodings: Any, anchors: Any, logits: Any, shapes: Any) -> None:
        """Add decoding, suppression and the outputs."""
        with v1.name_scope("Postprocessor/"):
            if self.form.scores_first:
                scores = tf.sigmoid(logits, name="convert_scores")
                boxes = self.decode(encodings, anchors)
            else:
                boxes = self.decode(encodings, anchors)
                scores = tf.sigmoid(logits, name="convert_scores")
            whole = tf.cast(tf.reduce_all(shapes > 0), tf.float32, name="ToFloat")
            found = tf.raw_ops.CombinedNonMaxSuppression(
                boxes=tf.expand_dims(boxes * whole, 2),
                scores=scores[:, :, 1:],
                max_output_size_per_class=MOST,
                max_total_size=MOST,
                iou_threshold=self.overlap,
                score_threshold=self.threshold,
                clip_boxes=True,
                name="BatchMultiClassNonMaxSuppression",
            )
            count = tf.cast(found.valid_detections, tf.float32, name="ToFloat_1")
            classes = tf.add(found.nmsed_classes, 1.0, name="add") if self.form.squeezed else found.nmsed_classes
        classes = classes if self.form.squeezed else tf.add(classes, 1.0, name="add")
        tf.identity(found.nmsed_boxes, name="detection_boxes")
        tf.identity(found.nmsed_scores, name="detection_scores")
        tf.identity(classes, name="detection_classes")
        tf.identity(count, name="num_detections")

    def decode(self, encodings: Any, anchors: Any) -> Any:
        """Return boxes [N, 1917, 4], ymin, xmin, ymax, xmax."""
        if not self.form.squeezed:
            encodings = tf.squeeze(encodings, [2], name="Squeeze")
        shift, growth = tf.split(encodings / CODER, 2, axis=2, name="Decode/split")
        low, high = tf.split(tf.expand_dims(anchors, 0, name="ExpandDims"), 2, axis=2, name="Decode/corners")
        centre, half = (low + high) / 2 + shift * (high - low), (high - low) / 2 * tf.exp(growth)
        return tf.concat([centre - half, centre + half], 2)


@contextmanager
def _old_control_flow() -> Iterator[None]:
    """Let loops be Enter, Exit and the like meanwhile, as TensorFlow 1 has them."""
    new = tf.compat.v1.control_flow_v2_enabled()
    v1.disable_control_flow_v2()
    try:
        yield
    finally:
        if new:
            v1.enable_control_flow_v2()
