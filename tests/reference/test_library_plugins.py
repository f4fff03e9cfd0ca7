"""The plugin library against PyTorch, TensorFlow, and NumPy that follows the plugins' documentation word for word."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from registry_cases import CASES, INTEGERS, Case, run
from torch.nn import functional

import trtflow.reference as trt
from trtflow.reference import NetworkError
from trtflow.runtime.session import Session


def cases_of(*plugins):
    return pytest.mark.parametrize(
        "case", [case for case in CASES if case.plugin in plugins], ids=lambda case: case.name
    )


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def overlap(first, second, pixel=0):
    left, top, right, bottom = first.tolist()  # plain numbers: a case has a million of these
    other_left, other_top, other_right, other_bottom = second.tolist()
    width = max(min(right, other_right) - max(left, other_left) + pixel, 0)
    both = width * max(min(bottom, other_bottom) - max(top, other_top) + pixel, 0)
    area = max(right - left + pixel, 0) * max(bottom - top + pixel, 0)
    areas = area + max(other_right - other_left + pixel, 0) * max(other_bottom - other_top + pixel, 0)
    return both / (areas - both) if areas > both else 0


def corners(boxes):
    return np.concatenate([boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2], axis=-1)


def efficient(case, picture):
    """Return labels, scores and boxes of a picture: the README's steps, one pair of box and class after the other."""
    fields, (boxes, scores, *anchors) = case.fields, (values.astype(np.float64) for values in case.inputs.values())
    boxes, scores = boxes[picture], scores[picture]
    if fields["score_activation"]:
        scores = sigmoid(scores)
    if anchors:
        base = anchors[0][picture % len(anchors[0])]
        if fields["box_coding"]:
            boxes = np.concatenate([boxes[:, :2] * base[:, 2:] + base[:, :2], np.exp(boxes[:, 2:]) * base[:, 2:]], 1)
        else:
            boxes = sum(
                np.concatenate([np.minimum(v[:, :2], v[:, 2:]), np.maximum(v[:, :2], v[:, 2:])], 1)
                for v in (boxes, base)
            )
    if fields["box_coding"]:
        boxes = corners(boxes)
    pairs = [
        (scores[row, label], label, boxes[row] if boxes.ndim == 2 else boxes[row, label])
        for row, label in np.argwhere(scores >= fields["score_threshold"])
        if label != fields["background_class"]
    ]
    kept = []
    for score, label, box in sorted(pairs, key=lambda pair: -pair[0])[:4096]:
        rivals = [other for _, name, other in kept if name == label]  # class_agnostic changes nothing, as measured
        if all(overlap(box, other) < fields["iou_threshold"] for other in rivals):
            kept.append((score, label, box))
    return kept[: fields["max_output_boxes"]]


def batched(case, picture):
    """Return labels, scores and boxes of a picture: each class for itself, then the best of all."""
    fields, (boxes, scores) = case.fields, (values[picture].astype(np.float64) for values in case.inputs.values())
    pixel = int(fields["caffeSemantics"] and not fields["isNormalized"])
    kept = []
    for label in range(fields["numClasses"]):
        if label == fields["backgroundLabelId"]:
            continue
        own = boxes[:, 0 if fields["shareLocation"] else label]
        order = [row for row in np.argsort(-scores[:, label]) if scores[row, label] > fields["scoreThreshold"]]
        chosen = []
        for row in order[: fields["topK"]]:
            if all(overlap(own[row], own[other], pixel) <= fields["iouThreshold"] for other in chosen):
                chosen.append(row)
        kept += [(scores[row, label], label, own[row]) for row in chosen]
    kept = sorted(kept, key=lambda pair: -pair[0])[: fields["keepTopK"]]
    return [(s, label, box.clip(0, 1) if fields["clipBoxes"] else box) for s, label, box in kept]


@cases_of("EfficientNMS_TRT", "BatchedNMS_TRT", "BatchedNMSDynamic_TRT")
def test_suppression_keeps_what_its_documentation_says(case):
    count, boxes, scores, labels = run(trt, case)
    batch = len(case.inputs["boxes"])
    assert count.dtype == np.int32
    assert count.size == batch
    assert labels.dtype == (np.int32 if case.plugin == "EfficientNMS_TRT" else np.float32)
    unused = 0 if case.plugin == "EfficientNMS_TRT" else -1
    for picture in range(batch):
        wanted = (efficient if case.plugin == "EfficientNMS_TRT" else batched)(case, picture)
        found = int(count.ravel()[picture])
        assert found == len(wanted) > 3
        np.testing.assert_allclose(scores[picture][:found], [score for score, _, _ in wanted], rtol=1e-5)
        np.testing.assert_array_equal(labels[picture][:found], [label for _, label, _ in wanted])
        np.testing.assert_allclose(boxes[picture][:found], [box for _, _, box in wanted], atol=1e-5)
        assert not boxes[picture][found:].any()
        assert (labels[picture][found:] == unused).all()


@cases_of("InstanceNormalization_TRT")
def test_instance_normalization_is_pytorchs(case):
    (found,) = run(trt, case)
    fields = case.fields
    factors = (torch.tensor(fields[key]) for key in ("scales", "bias"))
    scale, bias = factors
    wanted = functional.instance_norm(torch.tensor(case.inputs["x"]), weight=scale, bias=bias, eps=fields["epsilon"])
    if fields.get("relu"):
        wanted = functional.leaky_relu(wanted, fields["alpha"])
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def sample(plane, y, x):
    """Return the four weighted neighbours of a place on a map, none outside."""
    height, width = plane.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return [0.0]
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    down, across = y - top, x - left
    weights = (1 - down) * (1 - across), (1 - down) * across, down * (1 - across), down * across
    places = (top, left), (top, right), (bottom, left), (bottom, right)
    return [weight * plane[place] for weight, place in zip(weights, places, strict=True)]


@cases_of("ROIAlign_TRT")
def test_roi_align_pools_what_its_documentation_says(case):
    (found,) = run(trt, case)
    fields = case.fields
    x, rois, pictures = (
        values.astype(np.float64) if values.dtype.kind == "f" else values for values in case.inputs.values()
    )
    half = 0.5 * fields["coordinate_transformation_mode"]
    wanted = np.zeros(found.shape)
    for number, (roi, picture) in enumerate(zip(rois, pictures, strict=True)):
        x1, y1, x2, y2 = roi * fields["spatial_scale"] - half
        height, width = y2 - y1, x2 - x1
        if not half:
            height, width = max(height, 1), max(width, 1)
        rows, columns = height / fields["output_height"], width / fields["output_width"]
        samples = [fields["sampling_ratio"] or int(np.ceil(size)) for size in (rows, columns)]
        for channel, row, column in np.ndindex(*found.shape[1:]):
            values = [
                sample(
                    x[picture, channel],
                    y1 + (row + (i + 0.5) / samples[0]) * rows,
                    x1 + (column + (j + 0.5) / samples[1]) * columns,
                )
                for i in range(samples[0])
                for j in range(samples[1])
            ]
            if fields["mode"]:
                wanted[number, channel, row, column] = np.sum([sum(value) for value in values]) / len(values)
            else:
                wanted[number, channel, row, column] = max(max(value) for value in values)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


@cases_of("LReLU_TRT", "Clip_TRT")
def test_activations_are_pytorchs(case):
    x = torch.tensor(case.inputs["x"])
    if case.plugin == "LReLU_TRT":
        wanted = functional.leaky_relu(x, case.fields["negSlope"])
    else:
        wanted = torch.clamp(x, case.fields["clipMin"], case.fields["clipMax"])
    np.testing.assert_allclose(run(trt, case)[0], wanted, rtol=1e-6)


@cases_of("Reorg_TRT")
def test_reorg_has_darknets_order(case):
    """As reorg_cpu of Darknet's blas.c counts places."""
    x, stride = case.inputs["x"], case.fields["stride"]
    count, channels, height, width = x.shape
    wanted, few = np.empty(x.size, np.float32), channels // stride**2
    for place, (picture, channel, row, column) in enumerate(np.ndindex(x.shape)):
        offset, source = divmod(channel, few)
        down, right = row * stride + offset // stride, column * stride + offset % stride
        flat = right + width * stride * (down + height * stride * (source + few * picture))
        wanted[place] = x.ravel()[flat]
    shape = (count, channels * stride**2, height // stride, width // stride)
    np.testing.assert_array_equal(run(trt, case)[0], wanted.reshape(shape))


def test_reorg_takes_what_tensorrt_took_of_three_maps():
    """On an H200, x [2, 3, 4, 6] by 2: the first value of each of the first three maps is that of its own map, and the
    next ones are every second of it; what should follow was not there, as 3 is no multiple of 4."""
    x = np.arange(12 * 24, dtype=np.float32).reshape(1, 12, 4, 6)
    case = Case("", "Reorg_TRT", {"stride": 2}, {"x": x})
    found = run(trt, case)[0]
    np.testing.assert_array_equal(found[0, :3].ravel(), np.arange(0, 36, 2) + np.repeat([0, 12, 24], 6))


@cases_of("Region_TRT")
def test_region_is_yolov2s_output(case):
    wanted = case.inputs["x"].astype(np.float64).copy()
    per_box = 5 + case.fields["classes"]
    for box in range(case.fields["num"]):
        part = wanted[:, box * per_box : (box + 1) * per_box]  # a view
        part[:, [0, 1, 4]] = sigmoid(part[:, [0, 1, 4]])
        exponentials = np.exp(part[:, 5:])
        part[:, 5:] = exponentials / exponentials.sum(1, keepdims=True)
    np.testing.assert_allclose(run(trt, case)[0], wanted, atol=1e-6)


@cases_of("ResizeNearest_TRT")
def test_resize_nearest_takes_the_row_and_column_rounded_down(case):
    x, scale = case.inputs["x"], np.float32(case.fields["scale"])
    (found,) = run(trt, case)
    assert found.shape[2:] == (int(x.shape[2] * scale), int(x.shape[3] * scale))
    for row, column in np.ndindex(*found.shape[2:]):
        place = int(np.float32(row) / scale), int(np.float32(column) / scale)
        np.testing.assert_array_equal(found[:, :, row, column], x[:, :, place[0], place[1]])


@cases_of("GridAnchorRect_TRT")
def test_anchors_of_maps_that_are_not_square(case):
    fields = case.fields
    scales = [fields["minSize"], fields["maxSize"], 1.0]
    for index, found in enumerate(run(trt, case)):
        height, width = fields["featureMapShapes"][2 * index : 2 * index + 2]
        ratios, sizes = (
            (fields["aspectRatios"], [0.1, scales[0], scales[0]])
            if index == 0
            else (
                [*fields["aspectRatios"], 1.0],
                [scales[1]] * 3 + [(scales[1] * scales[2]) ** 0.5],
            )
        )
        rows = [
            (
                (x + 0.5) / width - size * ratio**0.5 / 2,
                (y + 0.5) / height - size / ratio**0.5 / 2,
                (x + 0.5) / width + size * ratio**0.5 / 2,
                (y + 0.5) / height + size / ratio**0.5 / 2,
            )
            for y in range(height)
            for x in range(width)
            for ratio, size in zip(ratios, sizes, strict=True)
        ]
        np.testing.assert_allclose(found[0, 0, :, 0].reshape(-1, 4), rows, atol=1e-6)
        np.testing.assert_allclose(found[0, 1, :4, 0], fields["variance"], rtol=1e-6)


@cases_of("BatchTilePlugin_TRT")
def test_batch_tile_repeats_a_constant(case):
    tile, batch = case.constants["tile"], len(case.inputs["x"])
    np.testing.assert_array_equal(run(trt, case)[0], np.repeat(tile, batch, axis=0))


@cases_of("CropAndResize")
def test_crop_and_resize_is_tensorflows(case):
    import tensorflow as tf  # noqa: PLC0415 - takes seconds

    x, rois = case.inputs.values()
    (found,) = run(trt, case)
    sizes = case.fields["crop_height"], case.fields["crop_width"]
    for picture in range(len(x)):
        whole = x[picture].transpose(1, 2, 0)[None]
        wanted = tf.image.crop_and_resize(whole, rois[picture, :, 0], np.zeros(rois.shape[1], np.int32), sizes)
        np.testing.assert_allclose(found[picture], wanted.numpy().transpose(0, 3, 1, 2), atol=2e-5)


@pytest.mark.parametrize(
    ("name", "fields", "shapes", "message"),
    [
        ("EfficientNMS_TRT", {"box_coding": 2}, [(1, 5, 4), (1, 5, 2)], "box_coding 2"),
        ("EfficientNMS_TRT", {}, [(1, 5, 4)], r"inputs of shape \(1, 5, 4\)"),
        ("BatchedNMSDynamic_TRT", {"numClasses": 2, "topK": 5, "keepTopK": 9, "iouThreshold": 0.5}, [], "exceeds topK"),
        ("BatchedNMSDynamic_TRT", {"topK": 5, "keepTopK": 3, "iouThreshold": 0.5}, [], "needs the field 'numClasses'"),
        ("ROIAlign_TRT", {"mode": 2}, [], "mode 2, not 0 or 1"),
        ("Reorg_TRT", {"stride": 2}, [(1, 2, 5, 4)], r"inputs of shape \(2, 5, 4\)"),
        ("Region_TRT", {"num": 2, "classes": 3}, [(1, 7, 2, 2)], r"\(num \* \(coords"),
        ("InstanceNormalization_TRT", {"scales": [1.0], "bias": [1.0, 2.0]}, [], "1 scales and 2 bias"),
    ],
)
def test_what_does_not_fit_is_named(name, fields, shapes, message):
    trt.init_libnvinfer_plugins(trt.Logger(), "")
    creator = trt.get_plugin_registry().get_plugin_creator(name, "1", "")
    network = trt.Builder(trt.Logger()).create_network(1)

    def add():
        given = (trt.PluginField(key, np.asarray(value)) for key, value in fields.items())
        plugin = creator.create_plugin("p", trt.PluginFieldCollection(given))
        inputs = [network.add_input(f"x{i}", trt.float32, shape) for i, shape in enumerate(shapes)]
        return network.add_plugin_v2(inputs, plugin).get_output(0).shape  # a plugin checks when it is asked

    with pytest.raises(NetworkError, match=message):
        add()


def attributes_of(case):
    fields = {}
    for key, value in case.fields.items():
        if isinstance(value, list):
            fields[key] = [int(item) for item in value] if key in INTEGERS else [float(item) for item in value]
        else:
            fields[key] = int(value) if key in INTEGERS else float(value)
    return fields


def model_of(case, **attributes):
    """Return an ONNX model of one node that names the case's plugin."""
    kinds = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int32): TensorProto.INT32}
    inputs = [helper.make_tensor_value_info(name, kinds[x.dtype], x.shape) for name, x in case.inputs.items()]
    names = [f"y{index}" for index in range(case.outputs)]
    counted = ("EfficientNMS_TRT", "BatchedNMS_TRT", "BatchedNMSDynamic_TRT")
    whole = {0, 3} if case.plugin == "EfficientNMS_TRT" else {0} if case.plugin in counted else set()
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.INT32 if index in whole else TensorProto.FLOAT, None)
        for index, name in enumerate(names)
    ]
    node = helper.make_node(case.plugin, list(case.inputs), names, "it", **attributes_of(case), **attributes)
    graph = helper.make_graph([node], "g", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def parsed(model):
    builder = trt.Builder(trt.Logger(trt.Logger.INTERNAL_ERROR))
    network = builder.create_network(1)
    parser = trt.OnnxParser(network, builder.logger)
    return parser.parse(model.SerializeToString()), parser, network, builder


IN_ONNX = (
    "BatchedNMS_TRT",
    *(
        "EfficientNMS_TRT",
        "BatchedNMSDynamic_TRT",
        "InstanceNormalization_TRT",
        "ROIAlign_TRT",
        "LReLU_TRT",
        "Clip_TRT",
    ),
    *("Reorg_TRT", "Region_TRT", "ResizeNearest_TRT", "CropAndResize"),
)


@cases_of(*IN_ONNX)
def test_a_node_that_names_a_plugin_becomes_it(case):
    taken, parser, network, builder = parsed(model_of(case))
    assert taken, parser.get_error(0)
    assert network.get_layer(0).type == trt.LayerType.PLUGIN_V2
    plan = builder.build_serialized_network(network, builder.create_builder_config())
    engine = trt.Runtime(builder.logger).deserialize_cuda_engine(plan)
    found = Session(trt, engine).run(case.inputs)
    for index, wanted in enumerate(run(trt, case)):
        np.testing.assert_allclose(found[f"y{index}"], wanted, atol=1e-6)


def case_of(name):
    return next(case for case in CASES if case.name == name)


def test_plugins_of_another_version_are_found_by_it():
    assert parsed(model_of(case_of("instance_norm"), plugin_version="2"))[0]
    taken, parser, *_ = parsed(model_of(case_of("lrelu"), plugin_version="7"))
    assert not taken
    assert "Plugin not found, are the plugin name, version, and namespace correct?" in parser.get_error(0).desc()


def test_constants_of_a_model_can_be_inputs_of_a_plugin():
    case = case_of("efficient_nms with anchors")
    model = model_of(case)
    del model.graph.input[2]
    model.graph.initializer.append(numpy_helper.from_array(case.inputs["anchors"], "anchors"))
    taken, parser, network, _ = parsed(model)
    assert taken, parser.get_error(0)
    assert network.num_inputs == 2


def test_fields_that_do_not_fit_are_a_parser_s_error():
    model = model_of(case_of("efficient_nms of two pictures"))
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    next(item for item in changed.graph.node[0].attribute if item.name == "box_coding").i = 5
    taken, parser, *_ = parsed(changed)
    assert not taken
    assert "box_coding 5, not 0 (corners)" in parser.get_error(0).desc()
    assert parser.get_error(0).node() == 0
    del model.graph.node[0].input[1]
    taken, parser, *_ = parsed(model)
    assert not taken
    assert "It takes boxes (N, P, 4)" in parser.get_error(0).desc()
