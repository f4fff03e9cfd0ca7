"""From the host to CUDA and back: what makes tensors, moves them, and moves modules."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import _get_current_function_mode_stack
from torch.utils._device import DeviceContext, _device_constructors

from trtflow.nvidia.patches import Patches
from trtflow.nvidia.torch_cuda.tensors import (
    HOST,
    CudaParameter,
    CudaTensor,
    converted,
    host_arguments,
    names_cuda,
    on_cuda,
    on_host,
)

# what a parameter can be: one made of CUDA's tensor is one of these with a mark
_PARAMETERS = (torch.nn.Parameter, CudaParameter, CudaTensor)
# functions that make tensors where `device=` says
_MAKERS = (
    "arange", "as_tensor", "asarray", "bartlett_window", "blackman_window", "empty", "empty_like", "empty_permuted",
    "empty_strided", "eye", "full", "full_like", "hamming_window", "hann_window", "kaiser_window", "linspace",
    "logspace", "normal", "ones", "ones_like", "rand", "rand_like", "randint", "randint_like", "randn", "randn_like",
    "randperm", "range", "scalar_tensor", "sparse_coo_tensor", "tensor", "tril_indices", "triu_indices", "zeros",
    "zeros_like",
)  # fmt: skip
_SHARING = ("as_tensor", "asarray")  # of these, those whose result may be the memory of their argument
_MAKING_METHODS = ("new_empty", "new_full", "new_ones", "new_tensor", "new_zeros")


def give_moves(patches: Patches) -> None:
    """Let all of PyTorch that names a device take CUDA's."""
    _device_constructors()  # PyTorch keeps which functions these are when it is first asked: they are to be its own
    for name in _MAKERS:
        patches.set(torch, name, _maker(name, getattr(torch, name)))
    for name in _MAKING_METHODS:
        patches.set(Tensor, name, _maker(name, getattr(Tensor, name)))
    patches.set(Tensor, "to", _to(Tensor.to))
    patches.set(Tensor, "cuda", _cuda)
    patches.set(Tensor, "cpu", _cpu)
    patches.set(Tensor, "type", _type(Tensor.type))
    patches.set(Tensor, "pin_memory", _pin_memory)
    patches.set(Tensor, "is_pinned", _is_pinned)
    patches.set(torch.nn.Module, "_apply", _apply(torch.nn.Module._apply))


def _maker(name: str, make: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that makes a tensor, on CUDA too."""

    @functools.wraps(make)
    def made(*arguments: Any, **named: Any) -> Any:
        device, pinned = named.get("device"), named.pop("pin_memory", False)
        first = arguments[0] if arguments and isinstance(arguments[0], Tensor) else None
        was_cuda = isinstance(first, CudaTensor)
        if device is None and first is None:
            device = _default_device()
        to_cuda = was_cuda if device is None else names_cuda(device)
        if to_cuda:
            named["device"] = HOST
        result = make(*host_arguments(arguments), **host_arguments(named))
        if name in _SHARING and to_cuda != was_cuda:
            result = result.clone()
        if to_cuda:
            return on_cuda(result)
        return _pin_memory(result) if pinned else result

    return made


def _default_device() -> torch.device | None:
    """Return what `with torch.device(…):` or `torch.set_default_device` says; PyTorch's own answer makes a tensor."""
    modes = (mode for mode in reversed(_get_current_function_mode_stack()) if isinstance(mode, DeviceContext))
    mode = next(modes, None)
    return None if mode is None else mode.device


def _moved(tensor: Tensor, host: Tensor, result: Tensor, to_cuda: bool) -> Tensor:
    """Return what a move gives: a copy if the device is another, else the tensor as it is.

    Args:
        tensor: what is moved.
        host: its memory as the host's.
        result: the same, or a copy of it, of another type maybe.
        to_cuda: where it goes.
    """
    stays = isinstance(tensor, CudaTensor) == to_cuda
    if result is host:
        if stays:
            return tensor
        result = host.clone()
    return on_cuda(result) if to_cuda else result


def _to(move: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return `Tensor.to` for both devices."""

    @functools.wraps(move)
    def to(self: Tensor, *arguments: Any, **named: Any) -> Tensor:
        asked = named.get("device", named.get("other", arguments[0] if arguments else None))
        if isinstance(asked, Tensor):
            to_cuda = isinstance(asked, CudaTensor)
        elif isinstance(asked, (str, int, torch.device)) and not isinstance(asked, bool):
            to_cuda = names_cuda(asked)
            where = HOST if to_cuda else asked
            if "device" in named:
                named["device"] = where
            else:
                arguments = (where, *arguments[1:])
        else:
            to_cuda = isinstance(self, CudaTensor)
        host = on_host(self)
        result = move(host, *host_arguments(arguments), **host_arguments(named))
        return _moved(self, host, result, to_cuda)

    return to


def _cuda(self: Tensor, device: Any = None, non_blocking: bool = False, **named: Any) -> Tensor:
    """Return the tensor on CUDA: a copy, or itself if it is there."""
    names_cuda(0 if device is None else device)
    host = on_host(self)
    return _moved(self, host, host, to_cuda=True)


def _cpu(self: Tensor, **named: Any) -> Tensor:
    """Return the tensor on the host: a copy, or itself if it is there."""
    host = on_host(self)
    return _moved(self, host, host, to_cuda=False)


def _type(of_host: Callable[..., Any]) -> Callable[..., Any]:
    """Return `Tensor.type`, which takes the names of CUDA's types too."""

    @functools.wraps(of_host)
    def type_of(self: Tensor, dtype: Any = None, *arguments: Any, **named: Any) -> Any:
        named_cuda = "torch.cuda." in (dtype if isinstance(dtype, str) else getattr(dtype, "__module__", "") + ".")
        return converted(self, dtype) if dtype is not None and named_cuda else of_host(self, dtype, *arguments, **named)

    return type_of


def _pin_memory(self: Tensor, device: Any = None) -> Tensor:
    """Return the tensor in page-locked memory, which the host has none of: a copy that says it is."""
    if isinstance(self, CudaTensor):
        raise RuntimeError(f"cannot pin '{self.type()}' only dense CPU tensors can be pinned")
    if _is_pinned(self):
        return self
    pinned = self.clone()
    pinned._trtflow_pinned = True  # type: ignore[attr-defined]
    return pinned


def _is_pinned(self: Tensor, device: Any = None) -> bool:
    return getattr(self, "_trtflow_pinned", False)


def _apply(apply: Callable[..., torch.nn.Module]) -> Callable[..., torch.nn.Module]:
    """Return `Module._apply`, by which modules move: parameters say afterwards where they are."""

    @functools.wraps(apply)
    def applied(self: torch.nn.Module, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> torch.nn.Module:
        for child in self.children() if recurse else ():
            child._apply(fn)
        moved: dict[int, bool] = {}

        def noted(tensor: Tensor) -> Tensor:
            result = fn(tensor)
            moved[id(tensor)] = isinstance(result, CudaTensor)
            # of the same kind, so that a parameter takes it as its data
            return on_host(result) if isinstance(tensor, torch.nn.Parameter) else result

        result = apply(self, noted, False)
        for parameter in self._parameters.values():
            if parameter is not None and id(parameter) in moved and type(parameter) in _PARAMETERS:
                parameter.__class__ = CudaParameter if moved[id(parameter)] else torch.nn.Parameter
        return result

    return applied
