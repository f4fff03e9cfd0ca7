"""The recommender in Keras: it learns, takes published weights, and becomes the UFF that TensorRT's sample has."""

import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from trtflow.converters.freeze import freeze_keras, write_graph
from trtflow.datasets.ratings import leave_one_out, make_ratings
from trtflow.families.common.schedule import Schedule
from trtflow.families.ncf.network import EMBEDDINGS, INPUTS, load_published, network, probabilities, sizes, train
from trtflow.formats import FormatError, UserError
from trtflow.formats.uff.files import read_uff
from trtflow.metrics.ranking import hit_ratio, ranks

ROOT = Path(__file__).resolve().parents[2]
USERS, MOVIES = 40, 170


def test_training_learns_to_rank():
    keras.utils.set_random_seed(0)
    ratings, choices = leave_one_out(make_ratings(USERS, MOVIES, 0), 99, 0)
    model, users = network(USERS, MOVIES), np.arange(USERS, dtype=np.int32)
    untrained = hit_ratio(ranks(probabilities(model, users, choices), choices), 10)
    losses = train(model, ratings, Schedule(300, 64, 0.01, 0))
    assert len(losses) == 300
    assert losses[-1] < 0.8 * losses[0]
    assert hit_ratio(ranks(probabilities(model, users, choices), choices), 10) > max(0.3, 2 * untrained)


@pytest.mark.usefixtures("eagerly")
def test_a_training_that_diverges():
    ratings = np.array([[0, movie, 5, movie] for movie in range(4)])
    model = network(1, 9)
    model.get_layer("prediction").set_weights([np.zeros((8, 1)), np.full(1, np.nan)])
    with pytest.raises(UserError, match="diverged in step 1"):
        train(model, ratings, Schedule(3, 2, 0.01, 0))


def published(path, model):
    """Write a model's weights as Keras 1 does."""
    with h5py.File(path, "w") as file:
        for layer in model.layers:
            group, names = file.create_group(layer.name), []
            for suffix, array in zip("Wb", layer.get_weights(), strict=False):
                names.append(f"{layer.name}_{suffix}".encode())
                group[names[-1]] = array
            group.attrs["weight_names"] = names


def test_published_weights_give_the_same_network(tmp_path):
    model = network(5, 7)
    published(tmp_path / "weights.h5", model)
    loaded = load_published(tmp_path / "weights.h5")
    assert sizes(loaded) == {"users": 5, "movies": 7}
    users, choices = np.arange(5, dtype=np.int32), np.tile(np.arange(7, dtype=np.int32), (5, 1))
    np.testing.assert_array_equal(*(probabilities(each, users, choices) for each in (model, loaded)))


def test_other_weights_are_refused(tmp_path):
    path = tmp_path / "weights.h5"
    published(path, network(5, 7))
    with h5py.File(path, "a") as file:
        del file["layer1"]["layer1_W"]
        file["layer1"]["layer1_W"] = np.zeros((3, 32))
    with pytest.raises(FormatError, match=r"weights\.h5: not the weights of this network"):
        load_published(path)
    with h5py.File(path, "a") as file:
        del file[EMBEDDINGS[0]]
    with pytest.raises(FormatError, match=r"weights\.h5: not the weights of this network"):
        load_published(path)
    path.write_bytes(b"no")
    with pytest.raises(FormatError, match=r"weights\.h5: not the weights of this network"):
        load_published(path)


def test_graph_becomes_the_uff_of_the_guides_sample(tmp_path):
    output = "prediction/Sigmoid"
    write_graph(freeze_keras(network(5, 7), INPUTS, [output]), tmp_path / "frozen.pb")
    shutil.copy(ROOT / "config/preprocessors/movielens.py", tmp_path)
    command = [sys.executable, ROOT / "scripts/convert_to_uff.py", tmp_path / "frozen.pb", "--strict", "-O", output]
    done = subprocess.run(
        [*command, "-p", tmp_path / "movielens.py", "-o", tmp_path / "model.uff"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    nodes = [node for node in read_uff(tmp_path / "model.uff").graphs[0].nodes if node.operation != "Const"]
    operations = [node.operation for node in nodes]
    assert {name: operations.count(name) for name in set(operations)} == {
        "Input": 2,
        "GatherV2": 2,
        "Flatten": 2,
        "Concat": 1,
        "FullyConnected": 4,
        "Binary": 4,
        "Activation": 4,
        "MarkOutput": 1,
    }
    assert {node.id for node in nodes if node.operation == "Input"} == set(INPUTS)
    (concat,) = (node for node in nodes if node.operation == "Concat")
    assert concat.fields["axis"].i == 2
