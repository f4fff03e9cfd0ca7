"""A model of the user's own (docs/your-own-model.md), in whatever form TensorRT's parsers or TensorFlow read."""

from trtflow.job import Job


def import_model(job: Job) -> None:
    """Write the model in the form of TensorRT's parsers, with what the workflow must know of it."""
    from trtflow.families.own.adoption import adopt_model

    adopt_model(job)


def predict(job: Job) -> None:
    """Ask the framework that the model came from, to compare the engines with."""
    from trtflow.families.own.framework import predict_batches

    predict_batches(job)
