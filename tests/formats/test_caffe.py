"""Caffe's formats: both directions, the format of 2014, and what is damaged."""

import re
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


def test_weights_that_are_not_finite_are_refused(tmp_path):
    write_caffemodel(model(np.array([1, np.nan])), tmp_path / "m")
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


def test_generated_module_belongs_to_the_schema():
    text = re.sub(r"//.*", "", (ROOT / "trtflow/formats/caffe/caffe.proto").read_text())
    declared = {(name, int(number)) for name, number in re.findall(r"\b(\w+) = (\d+)(?: \[[^\]]*\])?;", text)}
    compiled = set()

    def collect(message):
        compiled.update((field.name, field.number) for field in message.fields)
        compiled.update((value.name, value.number) for enum in message.enum_types for value in enum.values)
        for nested in message.nested_types:
            collect(nested)

    for message in schema.DESCRIPTOR.message_types_by_name.values():
        collect(message)
    for enum in schema.DESCRIPTOR.enum_types_by_name.values():
        compiled.update((value.name, value.number) for value in enum.values)
    assert compiled == declared


@pytest.mark.skipif(not SHARED.exists(), reason=f"the networks of {SHARED.name} lie beside some checkouts only")
@pytest.mark.parametrize(("name", "layers"), [("bvlc_googlenet", 143), ("faster_rcnn_vgg16_test", 48)])
def test_published_networks_are_read(name, layers):
    assert len(read_prototxt(SHARED / f"{name}.prototxt").layer) == layers
