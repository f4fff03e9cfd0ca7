"""The char_rnn sample: gates, states, bad weights, and tensorflow-char-rnn's published model where it is at hand."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from recorder import Recorder

import trtflow.reference as trt
from trtflow.datasets.characters import decode, encode, read_vocabulary, write_vocabulary
from trtflow.formats import FormatError
from trtflow.formats.wts import read_wts2, write_wts2
from trtflow.metrics.perplexity import perplexity
from trtflow.runtime.build import build_plan
from trtflow.runtime.devices import HostBuffer
from trtflow.samples import char_rnn as sample
from trtflow.samples import definition

CHARACTERS, DATA_SIZE, HIDDEN_SIZE = 7, 5, 6
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "char_rnn"
OFFSETS = {  # bytes at which the published checkpoint's data file has its variables (facts of its .index)
    sample.RNNB_NAMES[0]: (12, (512,)),
    sample.RNNW_NAMES[0]: (6156, (193, 512)),
    sample.RNNB_NAMES[1]: (1191948, (512,)),
    sample.RNNW_NAMES[1]: (1198092, (256, 512)),
    sample.FCB_NAME: (2770956, (65,)),
    sample.FCW_NAME: (2771736, (128, 65)),
}
CONTINUATIONS = {
    "ROMEO": ":\nI will be so done.\n\nBE",
    "JUL": "IZAT:\nWhat is the world ",
    "The K": "ing of Warwick,\nWhich is",
    "interestingly, it was J": "uliet\nIn this falling of",
}


@pytest.fixture
def export(tmp_path):
    """A folder with a network of weights drawn by chance."""
    rng = np.random.default_rng(2)
    gates = 4 * HIDDEN_SIZE
    shapes = {
        sample.EMBED_NAME: (CHARACTERS, DATA_SIZE),
        sample.RNNW_NAMES[0]: (DATA_SIZE + HIDDEN_SIZE, gates),
        sample.RNNW_NAMES[1]: (2 * HIDDEN_SIZE, gates),
        sample.RNNB_NAMES[0]: (gates,),
        sample.RNNB_NAMES[1]: (gates,),
        sample.FCW_NAME: (HIDDEN_SIZE, CHARACTERS),
        sample.FCB_NAME: (CHARACTERS,),
    }
    blobs = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    write_wts2(tmp_path / "model.wts2", blobs)
    write_vocabulary(tmp_path / "vocab.json", {chr(97 + number): number for number in range(CHARACTERS)})
    return tmp_path


def make_loop(export, recurrent="rnn_v2", precision="fp32"):
    plan = build_plan(trt, definition(sample, export, precision, recurrent=recurrent), precision, 1)
    return sample.make_loop(trt, trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan), export)


def torch_logits(export, text):
    """Return PyTorch's logits behind each character; its gates are stacked i, f, g, o."""
    weights = {name: torch.tensor(values) for name, values in sample.load_weights(export).items()}
    size = len(weights[sample.FCW_NAME])
    value, order = weights[sample.EMBED_NAME][torch.tensor(text)], [0, 2, 1, 3]
    for layer in range(sample.LAYER_COUNT):
        lstm = torch.nn.LSTM(value.shape[1], size)
        kernel = weights[sample.RNNW_NAMES[layer]].T.reshape(4, size, -1)[order].reshape(4 * size, -1)
        with torch.no_grad():
            lstm.weight_ih_l0.copy_(kernel[:, : value.shape[1]])
            lstm.weight_hh_l0.copy_(kernel[:, value.shape[1] :])
            lstm.bias_ih_l0.copy_(weights[sample.RNNB_NAMES[layer]].reshape(4, size)[order].reshape(-1))
            lstm.bias_hh_l0.zero_()
            value = lstm(value)[0]
    return value @ weights[sample.FCW_NAME] + weights[sample.FCB_NAME]


@pytest.mark.parametrize("recurrent", sample.RECURRENT)
def test_engine_foresees_and_writes_what_pytorch_does(export, recurrent):
    loop, text = make_loop(export, recurrent), [0, 3, 6, 1, 1, 4, 2, 5]
    chances = torch.log_softmax(torch_logits(export, text), 1)
    wanted = [float(row[following]) for row, (_, following) in zip(chances, pairwise(text), strict=False)]
    np.testing.assert_allclose(sample.score(loop, text), wanted, rtol=1e-4, atol=1e-5)
    written = list(text)
    for _ in range(12):
        written.append(int(torch_logits(export, written)[-1].argmax()))
    assert sample.generate(loop, text, 12) == written[len(text) :]
    assert sample.generate(loop, text, 12) == written[len(text) :]  # begins anew each time


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_both_forms_give_the_same_step_by_step(export, precision):
    loops = [make_loop(export, recurrent, precision) for recurrent in sample.RECURRENT]
    tolerance = {"fp32": 1e-5, "fp16": 2e-2}[precision]
    for char in (0, 3, 6, 1, 1, 4):
        for loop in loops:
            sample.give(loop, char)
            loop.step()
        for name in (sample.HIDDEN_OUT, sample.CELL_OUT, sample.LOGITS):
            first, second = (loop.read(name) for loop in loops)
            np.testing.assert_allclose(second, first, rtol=tolerance, atol=tolerance, err_msg=name)


def test_characters_are_read_once_behind_many_steps(export, monkeypatch):
    loop, reads = make_loop(export, "layers"), []
    values = HostBuffer.values
    monkeypatch.setattr(HostBuffer, "values", lambda *given: reads.append(1) or values(*given))
    short = sample.generate(loop, [2], 100)
    assert len(reads) == 1
    monkeypatch.setattr("trtflow.runtime.loop.KEPT", 7)
    loop = make_loop(export, "layers")
    assert sample.generate(loop, [2], 100) == short
    assert len(reads) == 1 + 15
    assert sample.write_on(loop, 0) == []


def test_recorded_steps_write_the_same(export, monkeypatch):
    loop, device = make_loop(export, "layers"), Recorder()
    monkeypatch.setattr("trtflow.runtime.loop.device_of", lambda module: device)
    recorded = sample.make_loop(trt, device.engine(loop.engine), export)
    for seed, length in (([2, 0, 5], 20), ([1], 9), ([6, 6], 13)):
        assert sample.generate(recorded, seed, length) == sample.generate(loop, seed, length)
        np.testing.assert_array_equal(sample.score(recorded, [3, *seed, 1]), sample.score(loop, [3, *seed, 1]))
    assert device.recorded == 4  # two places of the states, with and without logits for the host


def test_swapped_gates_would_be_seen(export, monkeypatch):
    """The agreement with the framework can fail: the order of the guide's prose gives another network."""
    text = [0, 3, 6, 1, 1, 4, 2, 5]
    right = perplexity(sample.score(make_loop(export), text))
    monkeypatch.setattr(sample, "GATE_ORDER", ("FORGET", "INPUT", "CELL", "OUTPUT"))
    assert abs(perplexity(sample.score(make_loop(export), text)) / right - 1) > 0.01


def test_cells_of_plain_layers_take_the_gates_by_name(export, monkeypatch):
    text = [0, 3, 6, 1, 1, 4, 2, 5]
    right = perplexity(sample.score(make_loop(export, "layers"), text))
    monkeypatch.setattr(sample, "GATE_ORDER", ("FORGET", "INPUT", "CELL", "OUTPUT"))
    assert abs(perplexity(sample.score(make_loop(export, "layers"), text)) / right - 1) > 0.01


def test_network_is_the_guides(export):
    network = trt.Builder(trt.Logger()).create_network()
    sample.define_network(trt, network, export)
    kinds = [layer.type.name for layer in network]
    assert kinds == ["RNN_V2", "CONSTANT", "MATRIX_MULTIPLY", "CONSTANT", "ELEMENTWISE", "TOPK"]
    outputs = [network.get_output(index) for index in range(network.num_outputs)]
    assert {tensor.name: tuple(tensor.shape) for tensor in outputs} == {
        "hiddenOut": (2, HIDDEN_SIZE),
        "cellOut": (2, HIDDEN_SIZE),
        "Add Bias output": (CHARACTERS, 1),
        "pred": (1, 1),
    }
    assert outputs[-1].dtype == trt.int32


def test_without_an_embedding_characters_are_one_hot(export):
    blobs = dict(read_wts2(export / "model.wts2"))
    del blobs[sample.EMBED_NAME]
    blobs[sample.RNNW_NAMES[0]] = np.ones((CHARACTERS + HIDDEN_SIZE, 4 * HIDDEN_SIZE), np.float32)
    write_wts2(export / "model.wts2", blobs)
    np.testing.assert_array_equal(sample.load_weights(export)[sample.EMBED_NAME], np.eye(CHARACTERS))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({sample.FCB_NAME: (CHARACTERS + 1,)}, r"it is for 8 characters, but .*vocab\.json has 7"),
        ({sample.FCB_NAME: None}, "no blob 'softmax_softmax_b'"),
        ({sample.RNNB_NAMES[0]: None}, "no blob 'rnn_multi_rnn_cell_cell_0_basic_lstm_cell_bias'|values"),
        ({sample.RNNW_NAMES[1]: (3, 4)}, "cell_1_basic_lstm_cell_kernel' has 12 values, 288 are needed"),
        ({sample.EMBED_NAME: (CHARACTERS, DATA_SIZE + 1)}, "cell_0_basic_lstm_cell_kernel' has 264 values, 288"),
    ],
)
def test_weights_that_do_not_fit(export, change, fault):
    blobs = dict(read_wts2(export / "model.wts2"))
    for name, shape in change.items():
        blobs.pop(name)
        if shape is not None:
            blobs[name] = np.zeros(shape, np.float32)
    write_wts2(export / "model.wts2", blobs)
    with pytest.raises(FormatError, match=fault):
        sample.load_weights(export)


@pytest.mark.parametrize("kept", [0, 40, 1000])
def test_weights_that_are_cut_off(export, kept):
    path = export / "model.wts2"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(FormatError, match=r"model\.wts2"):
        sample.load_weights(export)


@pytest.mark.skipif(not SHARED.exists(), reason="no ../shared/data/char_rnn")
def test_the_published_model_writes_what_is_known_of_it(tmp_path):
    data = (SHARED / "model-85340.data-00000-of-00001").read_bytes()
    blobs = {
        name: np.frombuffer(data, "<f4", int(np.prod(shape)), place).reshape(shape)
        for name, (place, shape) in OFFSETS.items()
    }
    write_wts2(tmp_path / "model.wts2", blobs)
    (tmp_path / "vocab.json").write_text(json.dumps(json.loads((SHARED / "vocab.json").read_text())))
    vocabulary, loop = read_vocabulary(tmp_path / "vocab.json"), make_loop(tmp_path)
    for seed, continuation in CONTINUATIONS.items():
        written = sample.generate(loop, encode(seed, vocabulary, "seed").tolist(), len(continuation))
        assert decode(written, vocabulary) == continuation
    text = (SHARED / "tiny_shakespeare.txt").read_text()[-2000:]
    assert 5 < perplexity(sample.score(loop, encode(text, vocabulary, "text"))) < 8
