"""SSD's plugins against PyTorch, and against what TensorRT's documentation says of their outputs."""

import numpy as np
import pytest
import torch
from networks import build

import trtflow.reference as trt
from trtflow.models.ssd import SSD, prior_boxes
from trtflow.models.ssd_detection import detect
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
        network.add_input("loc", trt.float32, (count * 4, 1, 1)),
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
    np.testing.assert_allclose(outputs["detections"][:, 0], expected, atol=1e-5)


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


def test_unknown_and_missing_fields_are_named():
    with pytest.raises(trt.NetworkError, match="NMS_TRT has no field 'classes'"):
        plugin("NMS_TRT", classes=3)
    with pytest.raises(trt.NetworkError, match="NMS_TRT needs the field 'numClasses'"):
        plugin("NMS_TRT")


def test_plugin_without_a_lowering_is_named():
    class Mystery(trt.IPluginV2):
        plugin_type = "Mystery_TRT"

        def get_output_shape(self, index, inputs):
            return inputs[0]

    with pytest.raises(trt.NetworkError, match="cannot run Mystery_TRT"):
        build(lambda network, tensor: network.add_plugin_v2([tensor], Mystery()).get_output(0), (1, 2, 2))
