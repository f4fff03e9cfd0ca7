"""The builder configuration: precisions, calibrator, limits."""

from __future__ import annotations

from trtflow.reference.record.calibrators import IInt8Calibrator
from trtflow.reference.record.enums import BuilderFlag, MemoryPoolType


class IBuilderConfig:
    """How an engine is to be built; made by `Builder.create_builder_config`."""

    def __init__(self) -> None:
        self.flags = 1 << BuilderFlag.TF32
        self.int8_calibrator: IInt8Calibrator | None = None
        self.builder_optimization_level = 3
        self._pools = {MemoryPoolType.WORKSPACE: 1 << 30}

    def set_flag(self, flag: BuilderFlag) -> None:
        """Switch a flag on."""
        self.flags |= 1 << flag

    def clear_flag(self, flag: BuilderFlag) -> None:
        """Switch a flag off."""
        self.flags &= ~(1 << flag)

    def get_flag(self, flag: BuilderFlag) -> bool:
        """Whether a flag is on."""
        return bool(self.flags & (1 << flag))

    def set_memory_pool_limit(self, pool: MemoryPoolType, pool_size: int) -> None:
        """Set the limit of a pool in bytes; the reference runtime needs no workspace and only records it."""
        self._pools[MemoryPoolType(pool)] = int(pool_size)

    def get_memory_pool_limit(self, pool: MemoryPoolType) -> int:
        """Return the limit of a pool in bytes."""
        return self._pools[MemoryPoolType(pool)]

    @property
    def max_workspace_size(self) -> int:
        """Limit of the workspace in bytes, by its name before 8.4."""
        return self.get_memory_pool_limit(MemoryPoolType.WORKSPACE)

    @max_workspace_size.setter
    def max_workspace_size(self, size: int) -> None:
        self.set_memory_pool_limit(MemoryPoolType.WORKSPACE, size)
