"""sampleNMT's engines against TensorFlow's own decoder, with weights that mean nothing."""

import json

import numpy as np
import pytest
import tensorflow as tf

import trtflow.reference as trt
from trtflow.converters.checkpoint import read_checkpoint
from trtflow.converters.nmt_checkpoint import convert
from trtflow.datasets.translation import SPECIAL, padded
from trtflow.formats import FormatError, UserError
from trtflow.formats.nmt_weights import read_matrix, write_matrix
from trtflow.models.nmt import Decoder, create_weights, save_checkpoint
from trtflow.runtime.beam_search import output_limits, search
from trtflow.runtime.build import build_plan
from trtflow.samples import nmt

BEAM, LENGTH, BATCH = 3, 7, 4


@pytest.fixture(scope="module")
def network():
    tf.keras.utils.set_random_seed(1)
    return {name: tf.constant(3 * value) for name, value in create_weights(9, 11, 6, 2).items()}


@pytest.fixture(scope="module")
def sentences():
    rng = np.random.default_rng(2)
    return [rng.integers(3, 9, size=size).astype(np.int32) for size in (5, 2, 7, 1, 4, 3)]


@pytest.fixture(scope="module")
def export(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("nmt")
    save_checkpoint(network, folder / "translate.ckpt")
    convert(read_checkpoint(folder / "translate.ckpt"), folder, folder / "translate.ckpt")
    for language, count in (("de", 9), ("en", 11)):
        words = [*SPECIAL, *(f"{language}{number}" for number in range(3, count))]
        (folder / f"vocab.{language}").write_text("".join(f"{word}\n" for word in words))
    (folder / "inference.json").write_text(json.dumps({"beam": BEAM, "max_input_sequence_length": LENGTH}))
    return folder


@pytest.fixture(scope="module")
def engines(export):
    runtime = trt.Runtime(trt.Logger())

    def build(define, precision="fp32"):
        plan = build_plan(trt, lambda api, net: define(api, net, export), precision, BATCH)
        return runtime.deserialize_cuda_engine(plan)

    return {precision: [build(define, precision) for define in nmt.NETWORKS.values()] for precision in ("fp32", "fp16")}


def from_tensorflow(weights, given, width):
    lengths = np.array([len(sentence) for sentence in given], np.int32)
    decoder = Decoder(weights, padded(given, LENGTH), lengths, BEAM)
    found = search(decoder.step, output_limits(lengths, -1), BEAM, width, 1)
    return [found.best(place)[0] for place in range(len(given))]


@pytest.mark.parametrize("width", [1, 2, BEAM])
def test_translations_are_tensorflows(network, engines, sentences, width):
    translator = nmt.Translator(trt, *engines["fp32"], BATCH)
    assert translator.translate(sentences, width) == from_tensorflow(network, sentences, width)


def test_likelihoods_step_by_step(network, engines, sentences):
    given = sentences[:BATCH]
    translator = nmt.Translator(trt, *engines["fp32"], BATCH)
    lengths = translator.begin(given)
    decoder = Decoder(network, padded(given, LENGTH), lengths, BEAM)
    rng = np.random.default_rng(0)
    words, parents = np.ones((BATCH, BEAM), np.int32), np.zeros((BATCH, BEAM), np.int32)
    for _ in range(4):
        (ours, found), (theirs, wanted) = (side.step(words, parents) for side in (translator, decoder))
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(found, wanted)
        words, parents = found[:, :, 0], rng.integers(BEAM, size=(BATCH, BEAM)).astype(np.int32)


def test_half_precision_is_near(engines, sentences):
    found = []
    for precision in ("fp32", "fp16"):
        translator = nmt.Translator(trt, *engines[precision], BATCH)
        translator.begin(sentences[:BATCH])
        found.append(translator.step(np.ones((BATCH, BEAM), np.int32), np.zeros((BATCH, BEAM), np.int32))[0])
    np.testing.assert_allclose(found[1], found[0], atol=3e-3)
    assert (found[0] != found[1]).any()


def test_attention_adds_up_to_one_over_the_words_that_are_there(engines, sentences):
    translator = nmt.Translator(trt, *engines["fp32"], BATCH)
    words, weights = translator.attention(sentences[1])
    assert words == translator.translate(sentences[1:2], BEAM)[0]
    assert weights.shape == (len(words), len(sentences[1]))
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)


def test_longest_translation(engines, sentences):
    translator = nmt.Translator(trt, *engines["fp32"], BATCH, most=2)
    assert max(map(len, translator.translate(sentences, BEAM))) <= 2


def test_loops_refuse_to_exchange_what_does_not_fit(engines):
    translator = nmt.Translator(trt, *engines["fp32"], BATCH)
    with pytest.raises(UserError, match="'attention_keys' cannot become input 'input_hidden'"):
        translator._generator.take("input_hidden", translator._encoder, "attention_keys")


def test_vocabulary_that_disagrees_with_the_weights(export, tmp_path):
    for path in export.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with (tmp_path / "vocab.en").open("a") as file:
        file.write("more\n")
    with pytest.raises(FormatError, match=r"decembed\.bin: it is \(11, 6\).*\(12, 6\)"):
        nmt.read_model(tmp_path)


def test_files_of_different_trainings(export, tmp_path):
    for path in export.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    write_matrix(tmp_path / "decmem.bin", read_matrix(export / "decmem.bin")[:, :-1])
    with pytest.raises(FormatError, match=r"decmem\.bin.*same training"):
        nmt.read_model(tmp_path)
