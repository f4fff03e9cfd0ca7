"""The detectors of the SSD family by name, what training needs of them, and their checkpoints."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any, TypeAlias

import torch

from trtflow.formats import FormatError
from trtflow.formats.files import write_bytes
from trtflow.models.ssd import SSD
from trtflow.models.ssd_inception import SSDInception

Detector: TypeAlias = SSD | SSDInception
NETWORKS: dict[str, type[Detector]] = {"vgg16": SSD, "inception_v2": SSDInception}


def save_checkpoint(model: Detector, path: Path) -> None:
    """Write a model; the same weights give the same bytes."""
    network = next(name for name, kind in NETWORKS.items() if isinstance(model, kind))
    settings = {"network": network, "class_count": model.class_count, "width": model.width}
    buffer = io.BytesIO()  # in a file torch.save would store the file's own, temporary, name
    torch.save({**settings, "weights": model.state_dict()}, buffer)
    write_bytes(path, buffer.getvalue())


def load_checkpoint(path: Path, network: str) -> Any:
    """Read a network of that name that `save_checkpoint` wrote, ready for inference."""
    try:
        content = torch.load(path, weights_only=True)
        if content["network"] != network:
            raise FormatError(path, f"the network is {content['network']}, not {network}", "Give the other checkpoint.")
        model = NETWORKS[content["network"]](content["class_count"], content["width"])
        model.load_state_dict(content["weights"])
    except (RuntimeError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise FormatError(path, f"not a checkpoint of SSD ({error})", "Train again with train_ssd.py.") from error
    return model.eval()
