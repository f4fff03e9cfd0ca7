"""Checkpoints of the SSDs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trtflow.families.common.checkpoint import read_checkpoint, write_checkpoint
from trtflow.formats import FormatError


def save_ssd(model: Any, path: Path) -> None:
    """Write a model; the same weights give the same bytes."""
    write_checkpoint(path, model, {"network": model.network, "class_count": model.class_count, "width": model.width})


def load_ssd(path: Path, kind: type[Any]) -> Any:
    """Read a network of that kind that `save_ssd` wrote, ready for inference."""

    def make(content: dict[str, Any]) -> Any:
        if content["network"] != kind.network:
            fault = f"the network is {content['network']}, not {kind.network}"
            raise FormatError(path, fault, "Give the other checkpoint.")
        return kind(content["class_count"], content["width"])

    return read_checkpoint(path, make, "SSD")
