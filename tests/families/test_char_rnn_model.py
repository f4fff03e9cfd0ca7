"""The character model in TensorFlow: its cells, its training, its checkpoints."""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from trtflow.converters.checkpoint import read_checkpoint  # noqa: E402 - behind the check for TensorFlow
from trtflow.families.char_rnn import network as model  # noqa: E402
from trtflow.families.common.schedule import Schedule  # noqa: E402
from trtflow.formats import FormatError, UserError  # noqa: E402
from trtflow.metrics.perplexity import perplexity  # noqa: E402

VOCABULARY_SIZE, EMBEDDING_SIZE, HIDDEN_SIZE = 5, 3, 4
TEXT = np.tile(np.array([0, 1, 2, 3, 1, 4], np.int32), 60)


def drawn_weights():
    rng = np.random.default_rng(1)
    shapes = {
        model.EMBEDDING: (VOCABULARY_SIZE, EMBEDDING_SIZE),
        model.KERNELS[0]: (EMBEDDING_SIZE + HIDDEN_SIZE, 4 * HIDDEN_SIZE),
        model.KERNELS[1]: (2 * HIDDEN_SIZE, 4 * HIDDEN_SIZE),
        model.BIASES[0]: (4 * HIDDEN_SIZE,),
        model.BIASES[1]: (4 * HIDDEN_SIZE,),
        model.SOFTMAX_W: (HIDDEN_SIZE, VOCABULARY_SIZE),
        model.SOFTMAX_B: (VOCABULARY_SIZE,),
    }
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def sigmoid(value):
    return 1 / (1 + np.exp(-value))


def by_hand(weights, text):
    """Run BasicLSTMCell's equations in NumPy; return the logits behind the last character."""
    size = weights[model.SOFTMAX_W].shape[0]
    states = [[np.zeros(size), np.zeros(size)] for _ in range(model.LAYERS)]
    for char in text:
        value = weights[model.EMBEDDING][char]
        for layer, state in enumerate(states):
            stacked = np.concatenate([value, state[0]]) @ weights[model.KERNELS[layer]] + weights[model.BIASES[layer]]
            i, j, f, o = np.split(stacked, 4)
            state[1] = sigmoid(f) * state[1] + sigmoid(i) * np.tanh(j)
            value = state[0] = sigmoid(o) * np.tanh(state[1])
    return value @ weights[model.SOFTMAX_W] + weights[model.SOFTMAX_B]


def test_cells_have_tensorflows_equations():
    weights = drawn_weights()
    tensors = {name: tf.constant(values) for name, values in weights.items()}
    logits, _ = model.run(tensors, tf.constant(TEXT[:9, None]), model.zero_state(tensors, 1))
    np.testing.assert_allclose(logits[-1, 0], by_hand(weights, TEXT[:9]), rtol=1e-4, atol=1e-5)


def test_scores_do_not_depend_on_how_the_text_is_cut(monkeypatch):
    tensors = {name: tf.constant(values) for name, values in drawn_weights().items()}
    whole = model.score(tensors, TEXT[:25])
    monkeypatch.setattr(model, "CHUNK", 7)
    np.testing.assert_allclose(model.score(tensors, TEXT[:25]), whole, rtol=1e-5)
    assert whole.shape == (24,)


def test_training_learns_a_text_by_heart_and_goes_on_writing_it(monkeypatch):
    monkeypatch.setattr(model, "CHUNK", 50)  # a graph takes long to trace
    tf.keras.utils.set_random_seed(0)
    weights = model.create_weights(VOCABULARY_SIZE, 8, 16)
    losses = model.train(weights, TEXT, Schedule(120, 4, 0.03, 0), 12)
    assert losses[-1] < 0.1 < losses[0]
    assert perplexity(model.score(weights, TEXT)) < 1.3
    np.testing.assert_array_equal(model.generate(weights, TEXT[:7], 12), TEXT[7:19])


def test_a_text_that_is_too_short_to_train_on():
    with pytest.raises(UserError, match="10 characters to train on, 26 are needed"):
        model.train(model.create_weights(5, 2, 2), TEXT[:10], Schedule(1, 2, 0.1, 0), 12)


def test_checkpoints_have_tensorflow_1s_names_and_the_same_bytes_each_time(tmp_path):
    weights = drawn_weights()
    tensors = {name: tf.constant(values) for name, values in weights.items()}
    for name in ("a", "b"):
        model.save_checkpoint(tensors, tmp_path / name / "network")
    for suffix in ("index", "data-00000-of-00001"):
        first, second = ((tmp_path / name / f"network.{suffix}").read_bytes() for name in ("a", "b"))
        assert first == second
    read = model.load_checkpoint(tmp_path / "a" / "network", VOCABULARY_SIZE)
    assert set(read) == set(weights)
    dumped = read_checkpoint(tmp_path / "a" / "network")
    assert set(dumped) == {name.replace("/", "_") for name in weights}
    for name, values in weights.items():
        np.testing.assert_array_equal(read[name], values)
        np.testing.assert_array_equal(dumped[name.replace("/", "_")], values)


def test_checkpoints_of_something_else(tmp_path):
    tensors = {name: tf.constant(values) for name, values in drawn_weights().items()}
    model.save_checkpoint(tensors, tmp_path / "network")
    with pytest.raises(FormatError, match="it is for 5 characters, but the vocabulary has 6"):
        model.load_checkpoint(tmp_path / "network", 6)
    model.save_checkpoint({"w": tf.zeros(3)}, tmp_path / "other")
    with pytest.raises(FormatError, match="not a checkpoint of a character model"):
        model.load_checkpoint(tmp_path / "other", 5)
    (tmp_path / "network.data-00000-of-00001").write_bytes(b"")
    with pytest.raises(FormatError, match="not a checkpoint of a character model"):
        model.load_checkpoint(tmp_path / "network", 5)
