"""LeNet and the network of ONNX's zoo for digits, in PyTorch; engines take them as Caffe, .wts, arrays or ONNX."""

from trtflow.job import Job


def train(job: Job) -> None:
    """Train on digits; write the network, its losses, and what it says of the held-out digits."""
    from trtflow.families.digits.training import train_digits

    train_digits(job)


def export(job: Job) -> None:
    """Write the form that the engine is built from, `source`, with checksums."""
    from trtflow.families.digits.files import write_form

    write_form(job.input("model"), job.setting("source"), job.output("exports").parent)


def take_model(job: Job) -> None:
    """Take a published model as it is."""
    from trtflow.families.common.published import take

    take(job)


def predict(job: Job) -> None:
    """Ask ONNX Runtime what a published model says of the held-out digits."""
    from trtflow.families.common import published

    published.predict(job)


def capture_batches(job: Job) -> None:
    """Run the network over the calibration digits in PyTorch, batch by batch, as `caffe test` does (guide §8.6.1).

    Each batch is written on its way into the network: as the job's outputs, and where TENSORRT_INT8_BATCH_DIRECTORY
    names a folder, there too. The accuracy is printed.
    """
    from trtflow.families.digits.capture import captured, folders
    from trtflow.families.digits.network import load_network, probabilities
    from trtflow.families.digits.training import full_batches
    from trtflow.metrics.classification import top_k

    model, size = load_network(job.input("model")), int(job.setting("calibration.batch_size", 10))
    batches = full_batches(job.input("calibration"), job.setting("model.pixels", "unit"), size)
    shares = []
    for batch in captured(batches, folders(job.output("batches").parent)):
        assert batch.labels is not None
        shares.append(top_k(probabilities(model, batch.images), batch.labels, 1))
    print(f"accuracy: {sum(shares) / len(shares):.4f}")
