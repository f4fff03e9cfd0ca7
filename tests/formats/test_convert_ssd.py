"""The edit that TensorRT wants of an SSD prototxt, as a function and as a command."""

import subprocess
import sys
from pathlib import Path

import pytest

from trtflow.formats import UserError
from trtflow.formats.caffe import NetParameter, convert_ssd_prototxt, read_prototxt

ROOT = Path(__file__).resolve().parents[2]
STOCK = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 300 dim: 300 } } }
layer { name: "loc_perm" type: "Permute" bottom: "loc" top: "loc_perm" permute_param { order: 0 order: 2 } }
layer { name: "loc_flat" type: "Flatten" bottom: "loc_perm" top: "loc_flat" flatten_param { axis: 1 } }
layer { name: "detection_out" type: "DetectionOutput" bottom: "loc_flat" top: "detection_out"
        include { phase: TEST }
        detection_output_param { num_classes: 21 nms_param { nms_threshold: 0.45 top_k: 400 } code_type: CENTER_SIZE
                                 save_output_param { label_map_file: "labelmap_voc.prototxt" } keep_top_k: 200 } }
"""


@pytest.fixture
def stock(tmp_path):
    path = tmp_path / "deploy.prototxt"
    path.write_text(STOCK)
    return path


def test_flatten_and_detection_output_change_and_nothing_else(stock):
    net = read_prototxt(stock)
    converted = convert_ssd_prototxt(net)
    flat, detection = converted.layer[2:]
    assert (flat.type, list(flat.reshape_param.shape.dim)) == ("Reshape", [0, -1, 1, 1])
    assert not flat.HasField("flatten_param")
    assert list(detection.top) == ["detection_out", "keep_count"]
    assert converted.layer[:2] == net.layer[:2]
    assert detection.detection_output_param == net.layer[3].detection_output_param
    assert net.layer[2].type == "Flatten"  # the network that was given stays as it is


def test_layers_of_training_are_left_out_and_rules_too(stock):
    stock.write_text(STOCK + 'layer { name: "loss" type: "MultiBoxLoss" bottom: "loc" include { phase: TRAIN } }')
    converted = convert_ssd_prototxt(read_prototxt(stock))
    assert [layer.type for layer in converted.layer] == ["Input", "Permute", "Reshape", "DetectionOutput"]
    assert not any(layer.include or layer.exclude for layer in converted.layer)  # TensorRT knows no phases


def test_network_that_is_fed_by_a_data_layer_is_refused(stock):
    stock.write_text('layer { name: "data" type: "AnnotatedData" top: "data" include { phase: TEST } }' + STOCK)
    with pytest.raises(UserError, match="layer 'data' of the type AnnotatedData feeds the network"):
        convert_ssd_prototxt(read_prototxt(stock))


def test_converting_twice_changes_nothing(stock):
    once = convert_ssd_prototxt(read_prototxt(stock))
    assert convert_ssd_prototxt(once) == once


def test_network_without_detections_is_refused():
    net = NetParameter(name="lenet")
    net.layer.add(type="Flatten")
    with pytest.raises(UserError, match="network 'lenet' has no DetectionOutput layer"):
        convert_ssd_prototxt(net)


def test_flatten_of_other_axes_is_refused(stock):
    net = read_prototxt(stock)
    net.layer[2].flatten_param.axis = 2
    with pytest.raises(UserError, match="Flatten layer 'loc_flat' keeps other axes than the batch"):
        convert_ssd_prototxt(net)


def test_command(stock, tmp_path):
    command = [sys.executable, ROOT / "scripts" / "convert_ssd_prototxt.py", stock, tmp_path / "model.prototxt"]
    subprocess.run(command, check=True)
    assert read_prototxt(tmp_path / "model.prototxt") == convert_ssd_prototxt(read_prototxt(stock))


def test_command_fails_with_one_line_and_without_output(stock, tmp_path):
    stock.write_text("layer { nme: 1 }")
    command = [sys.executable, ROOT / "scripts" / "convert_ssd_prototxt.py", stock, tmp_path / "model.prototxt"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"error: {stock}: not a Caffe network")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deploy.prototxt"]
