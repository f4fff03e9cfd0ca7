"""Networks of PyTorch in files: settings that they are made with, and their weights."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from trtflow.formats.damage import refuse_damage
from trtflow.formats.files import write_bytes

AGAIN = "Train again with scripts/train.py."
Network = TypeVar("Network", bound=nn.Module)


def write_checkpoint(path: Path, model: nn.Module, settings: Mapping[str, Any]) -> None:
    """Write a network and its settings; the same weights give the same bytes."""
    buffer = io.BytesIO()  # in a file torch.save would store the file's own, temporary, name
    torch.save({**settings, "weights": model.state_dict()}, buffer)
    write_bytes(path, buffer.getvalue())


def read_checkpoint(path: Path, make: Callable[[dict[str, Any]], Network], what: str) -> Network:
    """Read a network, ready for inference.

    Args:
        path: what `write_checkpoint` wrote.
        make: returns the network without its weights; gets the settings, and the weights as `weights`.
        what: the network's name, for people.

    Raises:
        FormatError: the file is damaged, or holds another network.
    """
    with refuse_damage(path, f"not a checkpoint of {what}", AGAIN):
        content = _load(path)
        model = make(content)
        model.load_state_dict(content["weights"])
    return model.eval()


def _load(path: Path) -> Any:
    try:
        return torch.load(path, weights_only=True)
    except pickle.UnpicklingError as error:  # it advises to load without weights_only, which runs what is in the file
        raise ValueError("torch.load cannot read it") from error
