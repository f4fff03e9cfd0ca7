"""Run the cases of tests/reference/registry_cases.py through TensorRT's own plugins, and keep what they give.

python3.10 tests/gpu/run_registry_cases.py --out registry.npz

For the engine's Python: numpy, tensorrt and pycuda. tests/gpu/test_registry_plugins.py runs it, and compares. Each case
has a process of its own: RPROI_TRT's creator gives all plugins of a process the anchors of the first.
"""

from __future__ import annotations

import argparse
import sys
from multiprocessing import get_context
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/reference")]

import numpy as np  # noqa: E402
from registry_cases import CASES, run  # noqa: E402

from trtflow.formats.arrays import write_arrays  # noqa: E402
from trtflow.runtime.backend import load  # noqa: E402

AT_ONCE = 4  # processes


def outputs_of(task: tuple[str, int]) -> list[np.ndarray]:
    """Return the outputs of a case, by backend and number; none, and a line that says why, where it fails."""
    backend, number = task
    case = CASES[number]
    try:
        found = run(load(backend), case)
    except Exception as error:
        print(f"{case.name}: {type(error).__name__}: {error}", flush=True)
        return []
    print(f"{case.name}: {[output.shape for output in found]}", flush=True)
    return found


def main() -> None:
    """Run every case; one that fails leaves the others, and no outputs of its own."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--backend", default="tensorrt", help="tensorrt on a GPU, or reference")
    arguments.add_argument("--out", type=Path, required=True, help="npz file to write")
    options = arguments.parse_args()

    tasks = [(options.backend, number) for number in range(len(CASES))]
    with get_context("spawn").Pool(AT_ONCE, maxtasksperchild=1) as pool:
        found = pool.map(outputs_of, tasks, chunksize=1)
    outputs = {f"{number}.{index}": output for number, case in enumerate(found) for index, output in enumerate(case)}
    write_arrays(options.out, outputs)


if __name__ == "__main__":
    main()
