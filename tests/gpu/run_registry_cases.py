"""Run the cases of tests/reference/registry_cases.py through TensorRT's own plugins, and keep what they give.

python3.10 tests/gpu/run_registry_cases.py --out registry.npz

For the engine's Python: numpy, tensorrt and pycuda. tests/gpu/test_registry_plugins.py runs it, and compares.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/reference")]

from registry_cases import CASES, run  # noqa: E402

from trtflow.formats.arrays import write_arrays  # noqa: E402
from trtflow.runtime.backend import load  # noqa: E402


def main() -> None:
    """Run every case; one that fails leaves the others, and no outputs of its own."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--backend", default="tensorrt", help="tensorrt on a GPU, or reference")
    arguments.add_argument("--out", type=Path, required=True, help="npz file to write")
    options = arguments.parse_args()

    trt, outputs = load(options.backend), {}
    for number, case in enumerate(CASES):
        try:
            found = run(trt, case)
        except Exception as error:
            print(f"{case.name}: {type(error).__name__}: {error}", flush=True)
            continue
        outputs |= {f"{number}.{index}": output for index, output in enumerate(found)}
        print(f"{case.name}: {[output.shape for output in found]}", flush=True)
    write_arrays(options.out, outputs)


if __name__ == "__main__":
    main()
