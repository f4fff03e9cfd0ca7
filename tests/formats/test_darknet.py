"""Darknet's files: read as Darknet does, written back to the byte, and faults named with their place."""

import struct
from pathlib import Path

import numpy as np
import pytest

from trtflow.formats import FormatError
from trtflow.formats.darknet import (
    Header,
    convolutions,
    format_cfg,
    input_shape,
    read_cfg,
    read_layers,
    read_weights,
    write_cfg,
    write_weights,
)
from trtflow.formats.darknet.weights import shapes_of

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "yolov3"
SMALL = """[net]
# Testing
width = 8
height=8
channels=3
learning_rate=0.001

[convolutional]
batch_normalize=1
filters=4
size=3
stride=2
pad=1
activation=leaky

; a comment too
[maxpool]
size=2
stride=1

[convolutional]
filters=12
size=1
activation=linear

[yolo]
mask = 1,2
anchors = 1,2,  3,4, 5,6
classes=1
num=3
"""


@pytest.fixture
def cfg(tmp_path):
    """Return a function that writes a cfg and returns its path."""

    def write(text=SMALL):
        (tmp_path / "a.cfg").write_text(text)
        return tmp_path / "a.cfg"

    return write


def random_values(layers, seed=0):
    rng = np.random.default_rng(seed)
    return {
        layer.index: {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes_of(layer).items()}
        for layer in convolutions(layers)
    }


def test_layers_have_darknets_numbers_defaults_and_shapes(cfg):
    layers = read_layers(cfg())
    assert [layer.name for layer in layers] == ["001_convolutional", "002_maxpool", "003_convolutional", "004_yolo"]
    assert [layer.shape for layer in layers] == [(4, 4, 4), (4, 4, 4), (12, 4, 4), (12, 4, 4)]
    assert [layer.sources for layer in layers] == [(-1,), (0,), (1,), (2,)]
    assert (layers[0].options["pad"], layers[1].options["padding"], layers[2].options["groups"]) == (1, 1, 1)
    assert layers[3].anchors == [(3, 4), (5, 6)]
    assert input_shape(read_cfg(cfg()), cfg()) == (3, 8, 8)


def test_cfg_that_is_written_is_read_again(cfg, tmp_path):
    sections = read_cfg(cfg())
    write_cfg(tmp_path / "b.cfg", sections)
    assert read_cfg(tmp_path / "b.cfg") == sections
    assert format_cfg(sections).startswith("[net]\nwidth=8\nheight=8\n")


def test_routes_and_shortcuts_count_back_or_from_the_first(cfg):
    conv = "[convolutional]\nfilters=3\nsize=1\nactivation=leaky\n"
    text = f"[net]\nwidth=4\nheight=4\nchannels=3\n{conv}{conv}[shortcut]\nfrom=-2\n[route]\nlayers=-1, 0\n[upsample]\n"
    layers = read_layers(cfg(text))
    assert [layer.sources for layer in layers[2:]] == [(1, 0), (2, 0), (3,)]
    assert [layer.shape for layer in layers[2:]] == [(3, 4, 4), (6, 4, 4), (6, 8, 8)]


@pytest.mark.skipif(not SHARED.exists(), reason="no shared/data/yolov3")
@pytest.mark.parametrize(
    ("name", "count", "outputs", "size"),
    [("yolov3", 107, [82, 94, 106], 248_007_048), ("yolov3-tiny", 24, [16, 23], 35_434_956)],
)
def test_real_networks_take_the_bytes_of_their_real_weights(name, count, outputs, size):
    layers = read_layers(SHARED / f"{name}.cfg")
    assert len(layers) == count
    assert [layer.index for layer in layers if layer.kind == "yolo"] == outputs
    values = sum(int(np.prod(shape)) for layer in convolutions(layers) for shape in shapes_of(layer).values())
    assert len(Header().to_bytes()) + 4 * values == size


@pytest.mark.parametrize("version", [(0, 1, 0), (0, 2, 0), (0, 2, 5), (1, 0, 0), (1001, 2, 0)])
def test_weights_are_written_back_to_the_byte(cfg, tmp_path, version):
    layers = read_layers(cfg())
    header = Header(*version, seen=32013312)
    write_weights(tmp_path / "a.weights", header, layers, random_values(layers))
    data = (tmp_path / "a.weights").read_bytes()
    assert data[:12] == struct.pack("<3i", *version)
    assert len(header.to_bytes()) == (20 if version in ((0, 2, 0), (0, 2, 5), (1, 0, 0)) else 16)
    found, values = read_weights(tmp_path / "a.weights", layers)
    assert found == header
    write_weights(tmp_path / "b.weights", found, layers, values)
    assert (tmp_path / "b.weights").read_bytes() == data


def test_values_stand_in_darknets_order(cfg, tmp_path):
    layers = read_layers(cfg())
    first, last = 4 * 4 + 4 * 27, 12 + 48
    body = np.arange(first + last, dtype="<f4").tobytes()
    (tmp_path / "a.weights").write_bytes(Header().to_bytes() + body)
    _, values = read_weights(tmp_path / "a.weights", layers)
    assert list(values[0]) == ["biases", "scales", "means", "variances", "weights"]
    assert [array.flat[0] for array in values[0].values()] == [0, 4, 8, 12, 16]
    assert values[0]["weights"].shape == (4, 3, 3, 3)
    assert {name: array.flat[0] for name, array in values[2].items()} == {"biases": first, "weights": first + 12}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:10], r"a\.weights: too short: its 10 bytes hold no header"),
        (lambda data: data[:16], r"too short: its 16 bytes hold no header"),
        (lambda data: data[:-4], r"too short: its 752 bytes end within the weights of layer 2 \(convolutional\)"),
        (lambda data: data[:60], r"end within the means of layer 0"),
        (lambda data: data + b"\0" * 4, r"too long: the network takes 756 bytes of its 760"),
    ],
)
def test_weights_of_the_wrong_length(cfg, tmp_path, change, message):
    layers = read_layers(cfg())
    path = tmp_path / "a.weights"
    write_weights(path, Header(), layers, random_values(layers))
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(FormatError, match=message):
        read_weights(path, layers)


def test_values_of_the_wrong_shape_are_not_written(cfg, tmp_path):
    layers = read_layers(cfg())
    values = random_values(layers)
    values[2]["biases"] = values[2]["biases"][:3]
    with pytest.raises(FormatError, match=r"biases of layer 2 are of shape \(3,\), not of \(12,\)"):
        write_weights(tmp_path / "a.weights", Header(), layers, values)
    del values[0]["scales"]
    with pytest.raises(FormatError, match=r"scales of layer 0 are missing"):
        write_weights(tmp_path / "a.weights", Header(), layers, values)
    assert not (tmp_path / "a.weights").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[maxpool]", "[maxpol]", r"a\.cfg: line 17, \[maxpol\], layer 1: unknown section; known are convolutional,"),
        ("[maxpool]", "[gru]", r"\[gru\], layer 1: not converted: it keeps a state from one picture or character"),
        ("[maxpool]", "[implicit_add]", r"\[implicit_add\], layer 1: not converted: it is YOLOR's"),
        ("[maxpool]", "[lrn]", "not converted: Darknet's own sums over channels miss one of them"),
        ("[maxpool]", "[maxpool", r"a\.cfg: line 17: the bracket of '\[maxpool' is not closed"),
        ("filters=4", "filtres=4", r"line 8, \[convolutional\], layer 0: unknown option filtres; known are"),
        ("filters=4", "filters=four", "filters is 'four'"),
        ("filters=4", "filters=0", "filters is 0, not a positive number"),
        ("filters=4", "filters=4.5", r"filters is '4.5' \(not a whole number\)"),
        ("filters=4", "filters=inf", "filters is 'inf'"),
        ("filters=4", "filters=", r"filters is ''"),
        ("filters=4", "filters=" + "9" * 5000, "filters is '999"),
        ("filters=4", "filters=4\nantialiasing=1", "antialiasing is 1, which is not converted: known is 0"),
        ("filters=4", "filters=4\ndontload=1", "dontload is 1, which is not converted"),
        ("filters=4", "filters=4\ngroups=3", "3 groups do not divide 3 channels and 4 filters"),
        ("filters=4", "filters=4\nshare_index=2", "share_index is layer 2, no convolution before it"),
        ("size=3\nstride=2\npad=1", "size=3\nstride=2\ndilation=2", "a dilation of 2 without padding"),
        (
            "activation=leaky",
            "activation=moosh",
            "activation is 'moosh' .known are linear, leaky, relu, logistic, mish",
        ),
        ("mask = 1,2\n", "", r"\[yolo\], layer 3: it reads 12 channels, but 3 x \(5 \+ classes\) are 18"),
        ("anchors = 1,2,  3,4, 5,6\n", "", r"\[yolo\], layer 3: option anchors is missing"),
        ("5,6", "5,0", "anchors have a side that is not positive"),
        ("5,6", "5,nan", "anchors is '1,2,3,4,5,nan'"),
        ("width = 8", "wide = 8", r"line 1, \[net\]: unknown option wide; known are channels, height, width"),
        ("width = 8", "width = 1e9x", r"\[net\]: width is '1e9x'"),
        ("width = 8\nheight=8\nchannels=3", "inputs=256", r"channels is 0\. It has 256 inputs and no picture"),
        ("mask = 1,2", "mask = 1,3", r"mask \(1, 3\) do not fit num 3"),
        ("filters=12", "filters=18", r"it reads 18 channels, but 2 x \(5 \+ classes\) are 12"),
        ("height=8", "height=", r"line 1, \[net\]: height is '' .* Give height as a positive number"),
        ("channels=3\n", "", r"\[net\]: channels is 0"),
        ("[net]", "[yolo]", r"its first section is not \[net\]"),
        ("; a comment", "a comment", "line 16 is no .section., option=value or #comment: 'a comment too'"),
        ("size=2", "size=2\nsize=3", r"\[maxpool\], layer 1: size is '2', and '3' on line 19"),
        ("[maxpool]\nsize=2", "[maxpool]\nsize=9\npadding=0", r"nothing is left of its input \(4, 4, 4\)"),
        ("[maxpool]\nsize=2\nstride=1", "[shortcut]\nfrom=-9", "it reads layer -8, which is not before it"),
        ("[maxpool]\nsize=2\nstride=1", "[route]\nlayers=2", "it reads layer 2, which is not before it"),
        ("[maxpool]\nsize=2\nstride=1", "[route]\nlayers=", "layers names no layer"),
        ("[maxpool]\nsize=2\nstride=1", "[route]\nlayers=-1,-2", "it joins maps of 4x4 and 8x8"),
        ("[maxpool]\nsize=2\nstride=1", "[route]\nlayers=-1\ngroups=3", "group 0 of 3 is no part of 4 channels"),
        ("[maxpool]\nsize=2\nstride=1", "[shortcut]\nfrom=", "from names no layer"),
        ("[maxpool]\nsize=2\nstride=1", "[sam]\nfrom=-2", "it multiplies maps of"),
        ("[maxpool]\nsize=2\nstride=1", "[scale_channels]\nfrom=-1", r"it scales a map of \(4, 4, 4\) by one of"),
        ("[maxpool]\nsize=2\nstride=1", "[reorg]\nstride=3", "4 channels are no multiple of its stride times"),
        ("[maxpool]\nsize=2\nstride=1", "[reorg3d]\nstride=3", "its stride 3 does not divide a map of 4x4"),
        ("[maxpool]\nsize=2\nstride=1", "[crop]\ncrop_width=9\ncrop_height=2", "it cuts 2x9 out of a map of 4x4"),
        ("[maxpool]\nsize=2\nstride=1", "[softmax]\ntree=9k.tree", "a tree of classes is not converted"),
        ("[maxpool]\nsize=2\nstride=1", "[softmax]\ngroups=7", "7 groups do not divide a map of"),
        ("[maxpool]\nsize=2\nstride=1", "[local]\nsize=5\npad=1", "pad is known with a size of 3 alone"),
        (
            "[maxpool]\nsize=2\nstride=1",
            "[detection]\nside=7",
            "it reads 64 values; side, num, coords and classes make",
        ),
        ("size=2\nstride=1", "size=2\npadding=9", "with padding 9 a window of 2 sees nothing of the map"),
    ],
)
def test_fault_in_a_cfg_is_named(cfg, old, new, message):
    assert old in SMALL
    with pytest.raises(FormatError, match=message):
        read_layers(cfg(SMALL.replace(old, new, 1)))


def test_weights_in_place_of_a_cfg(tmp_path):
    (tmp_path / "a.cfg").write_bytes(Header().to_bytes())
    with pytest.raises(FormatError, match=r"a\.cfg: not a text"):
        read_cfg(tmp_path / "a.cfg")
    (tmp_path / "a.cfg").write_text("[net]\nwidth=1\nheight=1\nchannels=1\n")
    with pytest.raises(FormatError, match="there is no layer in it"):
        read_layers(tmp_path / "a.cfg")


def test_options_of_training_and_comments_change_nothing(cfg):
    plain = read_layers(cfg())
    text = SMALL.replace("width = 8", "width = 8  # of 416\nbatch=64\nbatch=1\nmosaic=1\npolicy=steps\nsteps=1,2")
    text = text.replace("filters=4", "filters=4#32\nstopbackward=800\nlearning_rate=.1").replace(
        "[maxpool]", "[max] # a"
    )
    text = text.replace("classes=1", "classes=1\njitter=.3\niou_loss=ciou\nnms_kind=greedynms\ncounters_per_class=3")
    text = text.replace("[net]\n# Testing", "\ufeff[net]\n# Pr\u00fcfung", 1)
    assert read_layers(cfg(text)) == plain


def test_comments_may_be_in_any_encoding(cfg):
    path = cfg()
    path.write_bytes(SMALL.replace("# Testing", "# Pr\u00fcfung").encode("latin-1"))
    assert len(read_layers(path)) == 4


def test_what_a_training_starts_from_is_no_network(cfg, tmp_path):
    layers = read_layers(cfg())
    write_weights(tmp_path / "a.conv.1", Header(), layers[:1], random_values(layers))
    with pytest.raises(FormatError, match=r"end before layer 2 \(convolutional\)\. What a training starts from"):
        read_weights(tmp_path / "a.conv.1", layers)


@pytest.mark.parametrize("seed", range(20))
def test_damaged_text_is_one_clear_error(cfg, seed):
    rng = np.random.default_rng(seed)
    data = bytearray(SMALL.encode())
    for place in rng.integers(0, len(data), 3):
        data[place] = rng.integers(0, 256)
    path = cfg()
    path.write_bytes(bytes(data[: rng.integers(10, len(data))]))
    fault = str(path)  # another number may be as good
    try:
        read_layers(path)
    except FormatError as error:
        fault = str(error)
    assert str(path) in fault


def test_absurd_sizes_end_with_the_weights(cfg, tmp_path):
    layers = read_layers(cfg(SMALL.replace("filters=4", "filters=2000000000")))
    (tmp_path / "a.weights").write_bytes(Header().to_bytes() + bytes(400))
    with pytest.raises(FormatError, match="end within the biases of layer 0"):
        read_weights(tmp_path / "a.weights", layers)
