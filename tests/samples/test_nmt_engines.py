"""sampleNMT's engines against TensorFlow's own decoder, with weights that mean nothing."""

import json
from functools import cache

import numpy as np
import pytest
import tensorflow as tf
from recorder import Recorder

import trtflow.reference as trt
from trtflow.converters.checkpoint import read_checkpoint
from trtflow.converters.nmt_checkpoint import convert
from trtflow.datasets.translation import SPECIAL, padded
from trtflow.families.nmt.network import Decoder, create_weights, save_checkpoint
from trtflow.formats import FormatError, UserError
from trtflow.formats.nmt_weights import read_matrix, write_matrix
from trtflow.runtime.beam_search import output_limits, search
from trtflow.runtime.build import build_plan
from trtflow.runtime.devices import HostBuffer, HostDevice
from trtflow.runtime.profile import layer_recorder, mean_times
from trtflow.samples import definition, nmt
from trtflow.samples.nmt import bindings, plain

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
def every(export):
    """Engines by form and precision. The encoder of layers reads three words a run, so that sentences take several."""
    runtime = trt.Runtime(trt.Logger())

    def build(name, precision, recurrent):
        define = definition(nmt, export, precision, network=name, recurrent=recurrent)
        return runtime.deserialize_cuda_engine(build_plan(trt, define, precision, BATCH))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain, "CHUNK", 3)
        return {
            form: {precision: [build(name, precision, form) for name in nmt.NETWORKS] for precision in ("fp32", "fp16")}
            for form in nmt.RECURRENT
        }


@pytest.fixture(params=nmt.RECURRENT)
def engines(every, request):
    return every[request.param]


def from_tensorflow(weights, given, width):
    lengths = np.array([len(sentence) for sentence in given], np.int32)
    decoder = Decoder(weights, padded(given, LENGTH), lengths, BEAM)
    found = search(decoder.step, output_limits(lengths, -1), BEAM, width, 1)
    return [found.best(place)[0] for place in range(len(given))]


@pytest.fixture(scope="module")
def translations(network, sentences):
    """TensorFlow's translations of all sentences by the width of the beam."""
    return cache(lambda width: from_tensorflow(network, sentences, width))


@pytest.mark.parametrize(("width", "batch"), [(1, BATCH), (2, BATCH), (BEAM, BATCH), (BEAM, 2), (BEAM, 1)])
def test_translations_are_tensorflows(engines, sentences, translations, width, batch):
    translator = nmt.Translator(trt, *engines["fp32"], batch)
    assert translator.translate(sentences, width) == translations(width)


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


def test_layers_of_both_engines_are_timed_and_translations_stay(engines, sentences):
    translator = nmt.Translator(trt, *engines["fp32"], 2)
    short = sentences[1:4:2]  # of few words: a run that is timed makes a session of its own
    wanted = translator.translate(short, BEAM)
    apart, together = [layer_recorder(trt) for _ in range(2)], layer_recorder(trt)
    translator.profile(*apart)
    assert translator.translate(short, BEAM) == wanted
    translator.profile(together, together)
    assert translator.translate(short, BEAM) == wanted
    encoder, generator = (recorder.totals for recorder in apart)
    assert min(*encoder.values(), *generator.values()) >= 0
    assert sum(encoder.values()) > 0
    assert any("TopK" in name for name in generator)
    assert not any("TopK" in name for name in encoder)
    assert set(together.totals) == {*encoder, *generator}
    layers = mean_times({"a": 6.0, "b": 3.0}, 3, "encoder")
    assert layers == [{"name": "encoder: a", "ms": 2}, {"name": "encoder: b", "ms": 1}]


def test_both_forms_give_the_same_step_by_step(every, sentences):
    given, rng = sentences[:BATCH], np.random.default_rng(3)
    both = [nmt.Translator(trt, *every[form]["fp32"], BATCH) for form in nmt.RECURRENT]
    for batch in (given, sentences[3:], given[::-1]):  # what an earlier batch left behind has to be gone
        np.testing.assert_array_equal(*(translator.begin(batch) for translator in both))
        words, parents = (np.full((BATCH, BEAM), value, np.int32) for value in (1, 0))
        for _ in range(3):
            first, second = (states_of(translator) for translator in both)
            for name, wanted in first.items():
                np.testing.assert_allclose(second[name], wanted, rtol=1e-5, atol=1e-6, err_msg=name)
            (ours, found), (theirs, wanted) = (translator.step(words, parents) for translator in both)
            np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-6)
            np.testing.assert_array_equal(wanted, found)
            words, parents = found[:, :, 1], rng.integers(BEAM, size=(BATCH, BEAM)).astype(np.int32)


def states_of(translator):
    """Return what the generator goes on from: memory and keys of the words that fit, and states of hypotheses."""
    found = {name: input_of(translator, name)[:, :LENGTH] for name in (bindings.MEMORY_IN, bindings.KEYS_IN)}
    return found | {name: input_of(translator, name) for name in bindings.FEEDBACK.values()}


def input_of(translator, name):
    """Return what an input of the generator holds."""
    loop = translator.generator
    loop._download(loop._memory[name], name)
    return loop._memory[name].values(loop._shapes[name], loop._dtypes[name])


def test_memory_is_zero_behind_a_sentence(engines, sentences):
    translator = nmt.Translator(trt, *engines["fp32"], BATCH)
    lengths = translator.begin(sentences[:BATCH])
    for name in (bindings.MEMORY_IN, bindings.KEYS_IN):
        rows = np.abs(input_of(translator, name)).max(axis=2)
        np.testing.assert_array_equal(rows > 0, np.arange(rows.shape[1]) < lengths[:, None])


def test_only_as_many_runs_as_the_longest_sentence_needs(every, sentences, monkeypatch):
    translator = nmt.Translator(trt, *every["layers"]["fp32"], BATCH)
    loop, runs = translator.encoder.loop, []
    step = loop.step
    monkeypatch.setattr(loop, "step", lambda: runs.append(step()))
    for batch, wanted in ((sentences[3:5], 2), (sentences[3:4], 1), (sentences[2:3], 3)):
        runs.clear()
        translator.begin(batch)
        assert len(runs) == wanted


def test_recorded_steps_translate_the_same(every, sentences, monkeypatch):
    expected = nmt.Translator(trt, *every["layers"]["fp32"], BATCH).translate(sentences, BEAM)
    device = Recorder()
    monkeypatch.setattr("trtflow.runtime.loop.device_of", lambda module: device)
    engines = [device.engine(engine) for engine in every["layers"]["fp32"]]
    translator = nmt.Translator(trt, *engines, BATCH)
    for _ in range(3):
        assert translator.translate(sentences, BEAM) == expected
    # of the generator one for every four of at most 14 words; states have two places each: of the encoder two for each
    # of its three runs
    assert 2 < device.recorded <= 4 + 2 * 3
    assert device.launched > device.recorded
    words, _ = translator.attention(sentences[1])
    assert words == expected[1]
    translator.close()
    assert device.freed == device.recorded


def test_an_rnn_v2_is_not_recorded(every, sentences, monkeypatch):
    device = Recorder()
    monkeypatch.setattr("trtflow.runtime.loop.device_of", lambda module: device)
    translator = nmt.Translator(trt, *(device.engine(engine) for engine in every["rnn_v2"]["fp32"]), BATCH)
    translator.translate(sentences, BEAM)
    assert device.recorded == 0


def test_a_form_that_there_is_not(export):
    with pytest.raises(UserError, match="no recurrent part to make of 'gru'"):
        definition(nmt, export, "fp32", recurrent="gru")


def test_attention_adds_up_to_one_over_the_words_that_are_there(engines, sentences):
    translator = nmt.Translator(trt, *engines["fp32"], BATCH)
    words, weights = translator.attention(sentences[1])
    assert words == translator.translate(sentences[1:2], BEAM)[0]
    assert weights.shape == (len(words), len(sentences[1]))
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)


def test_a_given_number_of_steps(engines, sentences):
    translator = nmt.Translator(trt, *engines["fp32"], BATCH)
    assert translator.search(sentences[:BATCH], BEAM, steps=9).steps == 9


def test_longest_translation(engines, sentences):
    translator = nmt.Translator(trt, *engines["fp32"], BATCH, most=2)
    assert max(map(len, translator.translate(sentences, BEAM))) <= 2


def test_loops_refuse_to_exchange_what_does_not_fit(engines):
    translator = nmt.Translator(trt, *engines["fp32"], BATCH)
    with pytest.raises(UserError, match="'attention_keys' cannot become input 'input_hidden'"):
        translator.generator.take("input_hidden", translator.encoder.loop, "attention_keys")


def test_memory_is_given_back_where_there_is_not_enough_for_both(engines, monkeypatch):
    """The encoder's does not fit any more."""
    made, most = [], 100

    class Counted(HostBuffer):
        def __init__(self, nbytes):
            if len(made) == most:
                raise UserError("out of device memory")
            super().__init__(nbytes)
            made.append(self)
            self.freed = False

        def free(self):
            self.freed = True

    monkeypatch.setattr(HostDevice, "allocate", Counted)
    nmt.Translator(trt, *engines["fp32"], BATCH).close()
    most, made[:] = len(made) - 1, []
    with pytest.raises(UserError, match="out of device memory"):
        nmt.Translator(trt, *engines["fp32"], BATCH)
    assert len(made) == most
    assert all(buffer.freed for buffer in made)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("width", [1, 2, BEAM])
def test_the_engines_own_search_has_the_scores_of_the_hosts(every, sentences, precision, width):
    """Sums of the same likelihoods, in float64 on the host. Equal ones of float16 may come in another order."""
    translator = nmt.Translator(trt, *every["layers"][precision], BATCH)
    found = translator.search(sentences[:BATCH], width, steps=9)
    scores = translator.generator.read(bindings.SCORES_OUT)[:, :width, 0]
    translator.begin(sentences[:BATCH])
    host = search(translator.step, np.full(BATCH, 9), BEAM, width, 1, steps=9)
    np.testing.assert_allclose(scores, host._scores, rtol=1e-6, atol=1e-5)
    if precision == "fp32":
        assert [found.best(place) for place in range(BATCH)] == [host.best(place) for place in range(BATCH)]


def test_a_probability_that_is_no_number_is_told_whoever_searches(engines, sentences, monkeypatch):
    translator = nmt.Translator(trt, *engines["fp32"], BATCH)
    begin = translator.begin

    def spoil(given):
        lengths = begin(given)
        keys = input_of(translator, bindings.KEYS_IN)
        keys[1, 0] = np.nan
        translator.generator.write(bindings.KEYS_IN, keys)
        return lengths

    monkeypatch.setattr(translator, "begin", spoil)
    with pytest.raises(UserError, match="probabilities of the next word are no numbers.* weights of the decoder"):
        translator.translate(sentences[:BATCH], BEAM)
    monkeypatch.undo()
    assert translator.translate(sentences, BEAM) == nmt.Translator(trt, *engines["fp32"], 1).translate(sentences, BEAM)


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
