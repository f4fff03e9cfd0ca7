"""The detectors of the SSD family by name, what training needs of them, and their checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

from trtflow.formats import FormatError
from trtflow.families.common.checkpoint import read_checkpoint, write_checkpoint
from trtflow.families.ssd.network import SSD
from trtflow.families.ssd_inception.network import SSDInception

Detector: TypeAlias = SSD | SSDInception
NETWORKS: dict[str, type[Detector]] = {"vgg16": SSD, "inception_v2": SSDInception}


def save_checkpoint(model: Detector, path: Path) -> None:
    """Write a model; the same weights give the same bytes."""
    network = next(name for name, kind in NETWORKS.items() if isinstance(model, kind))
    write_checkpoint(path, model, {"network": network, "class_count": model.class_count, "width": model.width})


def load_checkpoint(path: Path, network: str) -> Any:
    """Read a network of that name that `save_checkpoint` wrote, ready for inference."""

    def make(content: dict[str, Any]) -> Any:
        if content["network"] != network:
            raise FormatError(path, f"the network is {content['network']}, not {network}", "Give the other checkpoint.")
        return NETWORKS[network](content["class_count"], content["width"])

    return read_checkpoint(path, make, "SSD", "Train again with train_ssd.py.")
