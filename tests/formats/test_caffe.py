"""Caffe's formats: both directions, the format of 2014, and what is damaged."""

from pathlib import Path

import numpy as np
import pytest

from trtflow.formats import FormatError
from trtflow.formats.caffe import (
    NetParameter,
    array_to_blob,
    blob_to_array,
    read_binaryproto,
    read_caffemodel,
    read_prototxt,
    write_binaryproto,
    write_caffemodel,
    write_prototxt,
)
from trtflow.formats.caffe import caffe_pb2 as schema
from trtflow.formats.caffe.upgrade import type_name

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data" / "caffe"
RNG = np.random.default_rng(0)


def model(*arrays):
    net = NetParameter(name="net")
    for index, array in enumerate(arrays):
        net.layer.add(name=f"conv{index}", type="Convolution").blobs.append(array_to_blob(array))
    return net


@pytest.fixture
def caffemodel(tmp_path):
    path = tmp_path / "model.caffemodel"
    write_caffemodel(model(RNG.normal(size=(4, 3, 3, 3)), RNG.normal(size=7)), path)
    return path


def test_weights_survive(tmp_path):
    kernel, bias = RNG.normal(size=(4, 3, 3, 3)).astype(np.float32), RNG.normal(size=7).astype(np.float32)
    path = tmp_path / "model.caffemodel"
    write_caffemodel(model(kernel, bias), path)
    layers = read_caffemodel(path).layer
    np.testing.assert_array_equal(blob_to_array(layers[0].blobs[0]), kernel)
    np.testing.assert_array_equal(blob_to_array(layers[1].blobs[0]), bias)
    first = path.read_bytes()
    write_caffemodel(read_caffemodel(path), path)
    assert path.read_bytes() == first


@pytest.mark.parametrize("shape", [(), (0, 3), (127,), (128,), (5, 3277)])  # lengths of one, two and three bytes
def test_arrays_of_any_shape_survive(shape):
    array = RNG.normal(size=shape).astype(np.float32)
    np.testing.assert_array_equal(blob_to_array(array_to_blob(array)), array)


def test_array_in_another_order_of_memory_survives():
    array = np.arange(6, dtype=np.float32).reshape(2, 3).T
    np.testing.assert_array_equal(blob_to_array(array_to_blob(array)), array)


def test_double_precision_is_read(tmp_path):
    net = model(np.zeros(2))
    blob = net.layer[0].blobs[0]
    blob.ClearField("data")
    blob.double_data.extend([0.1, -2])
    write_caffemodel(net, tmp_path / "m")
    np.testing.assert_array_equal(
        blob_to_array(read_caffemodel(tmp_path / "m").layer[0].blobs[0]), np.float32([0.1, -2])
    )


def test_network_survives_as_text(tmp_path):
    net = NetParameter(name="net")
    layer = net.layer.add(name="prior", type="PriorBox", bottom=["conv", "data"], top=["prior"])
    layer.prior_box_param.min_size.append(30)
    layer.prior_box_param.flip = True
    write_prototxt(net, tmp_path / "net.prototxt")
    assert read_prototxt(tmp_path / "net.prototxt") == net


@pytest.mark.parametrize("keep", [0.3, 0.9, 0.999])
def test_cut_off_caffemodel_is_refused(caffemodel, keep):
    data = caffemodel.read_bytes()
    caffemodel.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(FormatError, match=r"model.caffemodel: (cut off or damaged|blob).* Fetch or export it again"):
        read_caffemodel(caffemodel)


def test_flipped_length_is_refused(caffemodel):
    data = bytearray(caffemodel.read_bytes())
    data[data.index(b"conv0") - 1] ^= 0x40  # the length of the layer's name
    caffemodel.write_bytes(data)
    with pytest.raises(FormatError, match="model.caffemodel"):
        read_caffemodel(caffemodel)


def test_any_flipped_bit_gives_a_network_or_one_error(tmp_path):
    path = tmp_path / "model.caffemodel"
    write_caffemodel(model(RNG.normal(size=(2, 3))), path)
    data = path.read_bytes()
    refused = 0
    for position in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[position // 8] ^= 1 << position % 8
        path.write_bytes(flipped)
        try:
            read_caffemodel(path)
        except FormatError:
            refused += 1
    assert refused > 100  # keys, lengths and shapes; protobuf has no checksum for the values themselves


@pytest.mark.parametrize("data", [b"", b"<html>404</html>"])
def test_other_files_are_refused(tmp_path, data):
    path = tmp_path / "model.caffemodel"
    path.write_bytes(data)
    with pytest.raises(FormatError, match="model.caffemodel"):
        read_caffemodel(path)


def test_shape_that_disagrees_with_the_data_names_the_layer(tmp_path):
    net = model(RNG.normal(size=(2, 3)))
    net.layer[0].blobs[0].shape.dim[0] = 3
    write_caffemodel(net, tmp_path / "m")
    with pytest.raises(FormatError, match=r"blob 0 of layer 'conv0' has 6 values for the shape \(3, 3\)"):
        read_caffemodel(tmp_path / "m")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(tmp_path, value):
    write_caffemodel(model(np.array([1, value])), tmp_path / "m")
    with pytest.raises(FormatError, match="blob 0 of layer 'conv0' has values that are not finite"):
        read_caffemodel(tmp_path / "m")


def test_layers_of_2014_are_upgraded(tmp_path):
    net = NetParameter()
    old = net.layers.add(name="conv1", type=schema.V1LayerParameter.CONVOLUTION, bottom=["data"], top=["conv1"])
    old.convolution_param.num_output = 2
    old.convolution_param.kernel_size.append(1)
    blob = old.blobs.add(num=2, channels=1, height=1, width=1)
    blob.data.extend([1, 2])
    net.layers.add(name="loss", type=schema.V1LayerParameter.SOFTMAX_LOSS)
    write_caffemodel(net, tmp_path / "m")
    layers = read_caffemodel(tmp_path / "m").layer
    assert [(layer.name, layer.type) for layer in layers] == [("conv1", "Convolution"), ("loss", "SoftmaxWithLoss")]
    assert layers[0].convolution_param.num_output == 2
    assert list(layers[0].bottom) == ["data"]
    np.testing.assert_array_equal(blob_to_array(layers[0].blobs[0]), np.float32([1, 2]).reshape(2, 1, 1, 1))


def test_text_of_2014_is_upgraded(tmp_path):
    (tmp_path / "net.prototxt").write_text(
        """
        input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
        layers { name: "conv1" type: CONVOLUTION bottom: "data" top: "conv1" param: "w" param: "b"
                 blobs_lr: 1 blobs_lr: 2 weight_decay: 0.5 convolution_param { num_output: 4 kernel_size: 3 } }
        layers { name: "relu1" type: RELU bottom: "conv1" top: "conv1" include { phase: TEST } }
        """
    )
    net = read_prototxt(tmp_path / "net.prototxt")
    assert not net.layers
    assert (list(net.input), list(net.input_dim)) == (["data"], [1, 3, 8, 8])
    conv, relu = net.layer
    assert [(spec.name, spec.lr_mult, spec.decay_mult) for spec in conv.param] == [("w", 1, 0.5), ("b", 2, 1)]
    assert (relu.type, relu.include[0].phase) == ("ReLU", schema.TEST)


@pytest.mark.parametrize(
    ("old", "new"),
    [("INNER_PRODUCT", "InnerProduct"), ("TANH", "TanH"), ("DUMMY_DATA", "DummyData"), ("HDF5_DATA", "HDF5Data")],
)
def test_types_of_2014_have_names_of_today(old, new):
    assert type_name(schema.V1LayerParameter.LayerType.Value(old)) == new


def test_every_parameter_of_2014_has_its_place_today():
    today = schema.LayerParameter.DESCRIPTOR.fields_by_name
    for field in schema.V1LayerParameter.DESCRIPTOR.fields:
        if field.name.endswith("_param"):
            assert today[field.name].message_type == field.message_type


def test_network_for_training_is_read(tmp_path):
    (tmp_path / "train_val.prototxt").write_text(
        """
        layer { name: "mnist" type: "Data" top: "data" top: "label" include { phase: TRAIN }
                transform_param { mirror: true crop_size: 24 mean_value: 104 mean_value: 117 mean_value: 123 }
                data_param { source: "train_lmdb" batch_size: 64 backend: LMDB } }
        layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" param { lr_mult: 1 } param { lr_mult: 2 }
                inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
        layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy"
                accuracy_param { top_k: 5 } include { phase: TEST stage: "val" } }
        layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" loss_weight: 0.3
                loss_param { ignore_label: 255 normalize: true } softmax_param { engine: CAFFE } }
        layer { name: "roi" type: "Python" python_param { module: "rpn.proposal_layer" layer: "ProposalLayer" } }
        """
    )
    net = read_prototxt(tmp_path / "train_val.prototxt")
    assert [layer.type for layer in net.layer] == ["Data", "InnerProduct", "Accuracy", "SoftmaxWithLoss", "Python"]


def test_fused_proposal_layer_is_read(tmp_path):
    (tmp_path / "faster_rcnn.prototxt").write_text(
        """
        layer { name: "RPROIFused" type: "RPROI" bottom: "rpn_cls_prob_reshape" bottom: "rpn_bbox_pred"
                bottom: "conv5_3" bottom: "im_info" top: "rois" top: "pool5"
                region_proposal_param { feature_stride: 16 prenms_top: 6000 nms_max_out: 300 anchor_ratio_count: 3
                  anchor_scale_count: 3 iou_threshold: 0.7 min_box_size: 16 anchor_ratio: 0.5 anchor_ratio: 1.0
                  anchor_ratio: 2.0 anchor_scale: 8 anchor_scale: 16 anchor_scale: 32 }
                roi_pooling_param { pooled_w: 7 pooled_h: 7 spatial_scale: 0.0625 } }
        """
    )
    (layer,) = read_prototxt(tmp_path / "faster_rcnn.prototxt").layer
    assert list(layer.region_proposal_param.anchor_ratio) == [0.5, 1, 2]
    assert layer.roi_pooling_param.spatial_scale == 0.0625


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'layer { name: "\xff" }', "byte 15 is not text. Give the prototxt, not the caffemodel"),
        (b'layer { name: "a', "line:column 1:15 "),
        (b"layer {\n  pooling_param { pool: LARGEST } }", "line:column 2:25 .*LARGEST"),
        (b"layer { clip_param { min: 0 } }", r"field layer\[0\].clip_param.max is not set"),
    ],
)
def test_damaged_prototxt_is_refused(tmp_path, data, message):
    (tmp_path / "net.prototxt").write_bytes(data)
    with pytest.raises(FormatError, match=f"net.prototxt: .*{message}"):
        read_prototxt(tmp_path / "net.prototxt")


def test_error_in_a_prototxt_names_the_line(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text('name: "net"\nlayer { name: "a"\n  typ: "ReLU" }\n')
    with pytest.raises(FormatError, match=r"net.prototxt: not a Caffe network, line:column 3:3 .*typ"):
        read_prototxt(path)
    path.write_text('name: "net"\n')
    with pytest.raises(FormatError, match="the network has no layers"):
        read_prototxt(path)


def test_mean_image_survives(tmp_path):
    mean = RNG.normal(size=(1, 3, 4, 5)).astype(np.float32)
    write_binaryproto(mean, tmp_path / "mean.binaryproto")
    np.testing.assert_array_equal(read_binaryproto(tmp_path / "mean.binaryproto"), mean)


@pytest.mark.parametrize("form", ["data", "raw_data", "double_data"])
def test_mean_image_of_another_form_and_of_fewer_axes(tmp_path, form):
    values = np.arange(12, dtype=np.float16).reshape(3, 2, 2)
    blob = schema.BlobProto()
    blob.shape.dim.extend(values.shape)
    if form == "raw_data":
        blob.raw_data_type, blob.raw_data = schema.FLOAT16, values.tobytes()
    else:
        getattr(blob, form).extend(values.ravel().tolist())
    (tmp_path / "mean.binaryproto").write_bytes(blob.SerializeToString())
    np.testing.assert_array_equal(read_binaryproto(tmp_path / "mean.binaryproto"), np.float32(values)[None])


@pytest.mark.parametrize("data", [b"", b"<html>404</html>", b"\x0a\x7f"])
def test_file_that_is_no_mean_image_is_refused(tmp_path, data):
    (tmp_path / "mean.binaryproto").write_bytes(data)
    with pytest.raises(FormatError, match="mean.binaryproto"):
        read_binaryproto(tmp_path / "mean.binaryproto")


def test_layers_of_2014_stay_where_they_are_wanted_as_they_are(tmp_path):
    (tmp_path / "net.prototxt").write_text('layers { name: "r" type: RELU bottom: "data" top: "r" }')
    net = read_prototxt(tmp_path / "net.prototxt", as_it_is=True)
    assert (len(net.layers), len(net.layer)) == (1, 0)


@pytest.mark.skipif(not SHARED.exists(), reason=f"the networks of {SHARED.name} lie beside some checkouts only")
@pytest.mark.parametrize(("name", "layers"), [("bvlc_googlenet", 143), ("faster_rcnn_vgg16_test", 48)])
def test_published_networks_are_read(name, layers):
    assert len(read_prototxt(SHARED / f"{name}.prototxt").layer) == layers
