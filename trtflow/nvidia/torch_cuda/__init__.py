"""`torch.cuda` on the host: a tensor on the device cuda is one of PyTorch's in the host's memory that says cuda:0.

Engines are given `tensor.data_ptr()`, which the reference runtime reads and writes as any other address. What differs
between devices is as on a GPU: a move is a copy, `numpy()` of a device's tensor is refused, and so is an operation on
tensors of two devices.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from trtflow.nvidia.patches import Patches


def patch_torch(patches: Patches, torch: ModuleType) -> None:
    """Give PyTorch, which has just been loaded, one CUDA device: the host."""
    # these import PyTorch themselves, so they cannot be loaded before it
    from trtflow.nvidia.torch_cuda.devices import give_device  # noqa: PLC0415
    from trtflow.nvidia.torch_cuda.exporting import of_host  # noqa: PLC0415
    from trtflow.nvidia.torch_cuda.files import give_files  # noqa: PLC0415
    from trtflow.nvidia.torch_cuda.moves import give_moves  # noqa: PLC0415

    give_device(patches)
    give_moves(patches)
    give_files(patches)
    patches.set(torch, "compile", _compile)
    for module, name in ((torch.jit, "trace"), (torch.jit, "script"), (torch.export, "export")):
        patches.set(module, name, of_host(getattr(module, name)))


def _compile(model: Any = None, **options: Any) -> Any:
    """Return the module or function as it is: it computes the same, and PyTorch would compile for a GPU."""
    return _compile if model is None else model


def patch_onnx(patches: Patches, onnx: ModuleType) -> None:
    """Let `torch.onnx`, which PyTorch loads when it is asked for, take modules that are on CUDA."""
    from trtflow.nvidia.torch_cuda.exporting import of_host  # noqa: PLC0415

    patches.set(onnx, "export", of_host(onnx.export))


HOOKS = {"torch": patch_torch, "torch.onnx": patch_onnx}
