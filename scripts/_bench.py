"""Engine and PyTorch side by side: each is measured in the Python that has it, one after the other, in one run.

TensorRT 8.6 ends at Python 3.10, so that one Python with both is rare. The script that compares runs under the engine's
Python and starts itself once more under PyTorch's.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trtflow.cli import run_command
from trtflow.formats import UserError
from trtflow.formats.files import write_json

if TYPE_CHECKING:
    import torch


def add_side_options(arguments: argparse.ArgumentParser) -> None:
    """Add the options that say where PyTorch is, and of what; the last one is for its process."""
    arguments.add_argument("--torch-python", default=sys.executable, help="Python with PyTorch")
    arguments.add_argument("--compiled", action="store_true", help="time what torch.compile makes of it too")
    arguments.add_argument(
        "--compile-mode", default="reduce-overhead", help="of torch.compile; this one has CUDA graphs"
    )
    arguments.add_argument("--side", choices=["torch", "compiled"], help=argparse.SUPPRESS)


def measure_sides(
    options: argparse.Namespace, sides: Mapping[str, Callable[[], dict[str, Any]]]
) -> dict[str, dict[str, Any]] | None:
    """Measure `engine` here, and `torch`, and with `--compiled` `compiled`, in PyTorch's Python.

    Args:
        options: with those of `add_side_options`, and `out`, the JSON file to write.
        sides: for each name a function that measures it and returns what JSON can hold.

    Returns:
        what they returned, by name; None in PyTorch's process, which has nothing else to do. Where compiling failed it
        is left out, with a line that says why: its compilers need programs that not every machine has.

    Raises:
        UserError: PyTorch's process failed.
    """
    if options.side:
        write_json(options.out, sides[options.side]())
        return None
    found = {"engine": sides["engine"](), "torch": _measured_by_torch(options, "torch")}
    if options.compiled:
        try:
            found["compiled"] = _measured_by_torch(options, "compiled")
        except UserError as error:
            print(f"torch.compile is left out: {error}", file=sys.stderr)
    return found


def _measured_by_torch(options: argparse.Namespace, side: str) -> dict[str, Any]:
    try:
        return measured_apart(side, options.torch_python)
    except OSError as error:
        raise UserError(f"{options.torch_python}: {error}. Give --torch-python a Python with PyTorch.") from error


def measured_apart(side: str, python: str = sys.executable) -> dict[str, Any]:
    """Return what this script writes for one side, `--side SIDE --out FILE`, in a process of its own.

    Raises:
        OSError: there is no such Python.
        UserError: the process failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "found.json"
        run_command([python, *sys.argv, "--side", side, "--out", str(path)])
        return dict(json.loads(path.read_text()))


def cell(
    inputs: torch.Tensor, states: Sequence[torch.Tensor], weights: Sequence[torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return hidden and cell state of an LSTM's layer one step on, in products, which torch.compile takes apart.

    Args:
        inputs: [N, inputs].
        states: hidden and cell state, [N, units] each.
        weights: as `torch.nn.LSTM` has them: kernels of inputs and states, then their biases; gates i, f, g, o.
    """
    import torch  # noqa: PLC0415 - not in the engine's Python

    sums = torch.nn.functional.linear(inputs, weights[0], weights[2])
    sums = sums + torch.nn.functional.linear(states[0], weights[1], weights[3])
    enter, forget, values, leave = sums.chunk(4, -1)
    memory = forget.sigmoid() * states[1] + enter.sigmoid() * values.tanh()
    return leave.sigmoid() * memory.tanh(), memory


def ratios(rates: Mapping[str, float]) -> dict[str, float]:
    """Return how many times the engine's rate is PyTorch's, eager as `ratio`, and compiled where that was timed."""
    found = {"ratio": rates["engine"] / rates["torch"]}
    return found | ({"ratio_compiled": rates["engine"] / rates["compiled"]} if "compiled" in rates else {})
