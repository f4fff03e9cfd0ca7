"""GoogLeNet and ResNet-50 for pictures, in PyTorch; engines take them as Caffe, ONNX or UFF."""

from trtflow.job import Job


def train(job: Job) -> None:
    """Train on pictures; write the network, its losses, and what it says of the held-out pictures."""
    from trtflow.families.classifiers.training import train_classifier

    train_classifier(job)


def import_model(job: Job) -> None:
    """Take ResNet-50's published Caffe weights into PyTorch, and say what it makes of the pictures to score."""
    from trtflow.families.classifiers.caffe_import import load_caffemodel
    from trtflow.families.classifiers.network import save_classifier
    from trtflow.families.classifiers.training import write_predictions

    width, size = float(job.setting("model.width", 1)), int(job.setting("model.size", 224))
    model = load_caffemodel(job.input("caffemodel"), int(job.setting("model.classes", 1000)), width, size)
    write_predictions(job, model)
    save_classifier(model, job.output("model"))


def export(job: Job) -> None:
    """Write the forms that engines are built from, `source` and `programs`, with the input's size and checksums."""
    from trtflow.families.classifiers.files import write_forms
    from trtflow.families.classifiers.network import load_classifier

    programs = job.setting("programs") or []
    forms = [form for form in (job.setting("source"), *programs) if form != "uff"]  # UFF is made of a frozen graph
    # said where a sample takes several forms, so that each program knows
    pixels = job.setting("model.pixels") if programs else None
    write_forms(load_classifier(job.input("model")), forms, job.output("exports").parent, pixels)


def freeze(job: Job) -> None:
    """Write a frozen TensorFlow graph of the same weights, on the way to UFF."""
    from trtflow.families.classifiers.files import write_graph
    from trtflow.families.classifiers.network import load_classifier

    write_graph(load_classifier(job.input("model")), job.output("frozen"))


def take_model(job: Job) -> None:
    """Take a published model as it is."""
    from trtflow.families.common.published import take

    take(job)


def predict(job: Job) -> None:
    """Ask ONNX Runtime what a published model says of the held-out pictures."""
    from trtflow.families.common import published

    published.predict(job)


def random_model(job: Job) -> None:
    """Write a network with random weights, to build and time it: `model.network`, `classes`, `width` and `size`."""
    import torch

    from trtflow.families.classifiers.network import Classifier, randomise, save_classifier

    seed, classes = (int(job.setting(f"model.{key}", value)) for key, value in (("seed", 0), ("classes", 1000)))
    torch.manual_seed(seed)
    width, size = float(job.setting("model.width", 1)), int(job.setting("model.size", 224))
    model = Classifier(job.setting("model.network"), classes, width, size).eval()
    randomise(model, seed)
    save_classifier(model, job.output("model"))
