"""A character model of two LSTM layers in TensorFlow; engines take its dumped weights."""

from trtflow.formats.damage import read_text
from trtflow.job import Job

DEFAULTS = {
    "steps": 1000,
    "batch_size": 32,
    "sequence_length": 50,
    "learning_rate": 0.01,
    "seed": 0,
    "threads": 1,
}


def train(job: Job) -> None:
    """Train on a text, and write the network as a checkpoint, and its losses."""
    from trtflow.datasets.characters import encode, read_vocabulary
    from trtflow.families.char_rnn import network
    from trtflow.families.common.schedule import schedule_of, training_settings
    from trtflow.families.common.tensorflow import prepare_tensorflow
    from trtflow.formats.files import write_json

    settings = training_settings(job, **DEFAULTS)
    prepare_tensorflow(settings["seed"], settings["threads"])
    vocabulary, path = read_vocabulary(job.input("vocabulary")), job.input("train")
    text = encode(read_text(path), vocabulary, path)
    embedding, hidden = (int(job.setting(f"model.{name}_size", 512)) for name in ("embedding", "hidden"))
    weights = network.create_weights(len(vocabulary), embedding, hidden)
    losses = network.train(weights, text, schedule_of(settings), settings["sequence_length"])
    write_json(job.output("training"), {"loss": {"training": losses}})
    network.save_checkpoint(weights, job.output("checkpoint").with_suffix(""))


def predict(job: Job) -> None:
    """Score a text and write on from each seed, in TensorFlow alone."""
    import numpy as np

    from trtflow.datasets.characters import encode, read_vocabulary
    from trtflow.families.char_rnn.network import generate, load_checkpoint, score
    from trtflow.families.common.tensorflow import prepare_tensorflow
    from trtflow.formats.arrays import write_arrays

    prepare_tensorflow(seed=0, threads=1)
    vocabulary, path = read_vocabulary(job.input("vocabulary")), job.input("val")
    text = encode(read_text(path), vocabulary, path)
    seeds = [encode(seed, vocabulary, f"seed {seed!r}") for seed in job.setting("generation.seeds")]
    weights = load_checkpoint(job.input("checkpoint").with_suffix(""), len(vocabulary))
    length = int(job.setting("generation.length", 100))
    generated = np.stack([generate(weights, seed.tolist(), length) for seed in seeds])
    write_arrays(job.output("predictions"), {"log_probabilities": score(weights, text), "generated": generated})
