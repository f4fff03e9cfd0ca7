"""Exports and traces of modules on CUDA: they read modules and inputs as the host's."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from trtflow.nvidia.torch_cuda.tensors import CudaTensor, host_arguments


def of_host(export: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of a module and its inputs that gets both as the host's."""

    @functools.wraps(export)
    def exported(model: Any, *arguments: Any, **named: Any) -> Any:
        with _on_host(model):
            return export(model, *host_arguments(arguments), **host_arguments(named))

    return exported


@contextmanager
def _on_host(model: Any) -> Iterator[None]:
    """Have a module on the host meanwhile."""
    if not isinstance(model, torch.nn.Module):
        yield
        return
    tensors = [*model.parameters(), *model.buffers()]
    on_cuda = any(isinstance(tensor, CudaTensor) for tensor in tensors)
    if on_cuda:
        model.cpu()
    try:
        yield
    finally:
        if on_cuda:
            model.cuda()
