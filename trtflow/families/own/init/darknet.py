"""How the maps of a Darknet model are read: its `.cfg` says it."""

from __future__ import annotations

from pathlib import Path

from trtflow.families.own.init.heads import STRETCH, Head
from trtflow.formats import UserError
from trtflow.formats.darknet import read_cfg, resolve
from trtflow.runtime.darknet_boxes import DECODERS, head_of

KIND = "yolo"


def darknet_decoding(source: Path, outputs: list[str]) -> Head | None:
    """Return how the outputs of a Darknet model are read; None of other models.

    Args:
        source: the model's file.
        outputs: names of its outputs, in the order of the layers.

    Raises:
        UserError: it has no layer that predicts boxes, or one that decoders of own models do not read.
    """
    if source.suffix not in (".cfg", ".weights"):
        return None
    cfg = source.with_suffix(".cfg")
    layers = [layer for layer in resolve(read_cfg(cfg), cfg) if layer.kind in DECODERS]
    # the decoder takes anchors from the finest map on; YOLOv3's layers go the other way, YOLOv4's do not
    heads = [head_of(layer) for layer in sorted(layers, key=lambda layer: -layer.shape[1])]
    if len(heads) != len(outputs) or not heads:
        raise UserError(f"{cfg}: {len(heads)} layers predict boxes, but the model has {len(outputs)} outputs.")
    odd = [head for head in heads if head.kind != KIND or head.new_coords or head.scale_x_y != 1]
    if odd:
        what = f"[{odd[0].kind}] with scale_x_y={odd[0].scale_x_y:g}, new_coords={int(odd[0].new_coords)}"
        raise UserError(
            f"{cfg}: {what}, which the decoder yolov3 does not read. Take --task none, and decode in a hook as "
            "docs/darknet.md tells."
        )
    anchors = [list(anchor) for head in heads for anchor in head.anchors]
    decoding = {"name": "yolov3", "anchors": anchors}
    return Head(decoding, outputs, heads[0].classes, STRETCH)
