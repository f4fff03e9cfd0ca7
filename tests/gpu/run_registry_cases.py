"""Run the cases of tests/reference/registry_cases.py through TensorRT's own plugins, and keep what they give.

python3.10 tests/gpu/run_registry_cases.py --out registry.npz

For the engine's Python: numpy, tensorrt and pycuda. tests/gpu/test_registry_plugins.py runs it, and compares. A process
runs several cases, for its first builder takes seconds; a case that ends its process, as for want of a library, costs
its own outputs alone. RPROI_TRT's creator gives all plugins of a process the anchors of the first, so each of its cases
has a process of its own. The file is written after each case, so that whoever is stopped keeps what is done.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/reference")]

import numpy as np  # noqa: E402
from registry_cases import CASES, run  # noqa: E402

from trtflow.formats.arrays import write_arrays  # noqa: E402
from trtflow.formats.files import write_text  # noqa: E402
from trtflow.runtime.backend import load  # noqa: E402

LONGEST = 120  # seconds of a case, and of what a process does once
LOOK = 0.2  # seconds between two looks at what a process has written
ALONE = ("RPROI_TRT",)  # plugins that keep something of the first of their process


def run_here(backend: str, numbers: list[int], folder: Path) -> None:
    """Run cases in this process; write the outputs of each into the folder, or why there are none."""
    trt = load(backend)
    for number in numbers:
        try:
            found = run(trt, CASES[number])
        except Exception as error:  # what fails in one leaves the others
            write_text(folder / f"{number}.txt", f"{type(error).__name__}: {error}")
        else:
            write_arrays(folder / f"{number}.npz", {f"{number}.{index}": array for index, array in enumerate(found)})


class Outputs:
    """What the cases gave so far, in a file.

    Args:
        path: npz file to write.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._kept, self._lock = path, dict[str, np.ndarray](), threading.Lock()

    def take(self, folder: Path, number: int, fault: str) -> None:
        """Add the outputs of a case that ran, or print why it did not.

        Args:
            folder: where its process has written.
            number: of the case.
            fault: of its process, where the case left nothing.
        """
        out, why = folder / f"{number}.npz", folder / f"{number}.txt"
        with self._lock:
            if not out.exists():
                print(f"{CASES[number].name}: {why.read_text() if why.exists() else fault}", flush=True)
                return
            with np.load(out) as arrays:
                found = {key: arrays[key] for key in arrays}
            print(f"{CASES[number].name}: {[output.shape for output in found.values()]}", flush=True)
            self._kept |= found
            write_arrays(self._path, self._kept)


def run_share(backend: str, numbers: list[int], outputs: Outputs) -> None:
    """Run cases in a process, and what is behind one that ends it or hangs in another."""
    while numbers:
        with tempfile.TemporaryDirectory() as name:
            done, fault = _process(backend, numbers, Path(name), outputs)
            if done < len(numbers):
                outputs.take(Path(name), numbers[done], fault)
        numbers = numbers[done + 1 :]


def _process(backend: str, numbers: list[int], folder: Path, outputs: Outputs) -> tuple[int, str]:
    """Run a process for cases and take what each gives; return how many were done, and how it ended."""
    command = [sys.executable, __file__, "--backend", backend, "--only", *map(str, numbers), "--out", str(folder)]
    done, since, stopped = 0, time.monotonic(), False
    with (folder / "stderr").open("w+") as errors:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        ended = False
        while not ended:
            ended = process.poll() is not None
            while done < len(numbers) and any((folder / f"{numbers[done]}.{end}").exists() for end in ("npz", "txt")):
                outputs.take(folder, numbers[done], "")
                done, since = done + 1, time.monotonic()
            if not ended and time.monotonic() - since > LONGEST:
                process.kill()
                stopped = True
            time.sleep(LOOK)
        errors.seek(0)
        last = (errors.read().strip().splitlines() or [""])[-1]
    return done, f"not done in {LONGEST} s" if stopped else f"status {process.returncode}: {last}"


def main() -> None:
    """Run every case; one that fails leaves the others, and no outputs of its own."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--backend", default="tensorrt", help="tensorrt on a GPU, or reference")
    arguments.add_argument("--at-once", type=int, default=4, help="processes")
    arguments.add_argument("--only", type=int, nargs="+", metavar="NUMBER", help="run these in this process")
    arguments.add_argument("--out", type=Path, required=True, help="npz file to write; with --only the folder")
    options = arguments.parse_args()
    if options.only is not None:
        run_here(options.backend, options.only, options.out)
        return
    alone = [[number] for number, case in enumerate(CASES) if case.plugin in ALONE]
    others = [number for number, case in enumerate(CASES) if case.plugin not in ALONE]
    shares = [others[first :: options.at_once] for first in range(options.at_once)] + alone
    outputs = Outputs(options.out)
    with ThreadPoolExecutor(options.at_once) as pool:
        for future in [pool.submit(run_share, options.backend, share, outputs) for share in shares]:
            future.result()


if __name__ == "__main__":
    main()
