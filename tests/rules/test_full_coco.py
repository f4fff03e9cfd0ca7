"""yolov3_onnx, tf_ssd and uff_ssd with data: full: narrow networks of COCO's classes in the published layouts."""

from __future__ import annotations

import json
import shutil

import cv2
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf
import torch
from caffe_archives import write_tgz
from detection_graphs import PUBLISHED, Detector
from full import SHARED, full_copy, pin, run
from PIL import Image
from test_configuration import dry_run
from voc_tar import make_files, write_tar

from trtflow.converters.freeze import write_graph
from trtflow.datasets import coco
from trtflow.datasets.images import read_image, to_unit_input
from trtflow.datasets.voc import image_path, read_image_set, read_split
from trtflow.families.yolov3.detection import detect
from trtflow.families.yolov3.network import Darknet, load, save, yolov3_sections
from trtflow.formats.darknet import input_shape, read_cfg, resolve
from trtflow.formats.netpbm import read_ppm
from trtflow.formats.times import LINE
from trtflow.reporting.boxes import draw_boxes, visible

NAMES = ("yolov3_onnx", "tf_ssd", "uff_ssd")
REPORTS = [f"results/{name}_report.json" for name in NAMES]
TARS = {"calibration": "voc/VOCtrainval_06-Nov-2007.tar", "val": "voc/VOCtest_06-Nov-2007.tar"}
GRAPH = "tensorflow/ssd_inception_v2_coco_2017_11_17.tar.gz"
MEMBER = "ssd_inception_v2_coco_2017_11_17/frozen_inference_graph.pb"
CFG, WEIGHTS, DOG = "yolov3/yolov3.cfg", "yolov3/yolov3.weights", "yolov3/dog.jpg"
SIZE = 224  # pixels of a side of the narrow YOLOv3's input
COMMON = "splits: {calibration: 2, val: 4}, precisions: [fp32, int8], max_batch_size: 1, figures: {count: 1}"
GATES = """[{name: map, metric: map, precision: fp32, op: ">=", limit: 0.4},
    {name: framework_map_drop, metric: framework_map_drop, precision: fp32, op: "<=", limit: 0.005}]"""
SMALL = f"samples={{{', '.join(f'{name}: {{{COMMON}, gates: {GATES}}}' for name in NAMES)}}}"


def drawn(model, inputs):
    """Return a network of random weights with the moments that a batch of noise has."""
    for norm in model.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.momentum = None
    with torch.no_grad():
        model.train()(inputs)
    return model.eval()


def darknet(sections=None, std=0.5):
    model = Darknet(sections or yolov3_sections(0.0625, 80, SIZE))
    for layer in model.convolutions.values():
        if layer.bias is not None:  # a predicting one, of which an untrained network has next to nothing
            torch.nn.init.normal_(layer.weight, std=std)
            torch.nn.init.zeros_(layer.bias)
    return drawn(model, torch.rand(4, 3, SIZE, SIZE))


def write_mirror(folder):
    """Write stand-ins for the published files."""
    torch.manual_seed(0)
    for split, name in TARS.items():
        write_tar(folder / name, make_files(split, 5))
    (folder / "yolov3").mkdir()
    save(darknet(), folder / CFG, folder / WEIGHTS, seen=32013312)
    noise = np.random.default_rng(0).integers(0, 256, (24, 32, 3)).astype(np.uint8)
    Image.fromarray(noise).resize((768, 576)).save(folder / DOG)
    write_graph(Detector(PUBLISHED["ssd_inception_v2_coco_2017_11_17"]).graph(), folder / "frozen.pb")
    files = {"ssd_inception_v2_coco_2017_11_17/model.ckpt.meta": b"", MEMBER: (folder / "frozen.pb").read_bytes()}
    write_tgz(folder / GRAPH, files)


@pytest.fixture(scope="module")
def workflow(tmp_path_factory):
    root = tmp_path_factory.mktemp("full")
    made = full_copy(root)
    write_mirror(root / "mirror")
    pin(made, [*TARS.values(), GRAPH, CFG, WEIGHTS, DOG])
    return made


def report_of(workflow, name):
    run(workflow, f"results/{name}_report.json", SMALL)
    report = json.loads((workflow.folder / f"results/{name}_report.json").read_text())
    assert report["data"] == "full"
    return report, {gate["name"]: gate["passed"] for gate in report["gates"]}


def best_found(workflow, name):
    """Return the detections of the engine and of the framework, best first, [N, K, 7] each."""
    files = (f"results/{name}/{path}.npz" for path in ("predictions.fp32", "model/predictions"))
    return [np.load(workflow.folder / file)["detections"] for file in files]


def test_plan_is_complete_and_trains_nothing(tmp_path):
    done = dry_run(tmp_path, "--quiet", "rules", "--config", "data=full", f"mirror={tmp_path}", "--", *REPORTS)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = {line.split()[0]: line.split()[-1] for line in done.stdout.splitlines() if line.strip()}
    wanted = {"fetch_artefact": "6", "unpack_artefact": "1", "write_report": "3", "build_engine": "9"}
    wanted |= {"convert_darknet": "1", "convert_to_uff": "2", "predict_ssd_inception": "2", "predict_yolov3": "1"}
    wanted |= {"compare_ssd_inception": "2", "compare_yolov3": "1", "draw_picture_detection": "1"}
    wanted |= {"make_val_voc2007": "3", **{f"make_calibration_{name}": "1" for name in NAMES}}
    assert {name: counts.get(name) for name in wanted} == wanted
    assert not [name for name in counts if name.startswith(("train_", "freeze", "plot_training")) or "scenes" in name]


@pytest.mark.parametrize(
    ("classes", "numbers"),
    [
        # what NVIDIA's yolov3_onnx prints of dog.jpg, from 0, is 16, 1 and 7
        (coco.CLASSES, {"dog": 17, "bicycle": 2, "truck": 8, "person": 1, "toothbrush": 80}),
        (coco.NUMBERED, {"dog": 18, "bicycle": 2, "truck": 8, "person": 1, "toothbrush": 90, "stop sign": 13}),
    ],
)
def test_classes_have_their_networks_numbers(classes, numbers):
    assert {name: classes.index(name) for name in numbers} == numbers
    assert len(set(classes)) == len(classes)


def test_yolov3_is_converted_and_agrees_with_pytorch_and_opencv(workflow):
    report, passed = report_of(workflow, "yolov3_onnx")
    assert passed == {"map": False, "framework_map_drop": True}  # of weights that were drawn by chance
    assert not any("training" in path for path in report["figures"])
    assert "results/yolov3_onnx/figures/dog_bboxes.png" in report["figures"]
    found, expected = best_found(workflow, "yolov3_onnx")
    assert 20 < found[..., 1].max() <= 80
    np.testing.assert_allclose(found[..., 1:], expected[..., 1:], atol=1e-4)

    folder, mirror = workflow.folder / "results/yolov3_onnx", workflow.folder.parent / "mirror"
    assert (folder / "export/yolov3.cfg").read_bytes() == (mirror / CFG).read_bytes()
    path = image_path(folder / "data/val", "000000")
    net = cv2.dnn.readNetFromDarknet(str(mirror / CFG), str(mirror / WEIGHTS))
    net.setInput(to_unit_input([read_image(path)], SIZE))
    session = onnxruntime.InferenceSession(folder / "export/model.onnx", providers=["CPUExecutionProvider"])
    names = ["082_convolutional", "094_convolutional", "106_convolutional"]
    ours = session.run(names, {"000_net": to_unit_input([read_image(path)], SIZE)})
    opencvs = net.forward(["conv_81", "conv_93", "conv_105"])
    for mine, theirs in zip(ours, opencvs, strict=True):
        assert mine.shape[1] == 255
        # OpenCV adds 1e-6 to variances, some of which are small here
        np.testing.assert_allclose(mine, theirs, atol=3e-3 * np.abs(theirs).max())


DRAWN = f"samples={{yolov3_onnx: {{{COMMON.replace('count: 1', 'threshold: 0.05')}}}}}"


def drawn_on_the_chapters_picture(workflow):
    """Make the chapter's picture with its boxes, check that they are those that were found, and return these."""
    run(workflow, "results/yolov3_onnx/figures/dog_bboxes.png", DRAWN)
    folder = workflow.folder / "results/yolov3_onnx"
    path = folder / "artefacts/dog.jpg"
    assert path.read_bytes() == (workflow.folder.parent / "mirror" / DOG).read_bytes()
    image, found = read_image(path), np.load(folder / "dog/predictions.npz")["detections"][0]
    shown = visible(found, 0.05)
    assert len(shown) > 0
    np.testing.assert_array_equal(read_ppm(folder / "figures/dog_bboxes.ppm"), draw_boxes(image, shown[:, 3:]))
    assert Image.open(folder / "figures/dog_bboxes.png").size == (2 * image.shape[1], 2 * image.shape[0])
    log = (workflow.folder / "logs/yolov3_onnx/draw_picture.log").read_text()
    lines = LINE.sub("", log).strip().splitlines()  # without the one of times
    assert lines[0].startswith(f"{coco.CLASSES[int(shown[0, 1])]} {shown[0, 2]:.4f} ")
    assert len(lines) == len(shown)
    return found


def test_boxes_are_drawn_on_the_chapters_picture(workflow):
    mirror = workflow.folder.parent / "mirror"
    images = torch.from_numpy(to_unit_input([read_image(mirror / DOG)], SIZE))
    expected = detect(load(mirror / CFG, mirror / WEIGHTS), images).numpy()[0]
    np.testing.assert_allclose(drawn_on_the_chapters_picture(workflow)[:, 1:], expected[:, 1:], atol=1e-4)


@pytest.mark.skipif(not (SHARED / "yolov3").exists(), reason="no shared/data/yolov3")
def test_the_published_cfg_and_picture_are_taken_by_their_checksums(tmp_path):
    """The network of 608 pixels at its full width looks at dog.jpg, with weights drawn by chance."""
    made, mirror = full_copy(tmp_path), tmp_path / "mirror"
    shutil.copytree(SHARED / "yolov3", mirror / "yolov3")
    torch.manual_seed(0)
    sections = read_cfg(mirror / CFG)
    save(darknet(sections, std=0.125), tmp_path / "written.cfg", mirror / WEIGHTS)
    pin(made, [WEIGHTS])
    drawn_on_the_chapters_picture(made)
    cfg = made.folder / "results/yolov3_onnx/artefacts/yolov3.cfg"
    assert cfg.read_bytes() == (SHARED / "yolov3/yolov3.cfg").read_bytes()
    assert input_shape(sections, cfg) == (3, 608, 608)
    outputs = [layer.shape for layer in resolve(sections, cfg) if layer.kind == "yolo"]
    assert outputs == [(255, 19, 19), (255, 38, 38), (255, 76, 76)]


def test_objects_of_voc_have_the_networks_labels(workflow):
    run(workflow, "results/yolov3_onnx/metrics.fp32.json", SMALL)
    root = workflow.folder / "results/yolov3_onnx/data/val"
    truths = read_split(root, "val", coco.CLASSES)
    labels = {coco.CLASSES[label] for truth in truths for label in truth.labels}
    assert labels <= {"aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"}
    assert len(labels) > 3
    assert {read_image(image_path(root, name)).shape for name in read_image_set(root, "val")} == {(608, 608, 3)}


@pytest.mark.parametrize("name", ["tf_ssd", "uff_ssd"])
def test_the_graph_of_91_classes_becomes_an_engine_that_agrees_with_tensorflow(workflow, name):
    report, passed = report_of(workflow, name)
    assert passed == {"map": False, "framework_map_drop": True}
    assert not any("training" in path for path in report["figures"])
    found, expected = best_found(workflow, name)
    assert 20 < found[..., 1].max() <= 90
    for mine, theirs in zip(found, expected, strict=True):
        best = mine[:20, 1:]
        near = (np.abs(theirs[:, 1:] - best[:, None]).max(2) < 2e-3).any(1)
        assert near.mean() >= 0.9, near  # of random scores, which lie close together, not every box is kept by both


def cut(mirror):
    path = mirror / WEIGHTS
    path.write_bytes(path.read_bytes()[:-4])


def lengthen(mirror):
    path = mirror / WEIGHTS
    path.write_bytes(path.read_bytes() + bytes(4))


def leave_out(mirror):
    write_tgz(mirror / GRAPH, {"ssd_inception_v2_coco_2017_11_17/model.ckpt.meta": b""})


def mistake(mirror):
    """Put the graph of another network into the archive."""
    other = tf.compat.v1.GraphDef()
    other.node.add(name="image_tensor", op="Placeholder").attr["dtype"].type = tf.float32.as_datatype_enum
    write_tgz(mirror / GRAPH, {MEMBER: other.SerializeToString()})


CONVERTED = {"results/yolov3_onnx/export/model.onnx": WEIGHTS, "results/tf_ssd/export/model.uff": GRAPH}


@pytest.mark.parametrize(
    ("damage", "target", "message"),
    [
        (cut, "results/yolov3_onnx/export/model.onnx", "yolov3.weights: too short: its "),
        (lengthen, "results/yolov3_onnx/export/model.onnx", "yolov3.weights: too long: the network takes "),
        (leave_out, "results/tf_ssd/export/model.uff", MEMBER),
        (mistake, "results/tf_ssd/export/model.uff", "the graph has no namespace 'Preprocessor'"),
    ],
)
def test_a_wrong_file_is_named_in_one_line(broken, damage, target, message):
    mirror = broken.folder.parent / "mirror"
    damage(mirror)
    pin(broken, [GRAPH, CFG, WEIGHTS])
    told = errors_of(broken, target)
    assert len(told) == 1
    assert message in told[0]


@pytest.mark.parametrize("target", CONVERTED)
def test_a_file_of_another_checksum_is_not_taken(broken, target):
    mirror = broken.folder.parent / "mirror"
    pin(broken, [GRAPH, CFG, WEIGHTS])
    path = mirror / CONVERTED[target]
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    told = errors_of(broken, target)
    assert len(told) == 1
    assert "fetch_artefact" in told[0]
    assert "sha256" in told[0].lower().replace("-", "")


@pytest.fixture
def broken(tmp_path):
    """A copy of the workflow with a mirror of the networks alone, for a test to damage."""
    made = full_copy(tmp_path)
    (tmp_path / "mirror/yolov3").mkdir(parents=True)
    save(darknet(), tmp_path / "mirror" / CFG, tmp_path / "mirror" / WEIGHTS)
    write_tgz(tmp_path / "mirror" / GRAPH, {MEMBER: b""})
    return made


def errors_of(workflow, target):
    """Return the lines in which a run says what failed, at once and at the end."""
    mirror = f"mirror={workflow.folder.parent / 'mirror'}"
    done = workflow.run(target, config=("data=full", mirror, "backend=reference", "download_attempts=1", SMALL))
    assert done.returncode != 0
    return list(dict.fromkeys(line for line in done.stdout.splitlines() if line.startswith("failed: ")))
