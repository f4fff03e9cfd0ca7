"""Run ONNX models through TensorRT, and keep what they give.

python3.10 tests/gpu/run_onnx_cases.py --cases FOLDER --out outputs.npz

For the engine's Python: numpy, tensorrt and pycuda. A case is NAME.onnx with a NAME.npz beside it, an array for each
input; its outputs are kept as NAME/OUTPUT. float32, without TF32.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from trtflow.formats import UserError
from trtflow.formats.arrays import write_arrays
from trtflow.runtime.backend import load
from trtflow.runtime.build import Settings, build_plan
from trtflow.runtime.entry import engine_of
from trtflow.runtime.parsers import parse_onnx
from trtflow.runtime.session import Session


def outputs_of(backend: str, model: Path) -> dict[str, np.ndarray]:
    """Return the outputs of a case by name."""
    trt = load(backend)
    with np.load(model.with_suffix(".npz")) as arrays:
        inputs = dict(arrays)
    count = len(next(iter(inputs.values())))

    def define(trt, network):  # type: ignore[no-untyped-def]
        parse_onnx(trt, network, model)

    settings = Settings(optimization_level=1)  # agreement is looked at, not speed
    plan = build_plan(trt, define, "fp32", count, explicit_batch=True, settings=settings)
    return Session(trt, engine_of(trt, plan)).run(inputs)


def main() -> None:
    """Run every case; one that fails leaves the others, no outputs of its own, and a line that says why."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--backend", default="tensorrt", help="tensorrt on a GPU, or reference")
    arguments.add_argument("--cases", type=Path, required=True, help="folder of models and inputs")
    arguments.add_argument("--out", type=Path, required=True, help="npz file to write")
    options = arguments.parse_args()

    kept = {}
    for model in sorted(options.cases.glob("*.onnx")):
        try:
            found = outputs_of(options.backend, model)
        except (UserError, RuntimeError) as error:
            print(f"{model.stem}: {type(error).__name__}: {error}", flush=True)
            continue
        print(f"{model.stem}: {[output.shape for output in found.values()]}", flush=True)
        kept |= {f"{model.stem}/{name}": output for name, output in found.items()}
        write_arrays(options.out, kept)  # after each: a time limit takes what comes after it


if __name__ == "__main__":
    main()
