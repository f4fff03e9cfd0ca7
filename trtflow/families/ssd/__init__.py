"""SSD300 on VGG-16, in PyTorch; engines take it as a Caffe model."""

from trtflow.job import Job


def train(job: Job) -> None:
    """Train on scenes, and write the network and its losses."""
    from trtflow.families.ssd.network import SSD
    from trtflow.families.ssd.training import train_ssd

    train_ssd(job, SSD)


def predict(job: Job) -> None:
    """Ask the network itself, in PyTorch alone, and write its detections."""
    from functools import partial

    import torch

    from trtflow.datasets.images import read_sized_image, to_bgr_input
    from trtflow.families.common.scenes import picture_batches, write_detections
    from trtflow.families.ssd.checkpoint import load_ssd
    from trtflow.families.ssd.detection import detect
    from trtflow.families.ssd.network import SIZE, SSD

    model, manifest = load_ssd(job.input("model"), SSD), job.input("val")
    batches = picture_batches(manifest, read=partial(read_sized_image, size=SIZE))
    found = [detect(model, torch.from_numpy(to_bgr_input(images))) for images in batches]
    detections, counts = (torch.cat(parts).numpy() for parts in zip(*found, strict=True))
    write_detections(job.output("predictions"), manifest, detections, keep_count=counts)


def export(job: Job) -> None:
    """Write the authors' deploy.prototxt, the same in TensorRT's form, and the weights."""
    from trtflow.families.common.caffe_files import write_model
    from trtflow.families.ssd.caffe_export import to_caffe
    from trtflow.families.ssd.checkpoint import load_ssd
    from trtflow.families.ssd.network import SSD
    from trtflow.formats.caffe import convert_ssd_prototxt

    write_model(job, to_caffe(load_ssd(job.input("model"), SSD)), convert_ssd_prototxt)


def import_model(job: Job) -> None:
    """Take the published Caffe model: into PyTorch, and with its prototxt in TensorRT's form."""
    from trtflow.datasets.objects import CLASSES
    from trtflow.families.common.caffe_files import take_model
    from trtflow.families.ssd.caffe_import import load_caffemodel
    from trtflow.families.ssd.checkpoint import save_ssd
    from trtflow.formats.caffe import convert_ssd_prototxt

    classes = len(CLASSES[job.setting("splits.objects", "voc")])
    model = load_caffemodel(job.input("caffemodel"), classes, float(job.setting("model.width", 1)))
    take_model(job, convert_ssd_prototxt)
    save_ssd(model, job.output("model"))


def random_model(job: Job) -> None:
    """Write the network with random weights, to build and time it."""
    from trtflow.families.ssd.network import SSD
    from trtflow.families.ssd.training import random_ssd

    random_ssd(job, SSD)
