"""The runtime, which loads plans."""

from __future__ import annotations

from typing import Any

from trtflow.reference.errors import DeviceError
from trtflow.reference.record.allocators import IGpuAllocator, checked_allocator
from trtflow.reference.record.answers import Reporter, answers
from trtflow.reference.record.enums import TempfileControlFlag
from trtflow.reference.record.plugins import IPluginRegistry, get_plugin_registry
from trtflow.reference.record.scope import Scope
from trtflow.reference.record.values import ILogger
from trtflow.reference.run.engine import ICudaEngine


class Runtime(Scope, Reporter):
    """Loads plans.

    Attributes:
        gpu_allocator: gives the memory of engines and of their contexts; it can only be set.
        max_threads, engine_host_code_allowed, temporary_directory, tempfile_control_flags: only recorded.
        DLA_core: there is none, so it stays 0.
    """

    read_only = ("logger", "num_DLA_cores")
    num_DLA_cores = 0  # noqa: N815 - TensorRT's name

    def __init__(self, logger: ILogger) -> None:
        super().__init__(logger)
        self.logger = logger
        self.max_threads = 1
        self.engine_host_code_allowed = False
        self.temporary_directory: str | None = None
        flags = (TempfileControlFlag.ALLOW_IN_MEMORY_FILES, TempfileControlFlag.ALLOW_TEMPORARY_FILES)
        self.tempfile_control_flags = sum(1 << int(flag) for flag in flags)
        self._allocator: IGpuAllocator | None = None

    def _set_allocator(self, allocator: IGpuAllocator | None) -> None:
        self._allocator = checked_allocator(allocator, IGpuAllocator, "Runtime.gpu_allocator")

    gpu_allocator = property(None, _set_allocator, doc="Gives the memory of engines; it can only be set.")

    @property
    def DLA_core(self) -> int:  # noqa: N802 - TensorRT's name
        """The DLA that engines run on: there is none."""
        return 0

    @DLA_core.setter
    def DLA_core(self, core: int) -> None:  # noqa: N802
        if core:
            self._error(f"DLA core {core}, but there is no DLA. Leave DLA_core at 0.")

    @answers(None)
    def deserialize_cuda_engine(self, serialized_engine: Any) -> ICudaEngine | None:
        """Return the engine of a plan; None, and a message in the log, where it is damaged or of another version.

        Args:
            serialized_engine: anything that gives its bytes away, as IHostMemory does.

        Raises:
            TypeError: it does not.
        """
        if serialized_engine is None:
            raise TypeError(
                "deserialize_cuda_engine() takes the bytes of a plan, not None. Where that came from "
                "build_serialized_network, the build failed: its error is in the log."
            )
        engine = ICudaEngine(bytes(memoryview(serialized_engine)), self.logger, self._allocator)
        engine.error_recorder = self.error_recorder
        return engine

    def load_runtime(self, path: str) -> Runtime:
        """Refuse to load a lean runtime.

        Raises:
            DeviceError: always.
        """
        raise DeviceError(f"load_runtime({path!r})", "Load the plan with this runtime.")

    def get_plugin_registry(self) -> IPluginRegistry:
        """Return the registry that all networks share."""
        return get_plugin_registry()
