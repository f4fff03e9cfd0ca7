"""SSD on InceptionV2: the frozen graph against PyTorch, and the engine of its UFF against the graph."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import torch

import trtflow.reference as trt
from trtflow.converters.freeze import write_graph
from trtflow.converters.uff.convert import from_tensorflow
from trtflow.datasets.images import to_signed_unit_input
from trtflow.families.ssd_inception.frozen_detector import FrozenDetector
from trtflow.families.ssd_inception.graph import to_graph
from trtflow.families.ssd_inception.network import SIZE, SSDInception
from trtflow.formats import FormatError, UserError
from trtflow.metrics.detections import least_matched_iou, max_difference
from trtflow.runtime.build import build_plan
from trtflow.runtime.session import Session
from trtflow.samples import tf_ssd

PREPROCESSOR = Path(__file__).resolve().parents[2] / "config" / "preprocessors" / "ssd_inception_v2.py"
IMAGES = np.random.default_rng(5).integers(0, 256, (2, SIZE, SIZE, 3), np.uint8)
CHANNELS = {"Mixed_3b": 256, "Mixed_3c": 320, "Mixed_4a": 576, "Mixed_4c": 576, "Mixed_5a": 1024, "Mixed_5c": 1024}


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(3)
    made = SSDInception(11, width=0.0625).eval()
    with torch.no_grad():
        for norm in made.batch_norms.values():
            norm.running_mean.normal_(0, 0.3)
            norm.running_var.uniform_(0.5, 2)
            norm.weight.uniform_(0.5, 1.5)
            norm.bias.normal_()
    return made


@pytest.fixture(scope="module")
def graph(model):
    return to_graph(model)


@pytest.fixture(scope="module")
def export(graph, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    options = {"preprocessor": PREPROCESSOR, "output_filename": folder / "model.uff", "quiet": True, "strict": True}
    from_tensorflow(graph, ["NMS"], **options)
    return folder


def test_channels_of_the_original():
    """InceptionV2's as slim has it (after arXiv:1502.03167, figure 5), and those of the guide's maps (§13.4)."""
    with torch.device("meta"):
        full = SSDInception(91).eval()
    maps = dict(full.features(torch.zeros(1, 3, SIZE, SIZE, device="meta")))
    assert {name: maps[name].shape[1] for name in CHANNELS} == CHANNELS
    sides = [x.shape[2] for name, x in maps.items() if name in ("Mixed_4c", "Mixed_5c") or "s2" in name]
    assert sides == [19, 10, 5, 3, 2, 1]
    assert full.heads["BoxPredictor_0/ClassPredictor"].out_channels == 273
    assert full.heads["BoxPredictor_1/BoxEncodingPredictor"].out_channels == 24


def test_graph_has_the_namespaces_and_predicts_what_pytorch_does(model, graph):
    namespaces = {node.name.partition("/")[0] for node in graph.node}
    assert {
        "Preprocessor",
        "FeatureExtractor",
        "BoxPredictor_5",
        "MultipleGridAnchorGenerator",
        "Postprocessor",
    } <= namespaces
    assert {"Assert", "Identity"} <= {node.op for node in graph.node}
    with tf.Graph().as_default() as imported, tf.compat.v1.Session(graph=imported) as session:
        tf.import_graph_def(graph, name="")
        encodings, logits = session.run(["concat:0", "concat_1:0"], {"image_tensor:0": IMAGES})
    with torch.no_grad():
        offsets, wanted = model(torch.from_numpy(to_signed_unit_input(list(IMAGES))))
    np.testing.assert_allclose(encodings[:, :, 0][..., [1, 0, 3, 2]], offsets, atol=1e-4)
    np.testing.assert_allclose(logits, wanted, atol=1e-4)


def test_graph_has_the_same_bytes_again(model, graph):
    assert to_graph(model).SerializeToString(deterministic=True) == graph.SerializeToString(deterministic=True)


def test_engine_finds_what_the_graph_finds(graph, export, tmp_path):
    plan = build_plan(trt, lambda trt, network: tf_ssd.define_network(trt, network, export), "fp32", 2)
    session = Session(trt, trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan))
    results = tf_ssd.postprocess(session.run({tf_ssd.INPUT: to_signed_unit_input(list(IMAGES))}))
    write_graph(graph, tmp_path / "frozen.pb")
    detector = FrozenDetector(tmp_path / "frozen.pb")
    expected = np.stack([detector.detect(image) for image in IMAGES])
    assert results["keep_count"].tolist() == [100, 100]
    assert max_difference(results["detections"], expected, 0.05) < 5e-4  # sizes of boxes are half numbers
    assert least_matched_iou(results["detections"], expected, 0.5) > 0.997


def test_graph_without_the_namespaces_is_refused():
    with tf.Graph().as_default() as other:
        tf.nn.relu(tf.compat.v1.placeholder(tf.float32, [None, 4], name="in"), name="out")
    with pytest.raises(UserError, match=r"ssd_inception_v2\.py: the graph has no namespace 'Preprocessor'"):
        from_tensorflow(other.as_graph_def(), ["out"], preprocessor=PREPROCESSOR, quiet=True)


@pytest.mark.parametrize(
    ("part", "fault"),
    [
        ("BoxPredictor_0/ClassPredictor/biases", "no node 'BoxPredictor_0/ClassPredictor/biases'"),
        ("BoxPredictor_4/ClassPredictor/biases", "no node 'BoxPredictor_4/ClassPredictor/biases'"),
        ("BoxPredictor_3/", "no namespace 'BoxPredictor_3'"),
        ("concat_1", "no node 'concat_1'"),
        ("concat", "no node 'concat', 'concat_1'"),
    ],
)
def test_graph_without_a_part_is_refused_by_name(graph, part, fault):
    kept = type(graph)()
    kept.node.extend(node for node in graph.node if not node.name.startswith(part))
    with pytest.raises(UserError, match=rf"ssd_inception_v2\.py: the graph has {fault}, so it is not TensorFlow's"):
        from_tensorflow(kept, ["NMS"], preprocessor=PREPROCESSOR, quiet=True)


def test_frozen_graphs_that_are_none_are_refused(tmp_path):
    path = tmp_path / "frozen.pb"
    path.write_bytes(b"no graph")
    with pytest.raises(FormatError, match=r"frozen\.pb: not a TensorFlow graph"):
        FrozenDetector(path)
    with tf.Graph().as_default() as other:
        tf.compat.v1.placeholder(tf.uint8, name="image_tensor")
    write_graph(other.as_graph_def(), path)
    with pytest.raises(FormatError, match="the graph has no node 'detection_boxes'"):
        FrozenDetector(path)


def test_truncated_picture_is_refused(tmp_path):
    from PIL import Image  # noqa: PLC0415

    path = tmp_path / "a.jpg"
    Image.fromarray(IMAGES[0]).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(FormatError, match=r"a\.jpg: not a readable picture"):
        tf_ssd.preprocess([path], tmp_path)
