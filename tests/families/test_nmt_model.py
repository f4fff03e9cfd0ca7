"""The translation model in TensorFlow."""

import numpy as np
import pytest
import tensorflow as tf

from trtflow.families.common.schedule import Schedule
from trtflow.families.nmt.network import Decoder, create_weights, load_checkpoint, loss_of, save_checkpoint, train
from trtflow.formats import FormatError, UserError

UNITS, LAYERS, SOURCE_WORDS, TARGET_WORDS = 6, 2, 9, 11


@pytest.fixture(scope="module")
def network():
    tf.keras.utils.set_random_seed(1)
    weights = create_weights(SOURCE_WORDS, TARGET_WORDS, UNITS, LAYERS)
    return {name: tf.constant(3 * value) for name, value in weights.items()}


@pytest.fixture(scope="module")
def sentences():
    rng = np.random.default_rng(2)
    return [rng.integers(3, SOURCE_WORDS, size=size).astype(np.int32) for size in (5, 2, 7, 1, 4, 3)]


def test_padding_changes_nothing(network, sentences):
    lengths = np.array([5], np.int32)
    words, parents = np.ones((1, 2), np.int32), np.zeros((1, 2), np.int32)
    found = []
    for length in (5, 8):
        row = np.full((1, length), 2, np.int32)
        row[0, :5] = sentences[0]
        found.append(Decoder(network, row, lengths, 2).step(words, parents)[0])
    np.testing.assert_allclose(*found, rtol=1e-5)


def test_the_loss_is_the_decoders_likelihood(network, sentences):
    source, lengths, target = sentences[0][None], np.array([5], np.int32), np.array([[4, 7, 2, 2]], np.int32)
    loss = float(loss_of(network, tf.constant(source), tf.constant(lengths), tf.constant(target)))
    decoder = Decoder(network, source, lengths, TARGET_WORDS)
    total, words = 0.0, np.full((1, TARGET_WORDS), 1, np.int32)
    for word in (4, 7, 2):  # the second </s> does not count
        chances, found = decoder.step(words, np.zeros_like(words))
        total -= np.log(chances[0, 0][found[0, 0] == word].item())
        words = np.full_like(words, word)
    assert loss == pytest.approx(total / 3, rel=1e-5)


def test_training_learns_and_repeats_itself(sentences):
    source, lengths = np.tile(sentences[0], (4, 1)), np.full(4, 5, np.int32)
    target = np.array([[3, 4, 5, 2]] * 4, np.int32)
    runs = []
    for _ in range(2):
        tf.keras.utils.set_random_seed(0)
        weights = create_weights(SOURCE_WORDS, TARGET_WORDS, UNITS, 1)
        runs.append(train(weights, source, lengths, target, Schedule(25, 4, 0.05, 0)))
    assert runs[0][-1] < 0.2 * runs[0][0]
    np.testing.assert_allclose(runs[0], runs[1], rtol=1e-5)


@pytest.mark.usefixtures("eagerly")
def test_divergence_is_told(sentences):
    weights = create_weights(SOURCE_WORDS, TARGET_WORDS, UNITS, 1)
    weights["embeddings/encoder/embedding_encoder"].assign(np.full((SOURCE_WORDS, UNITS), np.nan))
    with pytest.raises(UserError, match="diverged in step 1"):
        train(weights, sentences[0][None], np.array([5], np.int32), np.array([[3, 2]], np.int32), Schedule(1, 1, 1, 0))


def test_checkpoint_round_trip(network, tmp_path):
    save_checkpoint(network, tmp_path / "translate.ckpt")
    found = load_checkpoint(tmp_path / "translate.ckpt")
    assert found.keys() == network.keys()
    for name, value in network.items():
        np.testing.assert_array_equal(found[name], value)


def test_other_checkpoints_are_refused(network, tmp_path):
    few = {name: value for name, value in network.items() if "memory_layer" not in name}
    save_checkpoint(few, tmp_path / "few.ckpt")
    for name in ("few.ckpt", "none.ckpt"):
        with pytest.raises(FormatError, match="not a checkpoint of a translation model"):
            load_checkpoint(tmp_path / name)
