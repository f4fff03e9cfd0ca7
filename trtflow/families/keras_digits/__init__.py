"""Networks for digits in TensorFlow; engines take them as UFF or as dumped weights."""

from trtflow.job import Job


def train(job: Job) -> None:
    """Train on digits; write the network as Keras does, its losses, and what it says of the held-out digits."""
    from trtflow.families.common.tensorflow import save_keras
    from trtflow.families.keras_digits.training import train_digits

    save_keras(train_digits(job), job.output("model"))


def train_checkpoint(job: Job) -> None:
    """Train as `train` does, and write the network as a checkpoint of TensorFlow."""
    from trtflow.families.keras_digits.network import save_checkpoint
    from trtflow.families.keras_digits.training import train_digits

    save_checkpoint(train_digits(job), job.output("checkpoint").with_suffix(""))


def freeze(job: Job) -> None:
    """Write the network as a frozen graph, on the way to UFF."""
    from trtflow.families.common import keras_freeze

    keras_freeze.freeze(job)
