"""SSD's plugins against PyTorch, and against what TensorRT's documentation says of their outputs."""

import numpy as np
import pytest
import torch
from networks import build

import trtflow.reference as trt
from trtflow.families.ssd.detection import detect
from trtflow.families.ssd.network import SSD, prior_boxes
from trtflow.families.ssd_inception.network import default_boxes
from trtflow.runtime.session import Session

RNG = np.random.default_rng(2)


def plugin(name, **fields):
    trt.init_libnvinfer_plugins(trt.Logger(), "")
    creator = trt.get_plugin_registry().get_plugin_creator(name, "1", "")
    return creator.create_plugin("layer", trt.PluginFieldCollection(trt.PluginField(*item) for item in fields.items()))


@pytest.mark.parametrize("across", [False, True])
def test_normalize(run, across):
    x, weights = RNG.normal(size=(2, 5, 4, 4)).astype(np.float32), RNG.normal(size=5).astype(np.float32)
    made = plugin("Normalize_TRT", weights=weights, acrossSpatial=across, channelShared=False, eps=1e-10)
    result = run(lambda network, tensor: network.add_plugin_v2([tensor], made).get_output(0), x)
    norm = np.sqrt((x**2).sum((1, 2, 3) if across else 1, keepdims=True))
    np.testing.assert_allclose(result, x / norm * weights[:, None, None], rtol=1e-5)


def test_prior_boxes_of_a_feature_map(run):
    x = np.zeros((1, 3, 30, 20), np.float32)
    made = plugin("PriorBox_TRT", minSize=[8.0], maxSize=[18.0], aspectRatios=[2.0], flip=True, stepH=10.0, stepW=10.0)

    def define(network, tensor):
        pool = network.add_pooling(tensor, trt.PoolingType.MAX, (10, 10))
        pool.stride = (10, 10)
        return network.add_plugin_v2([pool.get_output(0), tensor], made).get_output(0)

    result = run(define, x)
    assert result.shape == (1, 2, 3 * 2 * 4 * 4, 1)
    first = result[0, 0, :16, 0].reshape(4, 4) * [20, 30, 20, 30]
    half = np.array([[8, 8], [12, 12], [8 * 2**0.5, 8 / 2**0.5], [8 / 2**0.5, 8 * 2**0.5]]) / 2
    np.testing.assert_allclose(first, np.hstack([5 - half, 5 + half]), rtol=1e-5)
    np.testing.assert_allclose(result[0, 1].reshape(-1, 4), np.tile(np.float32([0.1, 0.1, 0.2, 0.2]), (24, 1)))


def nms_session(classes=4, keep=50, **fields):
    """Return a session with inputs loc and conf and SSD's own priors."""
    builder = trt.Builder(trt.Logger())
    builder.max_batch_size = 2
    network = builder.create_network()
    count = len(prior_boxes())
    inputs = [
        network.add_input(
            "loc", trt.float32, (count * 4 * (1 if fields.get("shareLocation", True) else classes), 1, 1)
        ),
        network.add_input("conf", trt.float32, (count * classes, 1, 1)),
    ]
    boxes = np.stack([prior_boxes().numpy().ravel(), np.tile(np.float32([0.1, 0.1, 0.2, 0.2]), count)])
    prior = network.add_constant((2, count * 4, 1), boxes).get_output(0)
    settings = {"codeType": 1, "inputOrder": [0, 1, 2], **fields}
    made = plugin("NMS_TRT", numClasses=classes, keepTopK=keep, **settings)
    layer = network.add_plugin_v2([*inputs, prior], made)
    for index, name in enumerate(("detections", "count")):
        layer.get_output(index).name = name
        network.mark_output(layer.get_output(index))
    plan = builder.build_serialized_network(network, builder.create_builder_config())
    return Session(trt, trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan))


class Fixed(SSD):
    """An SSD whose raw predictions are given."""

    def forward(self, images):
        return self.predictions


def test_nms_equals_an_independent_implementation():
    count = len(prior_boxes())
    offsets = RNG.normal(size=(2, count, 4)).astype(np.float32)
    logits = RNG.normal(size=(2, count, 4), scale=2).astype(np.float32)
    model = Fixed(4, 0.0625)
    model.predictions = (torch.tensor(offsets), torch.tensor(logits))
    expected, counts = detect(model, torch.zeros(2, 3, 1, 1))
    scores = torch.tensor(logits).softmax(2).numpy()
    outputs = nms_session(keep=200).run({"loc": offsets.reshape(2, -1, 1, 1), "conf": scores.reshape(2, -1, 1, 1)})
    np.testing.assert_array_equal(outputs["count"].ravel(), counts)
    # sizes are half numbers, up to 2 here: half a step of 2**-10 on each side of a box
    np.testing.assert_allclose(outputs["detections"][:, 0], expected, atol=5e-4)


def test_nms_without_detections_gives_unused_rows():
    count = len(prior_boxes())
    scores = np.zeros((1, count, 4), np.float32)
    scores[..., 0] = 1
    outputs = nms_session().run(
        {"loc": np.zeros((1, count * 4, 1, 1), np.float32), "conf": scores.reshape(1, -1, 1, 1)}
    )
    assert outputs["count"].ravel().tolist() == [0]
    np.testing.assert_array_equal(outputs["detections"][0, 0], np.tile(np.float32([0, -1, 0, 0, 0, 0, 0]), (50, 1)))


def test_nms_that_is_not_implemented_is_refused():
    with pytest.raises(trt.NetworkError, match="NMS_TRT with codeType = 4"):
        nms_session(codeType=4)


def test_nms_that_is_to_keep_more_than_there_are_boxes_is_refused():
    total = 3 * len(prior_boxes())  # of three classes beside the background
    with pytest.raises(trt.NetworkError, match=f"keepTopK {total + 1} exceeds all candidates, {total}"):
        nms_session(keep=total + 1, topK=2 * total)


def test_unknown_and_missing_fields_are_named(capsys):
    plugin("NMS_TRT", numClasses=3, classes=3)
    assert "NMS_TRT has no field 'classes', passed over" in capsys.readouterr().err
    with pytest.raises(trt.NetworkError, match="NMS_TRT needs the field 'numClasses'"):
        plugin("NMS_TRT")


def test_plugin_without_a_lowering_is_named():
    class Mystery(trt.IPluginV2):
        plugin_type = "Mystery_TRT"

        def get_output_shape(self, index, inputs):
            return inputs[0]

    with pytest.raises(trt.NetworkError, match="cannot run Mystery_TRT"):
        build(lambda network, tensor: network.add_plugin_v2([tensor], Mystery()).get_output(0), (1, 2, 2))


# TensorFlow's SSD

GRID = {
    "numLayers": 6,
    "minSize": 0.2,
    "maxSize": 0.95,
    "aspectRatios": [1.0, 2.0, 0.5, 3.0, 0.33],
    "variance": [0.1, 0.1, 0.2, 0.2],
    "featureMapShapes": [19, 10, 5, 3, 2, 1],
}


def test_grid_anchors_are_tensorflows_default_boxes(run):
    """The guide's 2 x 7668 x 1 (§13.4), the same for every picture."""

    def define(network, tensor):
        layer = network.add_plugin_v2([], plugin("GridAnchor_TRT", **GRID))
        assert layer.num_outputs == 6
        assert tuple(layer.get_output(0).shape) == (2, 4332, 1)
        joined = network.add_concatenation([layer.get_output(index) for index in range(6)])
        joined.axis = 1
        scaled = network.add_elementwise(joined.get_output(0), tensor, trt.ElementWiseOperation.PROD)
        return scaled.get_output(0)

    result = run(define, np.ones((2, 1, 1, 1), np.float32))
    assert result.shape == (2, 2, 7668, 1)
    np.testing.assert_allclose(result[1, 0].reshape(-1, 4), default_boxes(), atol=1e-6)
    np.testing.assert_array_equal(result[0, 1].reshape(-1, 4), np.tile(np.float32(GRID["variance"]), (1917, 1)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"featureMapShapes": [19, 10]}, "2 featureMapShapes for numLayers 6"),
        ({"aspectRatios": [1.0, 2.0]}, "fewer than 3 aspectRatios"),
    ],
)
def test_grid_anchors_that_do_not_fit_are_refused(change, message):
    with pytest.raises(trt.NetworkError, match=message):
        plugin("GridAnchor_TRT", **{**GRID, **change})


def test_flatten_concat_of_the_registry(run):
    x = RNG.normal(size=(2, 5, 1, 4)).astype(np.float32)
    made = plugin("FlattenConcat_TRT", axis=1, ignoreBatch=0)
    result = run(lambda network, tensor: network.add_plugin_v2([tensor, tensor], made).get_output(0), x)
    np.testing.assert_array_equal(result, np.tile(x.reshape(2, 20, 1, 1), (1, 2, 1, 1)))


@pytest.mark.parametrize(
    ("fields", "message"), [({"axis": 4}, "axis 4, not 1, 2 or 3"), ({"axis": 1, "ignoreBatch": 1}, "ignoreBatch")]
)
def test_flatten_concat_that_tensorrt_gets_wrong_is_refused(fields, message):
    with pytest.raises(trt.NetworkError, match=message):
        plugin("FlattenConcat_TRT", **fields)


def test_flatten_concat_of_other_shapes_is_refused():
    layer = plugin("FlattenConcat_TRT", axis=1)
    with pytest.raises(trt.NetworkError, match="differ along axis 1 only"):
        layer.get_output_shape(0, [trt.Dims((5, 1, 4)), trt.Dims((5, 2, 4))])


def decoded(offsets, priors, code_type):
    """Decode one box after another, as the definitions of CodeTypeSSD say; the variances are 0.1, 0.1, 0.2, 0.2.

    Width and height are half numbers, as on an H200.
    """
    if code_type == 3:
        offsets = offsets[..., [1, 0, 3, 2]]
    scaled = offsets * [0.1, 0.1, 0.2, 0.2]
    size = priors[:, 2:] - priors[:, :2]
    if code_type == 0:
        return priors + scaled
    if code_type == 2:
        return priors + scaled * np.tile(size, 2)
    centre = (priors[:, :2] + priors[:, 2:]) / 2 + scaled[:, :2] * size
    factor = np.exp(scaled[:, 2:].astype(np.float16).astype(np.float32)).astype(np.float16)
    reach = (factor.astype(np.float32) * size.astype(np.float16)).astype(np.float16).astype(np.float32) / 2
    return np.hstack([centre - reach, centre + reach])


@pytest.mark.parametrize("code_type", [0, 1, 2, 3])
@pytest.mark.parametrize("shared", [True, False])
def test_nms_decodes_every_code_type(code_type, shared):
    """The best box of each class, with a sigmoid; without shareLocation each class has boxes of its own."""
    priors = prior_boxes().numpy()
    count, classes = len(priors), 3
    offsets = RNG.normal(size=(1, count, 1 if shared else classes, 4)).astype(np.float32)
    logits = np.full((1, count, classes), -9, np.float32)
    best = [4000, 5000]
    for label, index in enumerate(best, start=1):
        logits[0, index, label] = 3 - label
    session = nms_session(
        classes, 10, codeType=code_type, shareLocation=shared, confSigmoid=True, confidenceThreshold=0.1
    )
    outputs = session.run({"loc": offsets.reshape(1, -1, 1, 1), "conf": logits.reshape(1, -1, 1, 1)})
    assert outputs["count"].ravel().tolist() == [2]
    for label, (row, index) in enumerate(zip(outputs["detections"][0, 0], best, strict=False), start=1):
        box = decoded(offsets[0, :, 0 if shared else label], priors, code_type)[index]
        np.testing.assert_allclose(row[:3], [0, label, 1 / (1 + np.exp(label - 3))], rtol=1e-6)
        np.testing.assert_allclose(row[3:], box.clip(0, 1), atol=1e-5)
