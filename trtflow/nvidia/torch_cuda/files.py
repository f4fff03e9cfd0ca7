"""Files of tensors: what was saved on CUDA says so, and is on CUDA when it is read."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from trtflow.nvidia.patches import Patches
from trtflow.nvidia.torch_cuda.tensors import HOST, SAVED, names_cuda


def give_files(patches: Patches) -> None:
    """Let `torch.save`, `torch.load` and TorchScript's know CUDA."""
    patches.set(torch.serialization, "location_tag", _location_tag(torch.serialization.location_tag))
    patches.set(torch, "save", _save(torch.save))
    patches.set(torch, "load", _load(torch.load))
    patches.set(torch.jit, "load", _load_script(torch.jit.load))


def _location_tag(of_host: Callable[..., str]) -> Callable[..., str]:
    """Return PyTorch's function that says where memory is which is being saved."""

    @functools.wraps(of_host)
    def location_tag(storage: Any) -> str:
        return "cuda:0" if storage.data_ptr() in SAVED else of_host(storage)

    return location_tag


def _save(save: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(save)
    def saved(*arguments: Any, **named: Any) -> None:
        try:
            save(*arguments, **named)
        finally:
            SAVED.clear()

    return saved


def _load(load: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(load)
    def loaded(f: Any, map_location: Any = None, *arguments: Any, **named: Any) -> Any:
        on_cuda: set[int] = set()

        def place(storage: Any, location: str) -> Any:
            where = _asked(map_location, storage, location)
            if where is not None and names_cuda(where):
                on_cuda.add(storage.data_ptr())
            return storage

        found = load(f, place, *arguments, **named)
        return _moved(found, on_cuda) if on_cuda else found

    return loaded


def _asked(map_location: Any, storage: Any, location: str) -> Any:
    """Return the device that memory is to be read to, by `torch.load`'s rules."""
    if map_location is None:
        return location if location.startswith("cuda") else None
    if isinstance(map_location, dict):
        return map_location.get(location, location)
    if callable(map_location):
        chosen = map_location(storage, location)
        return location if chosen is None and location.startswith("cuda") else None
    return map_location


def _load_script(load: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(load)
    def loaded(f: Any, map_location: Any = None, *arguments: Any, **named: Any) -> Any:
        # a compiled module computes outside Python, so its tensors stay the host's
        return load(f, HOST if map_location is None or names_cuda(map_location) else map_location, *arguments, **named)

    return loaded


def _moved(found: Any, on_cuda: set[int]) -> Any:
    """Return what was loaded, with all tensors of that memory as CUDA's."""
    if isinstance(found, torch.nn.Module):
        return found.cuda()
    if isinstance(found, Tensor):
        return found.cuda() if found.untyped_storage().data_ptr() in on_cuda else found
    if isinstance(found, dict):
        for key, value in found.items():
            found[key] = _moved(value, on_cuda)
    elif isinstance(found, list):
        found[:] = [_moved(value, on_cuda) for value in found]
    elif type(found) is tuple:
        return tuple(_moved(value, on_cuda) for value in found)
    return found
