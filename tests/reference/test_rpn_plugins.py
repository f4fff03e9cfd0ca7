"""RPROI_TRT against its definition, box after box; Faster R-CNN's own prototxt as a network."""

from pathlib import Path

import numpy as np
import pytest

import trtflow.reference as trt
from trtflow.formats import UserError
from trtflow.formats.caffe import (
    NetParameter,
    array_to_blob,
    convert_faster_rcnn_prototxt,
    read_prototxt,
    write_caffemodel,
    write_prototxt,
)
from trtflow.runtime.session import Session

RNG = np.random.default_rng(12)
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "caffe"
HEIGHT, WIDTH, CHANNELS, MOST, PRE = 6, 8, 5, 12, 60
RATIOS, SCALES = (0.5, 1.0, 2.0), (1.0, 2.0, 4.0)
FIELDS = {
    "poolingH": 3,
    "poolingW": 2,
    "featureStride": 16,
    "preNmsTop": PRE,
    "nmsMaxOut": MOST,
    "anchorsRatioCount": 3,
    "anchorsScaleCount": 3,
    "iouThreshold": 0.5,
    "minBoxSize": 16.0,
    "spatialScale": 0.0625,
    "anchorsRatios": RATIOS,
    "anchorsScales": SCALES,
}


def plugin(**changes):
    trt.init_libnvinfer_plugins(trt.Logger(), "")
    creator = trt.get_plugin_registry().get_plugin_creator("RPROI_TRT", "1", "")
    fields = (trt.PluginField(*item) for item in {**FIELDS, **changes}.items())
    return creator.create_plugin("rproi", trt.PluginFieldCollection(fields))


def session(cells):
    builder = trt.Builder(trt.Logger())
    builder.max_batch_size = 2
    network = builder.create_network()
    shapes = {
        "score": (18, HEIGHT, WIDTH),
        "delta": (36, HEIGHT, WIDTH),
        "map": (CHANNELS, HEIGHT, WIDTH),
        "info": (1, 1, 3),
    }
    inputs = [network.add_input(name, trt.float32, shape) for name, shape in shapes.items()]
    layer = network.add_plugin_v2(inputs, plugin(poolingH=cells[0], poolingW=cells[1]))
    for index, name in enumerate(("rois", "pool5")):
        layer.get_output(index).name = name
        network.mark_output(layer.get_output(index))
    plan = builder.build_serialized_network(network, builder.create_builder_config())
    return Session(trt, trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan))


def proposals(score, delta, info):
    """Return the rois of one picture as the definition says, a loop over boxes."""
    found = []
    for ratio_index, ratio in enumerate(RATIOS):
        for scale_index, scale in enumerate(SCALES):
            anchor = 3 * ratio_index + scale_index
            width = round((16 * 16 / ratio) ** 0.5)
            size = np.array([width, round(width * ratio)]) * scale
            for y in range(HEIGHT):
                for x in range(WIDTH):
                    moved = delta[4 * anchor : 4 * anchor + 4, y, x]
                    centre = 7.5 + 16 * np.array([x, y]) + moved[:2] * size
                    half = np.exp(moved[2:]) * size / 2
                    last = np.array([info[1], info[0]]) - 1
                    box = np.concatenate([(centre - half).clip(0, last), (centre + half).clip(0, last)])
                    small = (box[2:] - box[:2] + 1 < 16 * info[2]).any()
                    found.append((-np.inf if small else score[9 + anchor, y, x], box))
    found.sort(key=lambda item: -item[0])
    kept = []
    for _, box in found[:PRE]:
        if len(kept) < MOST and all(overlap(box, other) <= 0.5 for other in kept):
            kept.append(box)
    return np.array(kept + [np.zeros(4)] * (MOST - len(kept)))


def overlap(a, b):
    sides = (np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]) + 1).clip(0)
    areas = [np.prod(box[2:] - box[:2] + 1) for box in (a, b)]
    return np.prod(sides) / (sum(areas) - np.prod(sides))


def bounds(first, last, cells, end):
    """Return where cells begin and end; TensorRT multiplies by the reciprocal in float32."""
    step = np.float32(max(last - first + 1, 1)) * (np.float32(1) / np.float32(cells))
    numbers = np.arange(cells + 1, dtype=np.float32)
    begin, stop = np.floor(numbers[:-1] * step), np.ceil(numbers[1:] * step)
    return [(int(first + a), int(min(first + b, end))) for a, b in zip(begin, stop, strict=True)]


def pooled(features, roi, cells):
    left, top, right, bottom = (int(np.floor(value / 16 + 0.5)) for value in roi)
    result = np.zeros((CHANNELS, *cells))
    for row, rows in enumerate(bounds(top, bottom, cells[0], HEIGHT)):
        for column, columns in enumerate(bounds(left, right, cells[1], WIDTH)):
            part = features[:, slice(*rows), slice(*columns)]
            result[:, row, column] = part.max((1, 2)) if part[0].size else 0
    return result


@pytest.mark.parametrize("cells", [(3, 2), (7, 7)])
def test_rproi_equals_its_definition(cells):
    score, features = (RNG.uniform(size=(2, count, HEIGHT, WIDTH)).astype(np.float32) for count in (18, CHANNELS))
    delta = RNG.normal(size=(2, 36, HEIGHT, WIDTH), scale=0.3).astype(np.float32)
    info = np.float32([[95, 127, 1], [80, 100, 1.5]])
    feeds = {"score": score, "delta": delta, "map": features, "info": info.reshape(2, 1, 1, 3)}
    outputs = session(cells).run(feeds)
    for index in range(2):
        expected = proposals(score[index], delta[index], info[index])
        np.testing.assert_allclose(outputs["rois"][index, 0], expected, atol=1e-3)
        wanted = [pooled(features[index], roi, cells) for roi in outputs["rois"][index, 0]]
        np.testing.assert_array_equal(outputs["pool5"][index], np.float32(wanted))


def test_the_last_cell_reaches_further_where_float32_says_so():
    assert bounds(0, 2, 7, 9)[-1] == (2, 4)  # three over seven, times seven


def test_fields_and_inputs_that_do_not_fit_are_refused():
    with pytest.raises(trt.NetworkError, match="3 anchorsRatios for anchorsRatioCount 2"):
        plugin(anchorsRatioCount=2)
    shapes = [trt.Dims(shape) for shape in ((18, 4, 4), (36, 4, 4), (5, 4, 5), (1, 1, 3))]
    with pytest.raises(trt.NetworkError, match=r"It takes \(18, H, W\), \(36, H, W\)"):
        plugin().get_output_shape(0, shapes)


def test_network_without_proposals_cannot_be_converted():
    with pytest.raises(UserError, match="network 'other' has no proposal and ROIPooling layers"):
        convert_faster_rcnn_prototxt(NetParameter(name="other"))


@pytest.mark.skipif(not SHARED.exists(), reason="needs the prototxts in ../shared/data/caffe")
def test_py_faster_rcnns_prototxt_becomes_a_network(tmp_path):
    """Every layer is accounted for; the outputs have the guide's shapes (§12.5)."""
    stock = read_prototxt(SHARED / "faster_rcnn_vgg16_test.prototxt")
    net = convert_faster_rcnn_prototxt(stock)
    assert [layer.name for layer in net.layer if layer.type == "RPROI"] == ["RPROIFused"]
    assert len(net.layer) == len(stock.layer) + 2 - 1
    for layer in net.layer:  # a sixteenth of the channels: the original has 137 million weights
        for part in ("convolution_param", "inner_product_param"):
            if layer.HasField(part) and layer.name not in ("rpn_cls_score", "rpn_bbox_pred", "cls_score", "bbox_pred"):
                getattr(layer, part).num_output //= 16
    write_prototxt(net, tmp_path / "model.prototxt")
    write_caffemodel(random_weights(net), tmp_path / "model.caffemodel")
    network = trt.INetworkDefinition()
    files = [str(tmp_path / name) for name in ("model.prototxt", "model.caffemodel")]
    tensors = trt.CaffeParser().parse(*files, network, trt.float32)
    shapes = {name: tuple(tensors.find(name).shape) for name in ("bbox_pred", "cls_prob", "rois", "conv5_3")}
    assert shapes == {
        "bbox_pred": (300, 84, 1, 1),
        "cls_prob": (300, 21, 1, 1),
        "rois": (1, 300, 4),
        "conv5_3": (32, 24, 32),
    }


def random_weights(net):
    """Return weights for a converted network of VGG's kind, whose layers follow one another."""
    weights, channels = NetParameter(), {"data": 3}
    for layer in net.layer:
        inputs = channels.get(layer.bottom[0], 1) if layer.bottom else 3
        outputs = inputs
        if layer.type == "Convolution":
            parameter = layer.convolution_param
            outputs, shape = parameter.num_output, (inputs, *[parameter.kernel_size[0]] * 2)
        elif layer.type == "InnerProduct":
            outputs, shape = layer.inner_product_param.num_output, (inputs,)
        if layer.type in ("Convolution", "InnerProduct"):
            arrays = (RNG.normal(size=(outputs, *shape), scale=0.05), np.zeros(outputs))
            weights.layer.add(name=layer.name).blobs.extend(array_to_blob(np.float32(array)) for array in arrays)
        channels.update(dict.fromkeys(layer.top, outputs))
        if layer.type == "RPROI":
            channels[layer.top[1]] = channels["conv5_3"] * layer.roi_pooling_param.pooled_h**2
    return weights
