"""Networks of PyTorch in files: settings that they are made with, and their weights."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from trtflow.formats import FormatError
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
    try:
        content = torch.load(path, weights_only=True)
        model = make(content)
        model.load_state_dict(content["weights"])
    except (RuntimeError, KeyError, TypeError, EOFError, AttributeError, pickle.UnpicklingError) as error:
        reason = "torch.load cannot read it" if isinstance(error, pickle.UnpicklingError) else first_line(error)
        raise FormatError(path, f"not a checkpoint of {what} ({reason})", AGAIN) from error
    return model.eval()


def first_line(error: Exception) -> str:
    """Return what an error says, without the lists and advice that PyTorch puts below."""
    return str(error).strip().partition("\n")[0]
