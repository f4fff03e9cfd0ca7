"""Neural collaborative filtering in TensorFlow; engines take it as UFF."""

from trtflow.job import Job

DEFAULTS = {"steps": 1200, "batch_size": 256, "learning_rate": 0.005, "seed": 0, "threads": 1}


def train(job: Job) -> None:
    """Train on ratings, and write the network as Keras does, its sizes and its losses."""
    from trtflow.datasets.ratings import read_ratings
    from trtflow.families.common.schedule import schedule_of, training_settings
    from trtflow.families.common.tensorflow import prepare_tensorflow, save_keras
    from trtflow.families.ncf import network
    from trtflow.formats.files import write_json

    settings = training_settings(job, **DEFAULTS)
    users, movies = int(job.setting("splits.users")), int(job.setting("splits.movies"))
    ratings = read_ratings(job.input("train"), users, movies)
    prepare_tensorflow(settings["seed"], settings["threads"])
    model = network.network(users, movies)
    losses = network.train(model, ratings, schedule_of(settings))
    write_json(job.output("training"), {"loss": {"training": losses}})
    write_json(job.output("sizes"), network.sizes(model))
    save_keras(model, job.output("model"))


def import_model(job: Job) -> None:
    """Turn the published weights, a Keras 1 file, into a model that today's Keras reads."""
    from trtflow.families.common.tensorflow import save_keras
    from trtflow.families.ncf.network import load_published, sizes
    from trtflow.formats.files import write_json

    model = load_published(job.input("weights"))
    write_json(job.output("sizes"), sizes(model))
    save_keras(model, job.output("model"))


def predict(job: Job) -> None:
    """Ask the network in TensorFlow; write users, the movies they choose from, and the probability of each."""
    from trtflow.datasets.ratings import read_choices
    from trtflow.families.common.tensorflow import load_keras, prepare_tensorflow
    from trtflow.families.ncf.network import probabilities, sizes
    from trtflow.formats.arrays import write_arrays

    prepare_tensorflow(seed=0, threads=1)
    model = load_keras(job.input("model"))
    users, choices = read_choices(job.input("choices"), **sizes(model))
    found = probabilities(model, users, choices)
    write_arrays(job.output("predictions"), {"users": users, "choices": choices, "probabilities": found})


def freeze(job: Job) -> None:
    """Write the network as a frozen graph, on the way to UFF."""
    from trtflow.families.common import keras_freeze

    keras_freeze.freeze(job)
