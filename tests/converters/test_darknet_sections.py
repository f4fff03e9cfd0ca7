"""Every section and option of Darknet: against OpenCV's DNN, Darknet's C code in PyTorch, and our reference engine."""

import itertools

import numpy as np
import pytest
from darknet_networks import (
    TOLERANCE,
    converted_outputs,
    distance,
    opencv_outputs,
    picture_of,
    random_values,
    small,
    written,
)
from darknet_sections import ALL, OPENCVS, net
from darknet_torch import torch_outputs

import trtflow.reference as trt
from trtflow.converters.darknet import convert
from trtflow.formats.darknet import Header, read_cfg, read_layers, read_weights, shapes_of, write_weights
from trtflow.formats.darknet.options import KINDS, NAMES
from trtflow.runtime.build import build_plan
from trtflow.runtime.entry import engine_of
from trtflow.runtime.session import Session


@pytest.fixture
def network(tmp_path):
    """Return a function that writes a network with seeded weights, and returns paths, layers, values and a picture."""

    def write(text):
        (tmp_path / "own.cfg").write_text(text)
        cfg, weights = written(tmp_path, read_cfg(tmp_path / "own.cfg"))
        layers = read_layers(cfg)
        return cfg, weights, layers, random_values(layers), picture_of(cfg)

    return write


@pytest.mark.parametrize("name", OPENCVS)
def test_network_is_opencvs(network, name):
    pytest.importorskip("cv2")
    cfg, weights, layers, values, picture = network(OPENCVS[name])
    theirs = opencv_outputs(cfg, weights, layers, picture)
    assert distance(converted_outputs(layers, values, picture), theirs) < TOLERANCE
    assert all(output.std() > 1e-3 for output in theirs)


@pytest.mark.parametrize("name", ALL)
def test_network_is_darknets(network, name):
    cfg, weights, layers, values, picture = network(ALL[name])
    assert distance(converted_outputs(layers, values, picture), torch_outputs(cfg, weights, picture)) < 1e-5


def test_every_section_and_option_is_among_them(tmp_path):
    met = {}
    for text in ALL.values():
        (tmp_path / "a.cfg").write_text(text)
        for section in read_cfg(tmp_path / "a.cfg")[1:]:
            met.setdefault(NAMES.get(section.kind, section.kind), set()).update(section.options)
    assert set(met) == set(KINDS)
    unmet = {kind: set(KINDS[kind].options) - options for kind, options in met.items()}
    tree = {("region", "tree"), ("softmax", "tree")}  # refused, or left to the host
    assert {(kind, option) for kind, options in unmet.items() for option in options} == tree


@pytest.mark.parametrize("name", [name for name in ALL if not name.startswith("activation-")])
def test_reference_engine_gives_the_same(network, name):
    _, _, layers, values, picture = network(ALL[name])
    model = convert(layers, values, picture.shape[1:])[0].SerializeToString()

    def define(trt, network):
        parser = trt.OnnxParser(network, trt.Logger(trt.Logger.WARNING))
        assert parser.parse(model), [parser.get_error(place).desc() for place in range(parser.num_errors)]

    batch = np.concatenate([picture, picture[:, :, ::-1]])
    session = Session(trt, engine_of(trt, build_plan(trt, define, "fp32", 2, explicit_batch=True)))
    found = list(session.run({"000_net": batch}).values())
    assert distance(found, converted_outputs(layers, values, batch)) < 1e-5


@pytest.mark.parametrize("version", [(0, 1, 0), (0, 2, 0), (0, 2, 5), (1, 0, 0), (1001, 2, 0), (0, 1001, 0)])
@pytest.mark.parametrize("name", ["yolov1", "several-from", "reorg3d", "dilated", "connected", "alexnet"])
def test_weights_of_every_version_and_layer_are_written_back_to_the_byte(network, tmp_path, name, version):
    _, _, layers, values, _ = network(ALL[name])
    path, header = tmp_path / "a.weights", Header(*version, seen=32013312)
    write_weights(path, header, layers, values)
    found, read = read_weights(path, layers)
    assert found == header
    for layer, (key, shape) in itertools.chain(
        *([(layer, item) for item in shapes_of(layer).items()] for layer in layers)
    ):
        assert read[layer.index][key].shape == shape
        np.testing.assert_array_equal(read[layer.index][key], values[layer.index][key])
    write_weights(tmp_path / "b.weights", found, layers, read)
    assert (tmp_path / "b.weights").read_bytes() == path.read_bytes()


def test_old_files_keep_connected_weights_transposed(network, tmp_path):
    _, _, layers, values, _ = network(net("connected output=2 activation=linear", width=3, height=1, channels=1))
    values[0]["weights"] = np.arange(6, dtype=np.float32).reshape(2, 3)
    for version, order in (((0, 2, 0), [0, 1, 2, 3, 4, 5]), ((1001, 0, 0), [0, 3, 1, 4, 2, 5])):
        write_weights(tmp_path / "a.weights", Header(*version), layers, values)
        assert np.frombuffer((tmp_path / "a.weights").read_bytes()[-24:], np.float32).tolist() == order


def test_narrow_networks_stay_the_same_kind(tmp_path):
    (tmp_path / "a.cfg").write_text(
        OPENCVS["yolov4"].replace("width=32", "width=608").replace("height=64", "height=608")
    )
    layers = [read_layers(tmp_path / "a.cfg"), None]
    written(tmp_path, small(tmp_path / "a.cfg"))
    layers[1] = read_layers(tmp_path / "network.cfg")
    assert [layer.kind for layer in layers[0]] == [layer.kind for layer in layers[1]]
    assert [layer.shape for layer in layers[1] if layer.is_head] == [(21, 32, 48), (21, 16, 24)]
