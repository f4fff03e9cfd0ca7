"""What PyTorch trainings share: repeatable settings and the loop."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR

from trtflow.families.common.schedule import Schedule, keep_loss
from trtflow.progress import track

WARM_UP = 0.15  # of all steps


def prepare_torch(seed: int, threads: int) -> None:
    """Seed PyTorch and make it repeatable: one seed and one number of threads give one result on one machine."""
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    # as use_deterministic_algorithms(True), which imports torch._inductor besides: 3 s, for a compiler that none uses
    torch.set_deterministic_debug_mode("error")
    # Filling memory before it is written would cost a sixth of each step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:  # glibc: keep freed memory, since mapping its pages anew takes a fifth of each step
        m_trim_threshold, m_mmap_max = -1, -4
        mallopt(m_trim_threshold, 2**31 - 1)
        mallopt(m_mmap_max, 0)


def minimise(module: nn.Module, loss_of: Callable[[np.ndarray], Tensor], count: int, schedule: Schedule) -> list[float]:
    """Run Adam on one cycle of learning rates (Smith and Topin, arXiv:1708.07120); return the loss of each step."""
    module.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(module.parameters())
    cycle = OneCycleLR(optimizer, schedule.learning_rate, schedule.steps, pct_start=WARM_UP)
    losses: list[float] = []
    for batch in track(schedule.batches(count), "Training", total=schedule.steps):
        loss = loss_of(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        cycle.step()
        keep_loss(losses, loss.item())
    module.eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return losses
