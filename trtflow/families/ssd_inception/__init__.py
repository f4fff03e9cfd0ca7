"""SSD on InceptionV2, in PyTorch, and as TensorFlow's frozen graph; engines take it as UFF."""

from trtflow.job import Job


def train(job: Job) -> None:
    """Train on scenes, and write the network and its losses."""
    from trtflow.families.ssd.training import train_ssd
    from trtflow.families.ssd_inception.network import SSDInception

    train_ssd(job, SSDInception)


def freeze(job: Job) -> None:
    """Write the network as a frozen TensorFlow graph, like ssd_inception_v2_coco's."""
    from trtflow.converters.freeze import write_graph
    from trtflow.families.ssd.checkpoint import load_ssd
    from trtflow.families.ssd_inception.graph import to_graph
    from trtflow.families.ssd_inception.network import SSDInception

    write_graph(to_graph(load_ssd(job.input("model"), SSDInception)), job.output("frozen"))


def predict(job: Job) -> None:
    """Run the frozen graph in TensorFlow alone, picture by picture, and write its detections."""
    import numpy as np

    from trtflow.families.common.scenes import picture_batches, write_detections
    from trtflow.families.ssd_inception.frozen_detector import FrozenDetector

    detector, manifest = FrozenDetector(job.input("frozen")), job.input("val")
    found = [detector.detect(image) for (image,) in picture_batches(manifest, 1)]
    write_detections(job.output("predictions"), manifest, np.stack(found))


def random_model(job: Job) -> None:
    """Write the network with random weights, to build and time it."""
    from trtflow.families.ssd.training import random_ssd
    from trtflow.families.ssd_inception.network import SSDInception

    random_ssd(job, SSDInception)
