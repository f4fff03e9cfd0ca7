"""YOLOv3, in PyTorch, kept as Darknet does; engines take it as ONNX, which scripts/convert_darknet.py makes."""

from trtflow.job import Job

ORIGINAL = {"classes": 80, "width": 1.0, "size": 608}  # of the authors


def train(job: Job) -> None:
    """Train on scenes, its trunk first, and write Darknet's network and weights and the losses."""
    from trtflow.families.yolov3.training import train_yolov3

    train_yolov3(job)


def predict(job: Job) -> None:
    """Ask the network itself, in PyTorch alone, and write its detections."""
    import torch

    from trtflow.datasets.images import to_unit_input
    from trtflow.families.common.scenes import picture_batches, write_detections
    from trtflow.families.yolov3.detection import detect
    from trtflow.families.yolov3.network import load

    model, manifest = load(job.input("cfg"), job.input("weights")), job.input("val")
    size = int(model.sections[0].options["width"])
    found = [detect(model, torch.from_numpy(to_unit_input(images, size))) for images in picture_batches(manifest)]
    write_detections(job.output("predictions"), manifest, torch.cat(found).numpy())


def random_model(job: Job) -> None:
    """Write the network with random weights, to build and time it: `model.classes`, `model.width` and `model.size`."""
    import torch

    from trtflow.families.yolov3.network import Darknet, save, yolov3_sections

    torch.manual_seed(int(job.setting("model.seed", 0)))
    classes, width, size = (job.setting(f"model.{key}", value) for key, value in ORIGINAL.items())
    model = Darknet(yolov3_sections(float(width), int(classes), int(size)))
    save(model.eval(), job.output("cfg"), job.output("weights"))
