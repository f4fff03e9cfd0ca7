"""Darknet to ONNX, held against OpenCV's reader of the same files, and every layer accounted for."""

import sys
from pathlib import Path

import convert_darknet
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from darknet_networks import converted_outputs, distance, opencv_outputs, picture_of, random_values, written

from trtflow.converters.darknet import INPUT, convert
from trtflow.families.yolov3.network import Darknet, load, yolov3_sections
from trtflow.formats import FormatError, UserError
from trtflow.formats.checksums import verify_checksums
from trtflow.formats.darknet import (
    convolutions,
    read_cfg,
    read_layers,
    resolve,
    write_cfg,
)

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "yolov3"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="no shared/data/yolov3")


def real_sections(name):
    """Return the sections of a real network, with a quarter of the filters: the files are smaller by a sixteenth."""
    sections = read_cfg(SHARED / f"{name}.cfg")
    for section in sections:
        if section.options.get("filters", "255") != "255":
            section.options["filters"] = str(int(section.options["filters"]) // 4)
    return sections


def compare_with_opencv(cfg, weights, monkeypatch):
    """Run the converted network and OpenCV's on one random picture; both within 1e-3."""
    pytest.importorskip("cv2")
    folder = weights.parent / "export"
    arguments = ["--cfg", str(cfg), "--weights", str(weights), "--out-dir", str(folder)]
    monkeypatch.setattr(sys, "argv", ["convert_darknet.py", *arguments])
    convert_darknet.main()
    verify_checksums(folder)
    layers = read_layers(cfg)
    picture = picture_of(cfg)
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    found = session.run(None, {INPUT: picture})
    assert distance(found, opencv_outputs(cfg, weights, layers, picture)) < 1e-3


def test_narrow_yolov3_is_opencvs(tmp_path, monkeypatch):
    compare_with_opencv(*written(tmp_path, yolov3_sections(0.125, 10, 96)), monkeypatch)


@needs_shared
@pytest.mark.parametrize(("name", "count"), [("yolov3", 107), ("yolov3-tiny", 24)])
def test_real_networks_are_opencvs_with_every_layer_accounted_for(tmp_path, monkeypatch, capsys, name, count):
    sections = real_sections(name)
    sections[0].options.update(width="160", height="160")
    cfg, weights = written(tmp_path, sections)
    compare_with_opencv(cfg, weights, monkeypatch)
    account = capsys.readouterr().out.splitlines()[:-1]
    assert len(account) == count
    assert all(line.split(" -> ")[1] for line in account)
    layers = read_layers(cfg)
    kinds = [node.op_type for node in onnx.load(tmp_path / "export" / "model.onnx").graph.node]
    assert kinds.count("Conv") == len(convolutions(layers))
    assert kinds.count("Add") == sum(layer.kind == "shortcut" for layer in layers)
    assert kinds.count("Concat") == sum(layer.kind == "route" and len(layer.sources) > 1 for layer in layers)
    assert kinds.count("MaxPool") == sum(layer.kind == "maxpool" for layer in layers)
    assert kinds.count("Resize") == sum(layer.kind == "upsample" for layer in layers)


def test_names_and_shapes_are_the_samples(tmp_path):
    sections = yolov3_sections(0.0625, 80, 608)
    layers = resolve(sections, tmp_path)
    model, account = convert(layers, random_values(layers), (3, 608, 608), batch=1)
    assert [value.name for value in model.graph.input] == ["000_net"]
    shapes = {value.name: [size.dim_value for size in value.type.tensor_type.shape.dim] for value in model.graph.output}
    assert shapes == {
        "082_convolutional": [1, 255, 19, 19],
        "094_convolutional": [1, 255, 38, 38],
        "106_convolutional": [1, 255, 76, 76],
    }
    names = {node.name for node in model.graph.node}
    assert {"001_convolutional_bn", "001_convolutional_lrelu", "005_shortcut", "086_upsample", "087_route"} <= names
    assert "084_route: (32, 19, 19) -> another name of its source" in account


def test_model_is_the_same_to_the_byte(tmp_path):
    layers = resolve(yolov3_sections(0.0625, 10, 64), tmp_path)
    models = [convert(layers, random_values(layers), (3, 64, 64))[0] for _ in range(2)]
    first, second = (model.SerializeToString(deterministic=True) for model in models)
    assert first == second


def test_pytorch_reads_the_same_network(tmp_path):
    cfg, weights = written(tmp_path, yolov3_sections(0.0625, 10, 64))
    layers = read_layers(cfg)
    images = np.random.default_rng(2).random((2, 3, 64, 64), np.float32)
    with torch.inference_mode():
        wanted = load(cfg, weights)(torch.from_numpy(images))
    found = converted_outputs(layers, random_values(layers), images)
    for mine, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(mine, theirs.numpy(), atol=1e-4)


def test_maxpool_activations_and_groups_are_opencvs(tmp_path, monkeypatch):
    (tmp_path / "odd.cfg").write_text(
        "[net]\nwidth=21\nheight=21\nchannels=4\n"
        "[convolutional]\nfilters=6\nsize=3\npad=1\nbatch_normalize=1\nactivation=relu\ngroups=2\n"
        "[maxpool]\nsize=3\nstride=2\n"
        "[convolutional]\nfilters=6\nsize=3\npadding=1\nactivation=logistic\n"
        "[shortcut]\nfrom=-2\nactivation=leaky\n"
        "[maxpool]\nsize=2\nstride=1\n"
        "[convolutional]\nfilters=12\nsize=1\nactivation=linear\n"
        "[yolo]\nmask=0,1\nanchors=1,2,3,4\nclasses=1\nnum=2\n"
    )
    compare_with_opencv(*written(tmp_path, read_cfg(tmp_path / "odd.cfg")), monkeypatch)


def test_script_refuses_weights_of_another_network(tmp_path, monkeypatch):
    cfg, weights = written(tmp_path, yolov3_sections(0.0625, 10, 64))
    write_cfg(cfg, yolov3_sections(0.125, 10, 64))
    monkeypatch.setattr(
        sys, "argv", ["x", "--cfg", str(cfg), "--weights", str(weights), "--out-dir", str(tmp_path / "export")]
    )
    with pytest.raises(FormatError, match="too short"):
        convert_darknet.main()
    assert not (tmp_path / "export").exists()


@pytest.mark.parametrize(
    ("section", "name"),
    [
        ("[reorg]\nstride=2", "002_reorg"),
        ("[convolutional]\nfilters=4\nactivation=mish", "002_convolutional"),
        ("[route]\nlayers=-1\ngroups=2\ngroup_id=1", "002_route"),
        ("[shortcut]\nfrom=-1,-1", "002_shortcut"),
    ],
)
def test_pytorchs_yolov3_refuses_what_it_does_not_compute(tmp_path, section, name):
    cfg = tmp_path / "a.cfg"
    cfg.write_text(f"[net]\nwidth=4\nheight=4\nchannels=3\n[convolutional]\nfilters=4\nactivation=leaky\n{section}\n")
    with pytest.raises(FormatError, match=rf"a\.cfg: {name} is none of YOLOv3's layers\. Convert it with"):
        Darknet(read_cfg(cfg), cfg)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("weights", np.nan, "001_convolutional: weights that are infinite or no numbers"),
        ("biases", np.inf, "biases that are infinite or no numbers"),
        ("variances", -1, "variances below 0"),
    ],
)
def test_damaged_values_are_one_clear_error(tmp_path, name, value, message):
    layers = resolve(yolov3_sections(0.0625, 10, 64), tmp_path)
    values = random_values(layers)
    values[0][name].flat[0] = value
    with pytest.raises(UserError, match=message):
        convert(layers, values, (3, 64, 64))


def test_more_values_than_a_file_holds_are_refused(tmp_path, monkeypatch):
    layers = resolve(yolov3_sections(0.0625, 10, 64), tmp_path)
    monkeypatch.setattr("trtflow.converters.darknet.conversion.MOST_BYTES", 1000)
    with pytest.raises(UserError, match=r"bytes of values, more than the 1000 that an ONNX file holds"):
        convert(layers, random_values(layers), (3, 64, 64))
