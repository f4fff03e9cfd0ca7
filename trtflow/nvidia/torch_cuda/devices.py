"""`torch.cuda`: its device, streams and events, as the stand-ins for PyCUDA and cuda-python have them."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch

from trtflow.nvidia.host import MEMORY
from trtflow.nvidia.patches import Patches
from trtflow.nvidia.pycuda.contexts import CAPABILITY, Device, get_version, init
from trtflow.nvidia.torch_cuda.tensors import names_cuda

_MEMORY_COUNTS = (
    "memory_allocated", "max_memory_allocated", "memory_reserved", "max_memory_reserved", "memory_cached",
    "max_memory_cached",
)  # fmt: skip
_NOTHING = (
    "init", "synchronize", "empty_cache", "ipc_collect", "reset_peak_memory_stats", "reset_max_memory_allocated",
    "manual_seed", "manual_seed_all", "seed", "seed_all", "set_rng_state", "set_rng_state_all",
    "set_per_process_memory_fraction",
)  # fmt: skip


class Stream:
    """A stream: what it is given is done when the call returns.

    Attributes:
        cuda_stream: its handle, 0 of the default stream.
    """

    _handles = 0

    def __init__(self, device: Any = None, priority: int = 0, **kwargs: Any) -> None:
        Stream._handles += 1
        self.cuda_stream = kwargs.get("stream_ptr", Stream._handles)
        self.priority, self.device = priority, torch.device("cuda", 0)

    def synchronize(self) -> None:
        """Return at once."""

    def query(self) -> bool:
        """Return that all is done."""
        return True

    def wait_stream(self, stream: Any) -> None:
        """Return at once."""

    def wait_event(self, event: Any) -> None:
        """Return at once."""

    def record_event(self, event: Event | None = None) -> Event:
        """Note the time in an event, a new one where none is given."""
        event = Event() if event is None else event
        event.record(self)
        return event

    @property
    def _as_parameter_(self) -> int:
        return self.cuda_stream

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *error: object) -> None:
        pass


class ExternalStream(Stream):
    """A stream of another library.

    Args:
        stream_ptr: its handle.
    """

    def __init__(self, stream_ptr: int, device: Any = None, **kwargs: Any) -> None:
        super().__init__(device, stream_ptr=stream_ptr)


DEFAULT = Stream(stream_ptr=0)


class Event:
    """When something was done."""

    def __init__(self, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False) -> None:
        self._timed, self._seconds = enable_timing, float("nan")

    def record(self, stream: Any = None) -> None:
        """Note the time."""
        self._seconds = time.perf_counter()

    def synchronize(self) -> None:
        """Return at once."""

    def wait(self, stream: Any = None) -> None:
        """Return at once."""

    def query(self) -> bool:
        """Return that it is done."""
        return True

    def elapsed_time(self, end_event: Event) -> float:
        """Return the milliseconds to a later event.

        Raises:
            RuntimeError: one of the two was not recorded, or does not time.
        """
        if not (self._timed and end_event._timed):
            raise ValueError("Both events must be created with argument 'enable_timing=True'.")
        milliseconds = (end_event._seconds - self._seconds) * 1000
        if math.isnan(milliseconds):
            raise ValueError("Both events must be recorded before calculating elapsed time.")
        return milliseconds


def give_device(patches: Patches) -> None:
    """Let `torch.cuda` answer for one device."""
    cuda = torch.cuda
    init()
    version = ".".join(map(str, get_version()[:2]))
    patches.set(torch.version, "cuda", version)
    answers = {
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "set_device": _set_device,
        "get_device_name": lambda device=None: Device(0).name(),
        "get_device_capability": lambda device=None: CAPABILITY,
        "get_device_properties": _properties,
        "get_arch_list": lambda: ["sm_{}{}".format(*CAPABILITY)],
        "is_bf16_supported": lambda *arguments, **named: True,
        "can_device_access_peer": lambda device, peer_device: False,
        "mem_get_info": lambda device=None: (MEMORY.total() - MEMORY.used, MEMORY.total()),
        "memory_summary": lambda *arguments, **named: f"{MEMORY.used} bytes of the stand-ins' memory are taken",
        "utilization": lambda device=None: 0,
        "current_stream": lambda device=None: DEFAULT,
        "default_stream": lambda device=None: DEFAULT,
        "set_stream": lambda stream: None,
        "stream": contextmanager(_in_stream),
        "device": contextmanager(_in_device),
        "device_of": contextmanager(_in_device),
        "Stream": Stream,
        "ExternalStream": ExternalStream,
        "Event": Event,
        "get_rng_state": lambda device=None: torch.get_rng_state(),
        "get_rng_state_all": lambda: [torch.get_rng_state()],
        "CUDAGraph": _refuse("CUDAGraph"),
        "graph": _refuse("graph"),
        "make_graphed_callables": _refuse("make_graphed_callables"),
    }
    answers |= {name: _answer(0) for name in _MEMORY_COUNTS} | {name: _answer(None) for name in _NOTHING}
    for name, answer in answers.items():
        patches.set(cuda, name, answer)
    patches.set(torch.backends.cudnn, "is_acceptable", _answer(False))  # it would warn that it is not there
    for name in ("range_push", "range_pop", "mark", "range_start", "range_end"):
        patches.set(cuda.nvtx, name, _answer(0))


def _answer(value: Any) -> Any:
    """Return a function of its own that answers a value: PyTorch's compiler tells functions apart by identity."""

    def answer(*arguments: Any, **named: Any) -> Any:
        return value

    return answer


def _set_device(device: Any) -> None:
    names_cuda(device)


def _properties(device: Any = None) -> SimpleNamespace:
    names_cuda(device)
    return SimpleNamespace(
        name=Device(0).name(),
        major=CAPABILITY[0],
        minor=CAPABILITY[1],
        total_memory=MEMORY.total(),
        multi_processor_count=1,
        warp_size=32,
        is_integrated=True,
    )


def _in_stream(stream: Any) -> Iterator[Any]:
    yield stream


def _in_device(device: Any) -> Iterator[None]:
    names_cuda(None if isinstance(device, torch.Tensor) else device)
    yield


def _refuse(name: str) -> Any:
    def refused(*arguments: Any, **named: Any) -> None:
        raise RuntimeError(
            f"torch.cuda.{name}: no graph is captured on a CPU. Run the script where there is a GPU, or without."
        )

    return refused
