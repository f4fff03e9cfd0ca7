"""The recommender samples on the reference runtime: embeddings, TopK, and the authors' published weights."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

import trtflow.reference as trt
from trtflow.converters.freeze import freeze_keras, write_graph
from trtflow.converters.uff import from_tensorflow_frozen_model
from trtflow.datasets.ratings import read_choices
from trtflow.families.ncf.layers import OUTPUT, inputs_of, read_sizes
from trtflow.families.ncf.network import INPUTS, load_published, network, probabilities, sizes
from trtflow.formats import FormatError, UserError
from trtflow.metrics.ranking import hit_ratio, ndcg, ranks
from trtflow.runtime.build import build_plan
from trtflow.runtime.session import Session
from trtflow.samples import movielens, movielens_mps

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parents[0] / "shared" / "data" / "movielens"
WEIGHTS = "ml-1m_MLP_[64,32,16,8]_1501652038.h5"
USERS, MOVIES = 12, 150


def export(model, folder):
    """Write a model as UFF, changed as the samples' configuration says."""
    write_graph(freeze_keras(model, INPUTS, [OUTPUT]), folder / "frozen.pb")
    preprocessor = str(ROOT / "config/preprocessors/movielens.py")
    options = {"preprocessor": preprocessor, "output_filename": str(folder / "model.uff"), "quiet": True}
    from_tensorflow_frozen_model(str(folder / "frozen.pb"), [OUTPUT], **options)
    return folder


def session_of(folder, sample=movielens, max_batch_size=5):
    plan = build_plan(trt, partial(sample.define_network, export=folder), "fp32", max_batch_size)
    return Session(trt, trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan))


@pytest.fixture(scope="module")
def model():
    made, rng = network(USERS, MOVIES), np.random.default_rng(0)
    for layer in made.layers:  # larger than those of a fresh network, so that answers differ
        layer.set_weights([rng.normal(size=array.shape) / 4 for array in layer.get_weights()])
    return made


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    return export(model, tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="module")
def queries():
    rng = np.random.default_rng(1)
    return np.arange(USERS, dtype=np.int32), np.array(
        [rng.choice(MOVIES, 100, replace=False) for _ in range(USERS)], np.int32
    )


@pytest.mark.parametrize("sample", [movielens, movielens_mps])
def test_engine_gives_tensorflows_probabilities_and_its_ten_best(model, folder, queries, sample):
    users, choices = queries
    answers = movielens.recommend(session_of(folder, sample), users, choices, batch_size=5)
    wanted = probabilities(model, users, choices)
    np.testing.assert_allclose(answers["probabilities"], wanted, rtol=1e-5, atol=1e-6)
    order = np.argsort(-wanted, axis=1)[:, :10]
    np.testing.assert_array_equal(answers["best"], np.take_along_axis(choices, order, 1))
    np.testing.assert_array_equal(answers["best_probabilities"], -np.sort(-answers["probabilities"], 1)[:, :10])


def test_network_is_the_guides_with_topk_behind_it(folder):
    made = trt.Builder(trt.Logger()).create_network()
    movielens.define_network(trt, made, folder)
    kinds = [layer.type.name for layer in made]
    assert kinds.count("GATHER") == 2
    assert kinds.count("FULLY_CONNECTED") == 4
    assert kinds[-2:] == ["SHUFFLE", "TOPK"]
    assert [(made.get_input(i).name, tuple(made.get_input(i).shape)) for i in range(2)] == [
        (name, (100, 1, 1)) for name in INPUTS
    ]
    assert made.get_input(0).dtype == trt.int32
    names = [made.get_output(index).name for index in range(made.num_outputs)]
    assert names == ["prediction/Sigmoid", "topk_values", "topk_items"]


def test_another_number_of_movies_is_refused():
    with pytest.raises(UserError, match="99 movies a user to choose from, but the network takes 100"):
        inputs_of(np.zeros(2, np.int32), np.zeros((2, 99), np.int32))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "JSON"),
        ("[]", "the sizes of a recommender"),
        ('{"users": 3}', "the sizes of a recommender"),
        ('{"users": 3, "movies": "many"}', "the sizes of a recommender"),
    ],
)
def test_damaged_sizes(tmp_path, content, what):
    (tmp_path / "sizes.json").write_text(content)
    with pytest.raises(FormatError, match=rf"sizes\.json: not {what}"):
        read_sizes(tmp_path)


@pytest.mark.skipif(not SHARED.exists(), reason="no ../shared/data/movielens")
def test_published_weights_rank_as_is_known_of_them(tmp_path):
    model = load_published(SHARED / WEIGHTS)
    users, choices = read_choices(SHARED / "ml-1m.test.negative", **sizes(model))
    with session_of(export(model, tmp_path), max_batch_size=256) as session:
        answers = movielens.recommend(session, users, choices, batch_size=256)
    places = ranks(answers["probabilities"], choices)
    assert round(hit_ratio(places, 10), 4) == 0.6710
    assert round(ndcg(places, 10), 4) == 0.3963
    assert answers["best"][:5, 0].tolist() == [273, 133, 792, 23, 134]
    wanted = probabilities(model, users, choices)
    np.testing.assert_array_equal(answers["best"][:, 0], choices[np.arange(len(users)), wanted.argmax(1)])
    np.testing.assert_allclose(answers["probabilities"], wanted, atol=1e-4)
