"""Archives in the layout of the published detectors', with narrow networks in them.

Where the published prototxts lie beside this checkout, theirs are the words, and only channels are fewer.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from full import SHARED

from trtflow.families.faster_rcnn.caffe_export import to_caffe
from trtflow.families.faster_rcnn.network import FasterRCNN
from trtflow.families.ssd import caffe_export as ssd_export
from trtflow.families.ssd.network import SSD
from trtflow.formats.caffe import NetParameter, read_prototxt, without_weights, write_caffemodel, write_prototxt
from trtflow.formats.caffe.caffe_pb2 import Phase

SSD300 = SHARED.parent / "cases/real/ssd300_voc0712_deploy.prototxt"
FASTER_RCNN = SHARED / "caffe/faster_rcnn_vgg16_test.prototxt"


def in_published_words(net: NetParameter, published: Path) -> NetParameter:
    """Return a published network with as many channels as another has of the same layers; that one without the file."""
    if not published.exists():
        return net
    made = read_prototxt(published)
    widths = {layer.name: layer for layer in net.layer}
    for layer in made.layer:
        for part in ("convolution_param", "inner_product_param"):
            if layer.HasField(part):
                getattr(layer, part).num_output = getattr(widths[layer.name], part).num_output
    return made


def ssd_files(model: SSD, folder: Path) -> dict[str, bytes]:
    """The deploy.prototxt of SSD's authors, with a place for results, and a snapshot of the training."""
    net = ssd_export.to_caffe(model)
    snapshot = NetParameter(name="VGG_VOC0712_SSD_300x300_train")
    snapshot.layer.add(name="data", type="AnnotatedData", top=["data", "label"])
    snapshot.layer.extend(layer for layer in net.layer[1:] if layer.type != "DetectionOutput")
    snapshot.layer.add(name="mbox_loss", type="MultiBoxLoss", bottom=["mbox_loc", "mbox_conf"], top=["mbox_loss"])
    write_caffemodel(snapshot, folder / "ssd.caffemodel")

    deploy = without_weights(net)
    del deploy.layer[0]
    deploy.input.append("data")
    deploy.input_shape.add(dim=[1, 3, 300, 300])
    for layer in deploy.layer:
        if layer.type == "Convolution":
            layer.param.add(lr_mult=1, decay_mult=1)
            layer.convolution_param.weight_filler.type = "xavier"
    deploy.layer[-1].include.add(phase=Phase.TEST)
    deploy.layer[-1].detection_output_param.save_output_param.label_map_file = "data/VOC0712/labelmap_voc.prototxt"
    write_prototxt(in_published_words(deploy, SSD300), folder / "ssd.prototxt")
    root = "models/VGGNet/VOC0712/SSD_300x300"
    return {
        f"{root}/deploy.prototxt": (folder / "ssd.prototxt").read_bytes(),
        f"{root}/solver.prototxt": b"",
        f"{root}/VGG_VOC0712_SSD_300x300_iter_120000.caffemodel": (folder / "ssd.caffemodel").read_bytes(),
    }


def faster_rcnn_files(model: FasterRCNN, folder: Path) -> tuple[bytes, dict[str, bytes]]:
    """py-faster-rcnn's test.prototxt, and its archive of two networks, the other one empty."""
    net = to_caffe(model)
    write_prototxt(in_published_words(without_weights(net), FASTER_RCNN), folder / "faster.prototxt")
    write_caffemodel(net, folder / "faster.caffemodel")
    return (folder / "faster.prototxt").read_bytes(), {
        "faster_rcnn_models/VGG16_faster_rcnn_final.caffemodel": (folder / "faster.caffemodel").read_bytes(),
        "faster_rcnn_models/ZF_faster_rcnn_final.caffemodel": b"",
    }


def write_tgz(path: Path, files: Mapping[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
