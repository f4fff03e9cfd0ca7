"""Tensors and parameters that say cuda:0 and lie in the host's memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import get_default_nowrap_functions

HOST = torch.device("cpu")
CUDA = torch.device("cuda", 0)
# functions that take tensors of two devices on a GPU too
_ANY_DEVICE: set[Callable[..., Any]] = {
    Tensor.copy_, Tensor.data.__set__, Tensor.grad.__set__,  # type: ignore[attr-defined, union-attr]
    Tensor.__getitem__, Tensor.__setitem__, Tensor.index_put_,
    Tensor.index_put, Tensor.type_as, Tensor.to, Tensor.set_, torch._has_compatible_shallow_copy_type,
    Tensor.is_set_to, torch.is_same_size, Tensor.is_same_size, Tensor.expand_as, Tensor.view_as, Tensor.reshape_as,
}  # fmt: skip


_AS_SUBCLASS = Tensor.as_subclass  # which libraries that record what a module computes replace


def names_cuda(device: Any) -> bool:
    """Whether an argument for a device means CUDA's: a number, "cuda:0", a torch.device.

    Raises:
        RuntimeError: it means one that is not there, in PyTorch's words.
    """
    if device is None or isinstance(device, bool):
        return False
    if isinstance(device, int):
        device = torch.device("cuda", device)
    elif isinstance(device, str):
        device = torch.device(device)
    if not isinstance(device, torch.device) or device.type != "cuda":
        return False
    if device.index:
        raise RuntimeError(f"CUDA error: invalid device ordinal: {device}; there is cuda:0 alone")
    return True


def on_cuda(tensor: Tensor) -> Tensor:
    """Return a tensor's memory as CUDA's."""
    return tensor if isinstance(tensor, CudaTensor) else _as(tensor, CudaTensor)


def on_host(tensor: Tensor) -> Tensor:
    """Return a tensor's memory as the host's."""
    return _as(tensor, Tensor) if isinstance(tensor, CudaTensor) else tensor


def _as(tensor: Tensor, kind: type[Tensor]) -> Tensor:
    with torch._C.DisableTorchFunctionSubclass():
        return _AS_SUBCLASS(tensor, kind)


def host_arguments(values: Any) -> Any:
    """Return arguments, nested as they are, with all of CUDA's tensors and devices as the host's."""
    if isinstance(values, CudaTensor):
        return on_host(values)
    if isinstance(values, torch.device):
        return HOST if names_cuda(values) else values
    if isinstance(values, dict):
        return {key: host_arguments(value) for key, value in values.items()}
    if type(values) in (list, tuple):
        return type(values)(host_arguments(value) for value in values)
    return values


class _Given:
    """Tensors whose addresses were asked for lately: as many as a script has bindings, and not too much memory."""

    most, most_bytes = 256, 1 << 30

    def __init__(self) -> None:
        self._kept: deque[Tensor] = deque()
        self._bytes = 0

    def keep(self, tensor: Tensor) -> None:
        """Hold a tensor until many others have come."""
        self._kept.append(tensor)
        self._bytes += tensor.nbytes
        while len(self._kept) > self.most or (self._bytes > self.most_bytes and len(self._kept) > 1):
            self._bytes -= self._kept.popleft().nbytes


GIVEN = _Given()
SAVED: set[int] = set()  # addresses of CUDA's memory that is being saved


class CudaTensor(Tensor):
    """A tensor of the device cuda:0."""

    # Tensor's own, whatever a library that records calls puts in its place
    __torch_dispatch__ = torch._C._disabled_torch_dispatch_impl

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Compute as on the host; what comes of tensors of CUDA's is CUDA's, unless a device is asked for."""
        named = dict(kwargs or {})
        asked = named.get("device")
        if asked is not None:
            named["device"] = HOST if names_cuda(asked) else asked
        if func not in _ANY_DEVICE:
            _refuse_two_devices(func, (args, named))
        with torch._C.DisableTorchFunctionSubclass():
            result = func(*args, **named)
        if func in get_default_nowrap_functions():  # the gradient, which is to stay the same object
            if type(result) is Tensor:
                result.__class__ = CudaTensor
            return result
        if asked is not None and not names_cuda(asked):
            return result
        return _all_on_cuda(result)

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        """cuda:0."""
        return CUDA

    @property
    def is_cuda(self) -> bool:  # type: ignore[override]
        """True."""
        return True

    @property
    def is_cpu(self) -> bool:  # type: ignore[override]
        """False."""
        return False

    def get_device(self) -> int:
        """Return the device's number."""
        return 0

    def numpy(self, *, force: bool = False) -> Any:
        """Return a copy as an array where that is forced.

        Raises:
            TypeError: it is not, as for every tensor on a GPU.
        """
        if not force:
            raise TypeError(
                "can't convert cuda:0 device type tensor to numpy. "
                "Use Tensor.cpu() to copy the tensor to host memory first."
            )
        return on_host(self.detach()).clone().numpy()

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.numpy()

    def type(self, dtype: Any = None, non_blocking: bool = False, **kwargs: Any) -> Any:
        """Return the name of the type, or the tensor as another."""
        if dtype is None:
            return on_host(self).type().replace("torch.", "torch.cuda.", 1)
        return converted(self, dtype)

    def record_stream(self, stream: Any) -> None:
        """Do nothing: what a stream is given is done when the call returns."""

    def __format__(self, format_spec: str) -> str:
        return format(on_host(self.detach()), format_spec) if not self.ndim else object.__format__(self, format_spec)

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        shown = repr(on_host(self.detach()))
        return f"{shown[:-1]}, device='cuda:0')" if shown.startswith("tensor(") else shown

    def __reduce_ex__(self, proto: Any) -> Any:
        """Be saved as any tensor is: a file can be read without this package."""
        host = on_host(self)
        SAVED.add(host.untyped_storage().data_ptr())
        return host.__reduce_ex__(proto)

    def data_ptr(self) -> int:
        """Return the address of the first element.

        The memory is kept for a while: scripts take addresses of tensors that nobody else holds, as that of
        `tensor.contiguous()`, which PyTorch's allocator on a GPU does not give out again at once.
        """
        host = on_host(self)
        GIVEN.keep(host)
        return host.data_ptr()


class CudaParameter(CudaTensor, torch.nn.Parameter):
    """A parameter of a module on the device cuda:0."""

    def __reduce_ex__(self, proto: Any) -> Any:
        SAVED.add(on_host(self).untyped_storage().data_ptr())
        return torch.nn.Parameter(on_host(self.detach()), self.requires_grad).__reduce_ex__(proto)

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"Parameter containing:\n{self.detach()!r}"


def _all_on_cuda(values: Any) -> Any:
    """Return results, nested as they are, with all tensors as CUDA's."""
    if isinstance(values, Tensor):
        return on_cuda(values)
    if isinstance(values, tuple) and hasattr(values, "_fields"):
        return type(values)(*map(_all_on_cuda, values))
    if isinstance(values, (list, tuple)):
        return type(values)(map(_all_on_cuda, values))
    return values


def converted(tensor: Tensor, dtype: Any) -> Tensor:
    """Return a tensor as another type, which may name a device: torch.float16, "torch.cuda.FloatTensor"."""
    name = dtype if isinstance(dtype, str) else f"{getattr(dtype, '__module__', '')}.{getattr(dtype, '__name__', '')}"
    if isinstance(dtype, torch.dtype) or "Tensor" not in name:
        return on_cuda(on_host(tensor).to(dtype)) if isinstance(tensor, CudaTensor) else tensor.to(dtype)
    host = on_host(tensor)
    moved = Tensor.type(host, name.replace("torch.cuda.", "torch."))
    if not name.startswith("torch.cuda."):
        return moved.clone() if moved is host and isinstance(tensor, CudaTensor) else moved
    return on_cuda(moved.clone() if moved is host and not isinstance(tensor, CudaTensor) else moved)


def _refuse_two_devices(func: Callable[..., Any], values: Any) -> None:
    """Refuse what a GPU refuses: tensors of both devices in one operation."""
    found = list(_tensors(values))
    if len(found) < 2 or not any(isinstance(tensor, CudaTensor) for tensor in found):
        return
    if any(not isinstance(tensor, CudaTensor) and tensor.ndim for tensor in found):
        raise RuntimeError(
            "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu! "
            f"(in {getattr(func, '__name__', func)})"
        )


def _tensors(values: Any) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, dict):
        for value in values.values():
            yield from _tensors(value)
    elif isinstance(values, (list, tuple)):
        for value in values:
            yield from _tensors(value)
