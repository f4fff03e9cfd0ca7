"""LeNet and the zoo's network: what is exported computes what PyTorch computes."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import trtflow.reference as trt
from trtflow.datasets.digits import write_digits
from trtflow.families.digits.capture import VARIABLE, captured, folders
from trtflow.families.digits.exporters import arrays_of, to_caffe, to_onnx, to_wts
from trtflow.families.digits.network import LeNet, ZooNet, load_network, make_network, probabilities, save_network
from trtflow.families.digits.training import full_batches
from trtflow.formats import FormatError, UserError
from trtflow.formats.batch_file import Batch, read_batch
from trtflow.formats.caffe import blob_to_array

ZOO = Path(__file__).resolve().parents[3] / "shared" / "data" / "onnx" / "mnist-8.onnx"


@pytest.fixture
def lenet():
    torch.manual_seed(0)
    return LeNet(torch.rand(1, 28, 28), 0.0125).eval()


@pytest.fixture
def zoo():
    torch.manual_seed(0)
    return ZooNet().eval()


def test_caffe_has_the_guides_layers(lenet):
    net = to_caffe(lenet)
    kinds = [(layer.name, layer.type) for layer in net.layer]
    assert kinds == [
        ("data", "Input"),
        ("scale", "Power"),
        ("conv1", "Convolution"),
        ("pool1", "Pooling"),
        ("conv2", "Convolution"),
        ("pool2", "Pooling"),
        ("ip1", "InnerProduct"),
        ("relu1", "ReLU"),
        ("ip2", "InnerProduct"),
        ("prob", "Softmax"),
    ]
    by_name = {layer.name: layer for layer in net.layer}
    assert by_name["scale"].power_param.scale == pytest.approx(0.0125)
    np.testing.assert_array_equal(blob_to_array(by_name["ip2"].blobs[0]), lenet.fc2.weight.detach().numpy())


def test_caffe_without_a_factor_has_no_power_layer():
    model = LeNet(torch.zeros(1, 28, 28), 1.0)
    assert [layer.name for layer in to_caffe(model).layer][:2] == ["data", "conv1"]


def test_wts_has_the_eight_blobs_of_mnistapi(lenet):
    blobs = to_wts(lenet)
    sizes = {name: blob.size for name, blob in blobs.items()}
    assert sizes == {
        "conv1filter": 500,
        "conv1bias": 20,
        "conv2filter": 25000,
        "conv2bias": 50,
        "ip1filter": 400000,
        "ip1bias": 500,
        "ip2filter": 5000,
        "ip2bias": 10,
    }


def test_onnx_is_valid_and_computes_the_same(zoo):
    model = to_onnx(zoo)
    onnx.checker.check_model(model, full_check=True)
    image = np.random.default_rng(0).random((1, 1, 28, 28), np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (logits,) = session.run(["Plus214_Output_0"], {"Input3": image})
    wanted = zoo(torch.from_numpy(image)).detach().numpy()
    np.testing.assert_allclose(logits, wanted, atol=1e-5)
    assert to_onnx(zoo).SerializeToString(deterministic=True) == model.SerializeToString(deterministic=True)


@pytest.mark.skipif(not ZOO.exists(), reason="the model zoo's mnist-8.onnx is not beside this checkout")
def test_onnx_has_the_nodes_of_the_model_zoo(zoo):
    def nodes(model):
        return [(node.op_type, node.name, list(node.input), list(node.output)) for node in model.graph.node]

    def shapes(model):
        return {value.name: list(value.dims) for value in model.graph.initializer}

    theirs, ours = onnx.load(ZOO), to_onnx(zoo)
    assert sorted(nodes(ours)) == sorted(nodes(theirs))
    assert shapes(ours) == shapes(theirs)
    assert ours.opset_import[0].version == theirs.opset_import[0].version


def test_network_subtracts_its_mean():
    images = np.random.default_rng(0).random((5, 1, 28, 28), np.float32)
    model = make_network("lenet", images, subtract_mean=True, scale=0.5)
    np.testing.assert_allclose(model.mean.numpy(), images.mean(0), rtol=1e-6)
    assert not make_network("lenet", images, subtract_mean=False, scale=1.0).mean.any()


@pytest.mark.parametrize("kind", ["lenet", "zoo"])
def test_checkpoint_keeps_the_network(tmp_path, kind, request):
    model = request.getfixturevalue(kind)
    images = np.random.default_rng(0).random((3, 1, 28, 28), np.float32)
    for name in ("a", "b"):
        save_network(kind, model, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    np.testing.assert_array_equal(probabilities(load_network(tmp_path / "a"), images), probabilities(model, images))


def test_wrong_checkpoints(tmp_path, zoo):
    save_network("zoo", zoo, tmp_path / "zoo.pt")
    with pytest.raises(UserError, match=r"zoo.pt: a ZooNet, but a LeNet is needed"):
        load_network(tmp_path / "zoo.pt", LeNet)
    (tmp_path / "bad.pt").write_bytes(b"no network")
    with pytest.raises(FormatError, match=r"bad.pt: not a checkpoint of a digit network"):
        load_network(tmp_path / "bad.pt")


def test_batches_are_captured_where_the_variable_names_a_folder(tmp_path, monkeypatch):
    batches = [Batch(np.full((2, 1, 3, 3), index, np.float32), np.array([index, 1])) for index in range(3)]
    monkeypatch.delenv(VARIABLE, raising=False)
    assert list(captured(batches, folders())) == batches
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv(VARIABLE, str(tmp_path / "named"))
    assert list(captured(batches, folders(tmp_path / "known"))) == batches
    for folder in (tmp_path / "known", tmp_path / "named"):
        assert sorted(path.name for path in folder.iterdir()) == ["batch0", "batch1", "batch2"]
        found = read_batch(folder / "batch2")
        np.testing.assert_array_equal(found.images, batches[2].images)
        np.testing.assert_array_equal(found.labels, [2, 1])


def test_digits_that_do_not_fill_batches(tmp_path):
    write_digits(tmp_path, {"train": 3, "calibration": 10, "val": 100}, seed=0)
    assert [len(batch.images) for batch in full_batches(tmp_path / "calibration.npz", "unit", 5)] == [5, 5]
    with pytest.raises(UserError, match=r"10 digits of .*calibration.npz do not fill batches of 3."):
        list(full_batches(tmp_path / "calibration.npz", "unit", 3))


def test_arrays_have_pytorchs_names(lenet):
    assert list(arrays_of(lenet))[:2] == ["conv1.weight", "conv1.bias"]
    assert trt.Weights(arrays_of(lenet)["fc1.weight"]).size == 400000
