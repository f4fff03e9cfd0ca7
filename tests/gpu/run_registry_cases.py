"""Run the cases of tests/reference/registry_cases.py through TensorRT's own plugins, and keep what they give.

python3.10 tests/gpu/run_registry_cases.py --out registry.npz

For the engine's Python: numpy, tensorrt and pycuda. tests/gpu/test_registry_plugins.py runs it, and compares. Each case
has a process of its own: RPROI_TRT's creator gives all plugins of a process the anchors of the first, and a plugin that
ends its process, as for want of a library, must not take the others along.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/reference")]

import numpy as np  # noqa: E402
from registry_cases import CASES, run  # noqa: E402

from trtflow.formats.arrays import write_arrays  # noqa: E402
from trtflow.runtime.backend import load  # noqa: E402

AT_ONCE = 4  # processes
LONGEST = 120  # seconds of a case


def run_here(backend: str, number: int, out: Path) -> None:
    """Run a case in this process and write its outputs."""
    found = run(load(backend), CASES[number])
    write_arrays(out, {f"{number}.{index}": output for index, output in enumerate(found)})


def outputs_of(backend: str, number: int, folder: Path) -> dict[str, np.ndarray]:
    """Return the outputs of a case; none, and a line that says why, where it fails or its process ends or hangs."""
    name, out = CASES[number].name, folder / f"{number}.npz"
    command = [sys.executable, __file__, "--backend", backend, "--only", str(number), "--out", str(out)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST)
    except subprocess.TimeoutExpired:
        print(f"{name}: not done in {LONGEST} s", flush=True)
        return {}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        print(f"{name}: status {done.returncode}: {last}", flush=True)
        return {}
    with np.load(out) as arrays:
        found = {key: arrays[key] for key in arrays}
    print(f"{name}: {[output.shape for output in found.values()]}", flush=True)
    return found


def main() -> None:
    """Run every case; one that fails leaves the others, and no outputs of its own."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--backend", default="tensorrt", help="tensorrt on a GPU, or reference")
    arguments.add_argument("--only", type=int, metavar="NUMBER", help="run this case alone, in this process")
    arguments.add_argument("--out", type=Path, required=True, help="npz file to write")
    options = arguments.parse_args()
    if options.only is not None:
        run_here(options.backend, options.only, options.out)
        return
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(AT_ONCE) as pool:
        asked = [pool.submit(outputs_of, options.backend, number, Path(folder)) for number in range(len(CASES))]
        found = [future.result() for future in asked]
    write_arrays(options.out, {key: output for case in found for key, output in case.items()})


if __name__ == "__main__":
    main()
