"""sampleINT8API on a small ResNet-50: ranges recorded and set, precisions set, layers kept, faults named."""

import numpy as np
import pytest
import torch

import trtflow.reference as trt
from trtflow.calibration.ranges import record_ranges
from trtflow.calibration.tensors import LEAST_RANGE
from trtflow.families.classifiers.exporters import to_onnx
from trtflow.families.classifiers.network import Classifier, probabilities, randomise
from trtflow.families.common.input_size import read_input_size, read_pixels, write_input_size
from trtflow.formats import FormatError, UserError
from trtflow.formats.dynamic_ranges import read_ranges, write_ranges
from trtflow.runtime.build import build_plan
from trtflow.runtime.session import Session
from trtflow.samples import definition, int8_api, load

SIZE = 64


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(0).normal(0, 1, (4, 3, SIZE, SIZE)).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(1)
    network = Classifier("resnet50", 10, 0.0625, SIZE)
    randomise(network, 1)
    return network.eval()


@pytest.fixture(scope="module")
def export(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    (folder / "model.onnx").write_bytes(to_onnx(model).SerializeToString())
    write_input_size(folder, SIZE)
    return folder


@pytest.fixture(scope="module")
def ranges(export, pictures, tmp_path_factory):
    path = tmp_path_factory.mktemp("ranges") / "ranges.txt"
    define = definition(int8_api, export, "fp32")
    write_ranges(path, record_ranges(trt, define, [pictures[:2], pictures[2:]], 2, explicit_batch=True))
    return path


def network_of(export):
    network = trt.Builder(trt.Logger()).create_network(1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
    int8_api.define_network(trt, network, export)
    return network


def plan_of(export, ranges, kept=(), **options):
    define = definition(int8_api, export, "int8", ranges, kept)
    return build_plan(trt, define, "int8", 4, explicit_batch=True, **options)


def run(plan, pictures):
    engine = trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan)
    with Session(trt, engine) as session:
        return int8_api.postprocess(session.run({int8_api.INPUT: pictures}))["probabilities"]


def test_ranges_are_the_largest_values_of_every_tensor(ranges, pictures, model):
    recorded = read_ranges(ranges)
    assert len(recorded) == 178
    assert recorded["gpu_0/data_0"] == pytest.approx(np.abs(pictures).max(), rel=1e-6)
    assert recorded["gpu_0/softmax_1"] == pytest.approx(probabilities(model, pictures).max(), rel=1e-4)
    assert recorded["gpu_0/res2_0_branch2a_bn_2"] <= recorded["gpu_0/res2_0_branch2a_bn_1"]


@pytest.mark.parametrize(("value", "told"), [(np.nan, "nan"), (-np.inf, "inf")])
def test_tensor_that_is_not_finite_is_named(export, pictures, value, told):
    spoilt = pictures[:2].copy()
    spoilt[1, 0, 5, 5] = value
    define = definition(int8_api, export, "fp32")
    with pytest.raises(UserError, match=f"tensor 'gpu_0/data_0' has a value that is {told} in float32"):
        record_ranges(trt, define, [pictures[2:], spoilt], 2, explicit_batch=True)


def test_range_of_a_tensor_that_was_always_zero_is_the_least(export, ranges, pictures, tmp_path):
    changed = {**read_ranges(ranges), "gpu_0/res2_0_branch2a_bn_2": 0.0}
    write_ranges(tmp_path / "ranges.txt", changed)
    network = network_of(export)
    int8_api.configure_network(trt, network, tmp_path / "ranges.txt")
    (tensor,) = (t for layer in network for t in layer.outputs if t.name == "gpu_0/res2_0_branch2a_bn_2")
    assert tensor.dynamic_range == (-LEAST_RANGE, LEAST_RANGE)
    found = run(plan_of(export, tmp_path / "ranges.txt"), pictures)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)


def test_every_tensor_has_a_range_and_every_layer_a_precision(export, ranges):
    network = network_of(export)
    int8_api.configure_network(trt, network, ranges, ["gpu_0/softmax_1"])
    convolution = next(layer for layer in network if layer.type == trt.LayerType.CONVOLUTION)
    assert convolution.precision == trt.int8
    assert convolution.get_output_type(0) == trt.int8
    for layer in network:
        if layer.get_output(0).dtype == trt.float32:
            assert layer.get_output(0).dynamic_range is not None, layer.name


def test_int8_engine_is_close_and_not_equal(export, ranges, pictures, model):
    found, exact = run(plan_of(export, ranges), pictures), probabilities(model, pictures)
    assert 0 < np.abs(found - exact).max() < 0.1


def test_kept_layers_are_not_int8(export, ranges, pictures, model):
    layers = [layer.name for layer in network_of(export)]
    found = run(plan_of(export, ranges, layers), pictures)
    np.testing.assert_allclose(found, probabilities(model, pictures), atol=1e-5)


def test_tensor_without_a_range_is_named_with_the_closest(export, ranges, tmp_path):
    changed = read_ranges(ranges)
    changed["gpu_0/nowhere_1"] = changed.pop("gpu_0/conv1_1")
    write_ranges(tmp_path / "ranges.txt", changed)
    message = r"1 tensors without a range: gpu_0/conv1_1 \(is it gpu_0/nowhere_1\?\)"
    with pytest.raises(FormatError, match=message):
        plan_of(export, tmp_path / "ranges.txt")


def test_dla_that_is_not_there_is_an_error(export, ranges):
    with pytest.raises(UserError, match="DLA core 0 is to be used, but this device has no DLA. Leave dla_core out"):
        plan_of(export, ranges, dla_core=0)


def test_device_without_fast_int8_is_an_error(export, ranges, monkeypatch):
    monkeypatch.setattr(trt.Builder, "platform_has_fast_int8", False)
    with pytest.raises(UserError, match="no fast INT8"):
        plan_of(export, ranges)


def test_input_size_travels_with_the_model(export, tmp_path):
    assert read_input_size(export) == SIZE
    (tmp_path / "input.json").write_text('{"shape": [3, 4]}')
    with pytest.raises(FormatError, match=r"input\.json: not the shape of an input"):
        read_input_size(tmp_path)


def test_form_of_the_pictures_travels_with_the_model_where_a_sample_takes_several(export, tmp_path):
    write_input_size(tmp_path, SIZE, pixels="bgr")
    assert (read_input_size(tmp_path), read_pixels(tmp_path)) == (SIZE, "bgr")
    with pytest.raises(FormatError, match=r"input\.json: the form of the pictures is None, not one of bgr, imagenet"):
        read_pixels(export)


def test_programs_are_loaded_by_name():
    assert load("introductory_parser_samples.uff").INPUT == "input"
    with pytest.raises(UserError, match="has no program 'onnx'. Known: none"):
        load("int8_api.onnx")
    with pytest.raises(UserError, match="has no program 'mxnet'. Known: caffe, onnx, uff"):
        load("introductory_parser_samples.mxnet")
