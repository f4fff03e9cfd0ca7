"""Faster R-CNN on VGG-16, in PyTorch; engines take it as a Caffe model."""

from functools import partial
from typing import Any

from trtflow.job import Job


def train(job: Job) -> None:
    """Train on scenes, its trunk first, and write the network and its losses."""
    from trtflow.families.faster_rcnn.training import train_faster_rcnn

    train_faster_rcnn(job)


def predict(job: Job) -> None:
    """Ask the network itself, in PyTorch alone, and write its detections."""
    import torch

    from trtflow.families.common.scenes import picture_batches, write_detections
    from trtflow.families.faster_rcnn.detection import detect
    from trtflow.families.faster_rcnn.network import load_faster_rcnn

    model, manifest = load_faster_rcnn(job.input("model")), job.input("val")
    found = [detect(model, torch.from_numpy(model.to_input(images))) for images in picture_batches(manifest)]
    write_detections(job.output("predictions"), manifest, torch.cat(found).numpy())


def export(job: Job) -> None:
    """Write the authors' test.prototxt, the same in TensorRT's form, the weights and the input's size."""
    from trtflow.families.common.caffe_files import write_model
    from trtflow.families.faster_rcnn.caffe_export import to_caffe
    from trtflow.families.faster_rcnn.network import load_faster_rcnn

    write_model(job, to_caffe(load_faster_rcnn(job.input("model"))), _convert(job))


def import_model(job: Job) -> None:
    """Take the published Caffe model: into PyTorch, and with its prototxt in TensorRT's form."""
    from trtflow.datasets.objects import CLASSES
    from trtflow.families.common.caffe_files import take_model
    from trtflow.families.faster_rcnn.caffe_import import load_caffemodel
    from trtflow.families.faster_rcnn.network import save_faster_rcnn
    from trtflow.formats.caffe.faster_rcnn import SCALES

    classes = len(CLASSES[job.setting("splits.objects", "voc")])
    scales = tuple(map(float, job.setting("model.anchor_scales", SCALES)))
    model = load_caffemodel(job.input("caffemodel"), classes, float(job.setting("model.width", 1)), scales)
    take_model(job, _convert(job))
    save_faster_rcnn(model, job.output("model"))


def random_model(job: Job) -> None:
    """Write the network with random weights, to build and time it: `model.classes` and `model.width`."""
    import torch

    from trtflow.families.faster_rcnn.network import FasterRCNN, save_faster_rcnn

    torch.manual_seed(int(job.setting("model.seed", 0)))
    model = FasterRCNN(job.setting("model.classes"), float(job.setting("model.width", 1)))
    save_faster_rcnn(model.eval(), job.output("model"))


def _convert(job: Job) -> Any:
    """Write down the size of pictures, and return what brings a prototxt into TensorRT's form for it."""
    from trtflow.datasets.digit_scenes import SIZE
    from trtflow.families.common.input_size import write_input_size
    from trtflow.formats.caffe import convert_faster_rcnn_prototxt

    height, width = job.setting("splits.shape") or (SIZE, SIZE)
    write_input_size(job.output("exports").parent, height, width)
    return partial(convert_faster_rcnn_prototxt, height=height, width=width)
