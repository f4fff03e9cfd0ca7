"""Sequence-to-sequence translation in TensorFlow; engines take the guide's weight files (§11.5)."""

from trtflow.job import Job

INFERENCE = "inference.json"


def train(job: Job) -> None:
    """Train on sentences in two languages, and write the network as a checkpoint, and its losses."""
    from trtflow.families.nmt.training import train_nmt

    train_nmt(job)


def export(job: Job) -> None:
    """Write the seven weight files of sampleNMT from a checkpoint, and what its engines are built for."""
    from trtflow.families.common import environment  # noqa: F401, I001 - of TensorFlow, before it is loaded
    from trtflow.converters.checkpoint import read_checkpoint
    from trtflow.converters.nmt_checkpoint import convert

    prefix, folder = job.input("checkpoint").with_suffix(""), job.output("exports").parent
    convert(read_checkpoint(prefix), folder, prefix)
    _write_inference(job)


def import_model(job: Job) -> None:
    """Lay out the published sentences, vocabularies and weights, and write what engines are built for."""
    from trtflow.formats import UserError
    from trtflow.formats.files import copy_file

    published = {path.name: path for path in job.files("files")}
    for path in (*job.outputs["val"], *job.outputs["exports"]):
        if path.name == INFERENCE:
            continue
        if path.name not in published:
            raise UserError(f"{job.sample}: {path.name} is not among its published files, {', '.join(published)}.")
        copy_file(published[path.name], path)
    _write_inference(job)


def predict(job: Job) -> None:
    """Let TensorFlow itself translate, with the beam search of the engines."""
    from trtflow.families.nmt.translation import translate

    translate(job)


def _write_inference(job: Job) -> None:
    from trtflow.formats.files import write_json

    defaults = {"beam": 5, "max_input_sequence_length": 150}
    settings = {key: int(job.setting(f"inference.{key}", value)) for key, value in defaults.items()}
    write_json(job.output("exports").parent / INFERENCE, settings)
