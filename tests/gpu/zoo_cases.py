"""Networks of public libraries through TensorRT: what tests/reference/onnx_zoo.py exported, without its weights.

python tests/gpu/zoo_cases.py cut ZOO FOLDER     # here: ZOO is the folder that onnx_zoo.py wrote
python tests/gpu/zoo_cases.py fill FOLDER CASES  # by the workflow's Python: other weights, ONNX Runtime's answers
python3.10 tests/gpu/run_migrated.py CASES --out verdicts.json

What onnx_zoo.py wrote is a gigabyte of random weights; without them it is some megabytes.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import onnxruntime  # noqa: E402
from onnx import numpy_helper  # noqa: E402

from trtflow.formats.skeleton import FLOAT, SUFFIX, cut, fill, read_skeleton, write_skeleton  # noqa: E402

SEED = 0


def cut_all(zoo: Path, folder: Path) -> None:
    """Write each model's skeleton, and its input `x` beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(zoo.glob("*.onnx")):
        model = onnx.load(path)
        arrays = [numpy_helper.to_array(value) for value in model.graph.initializer if value.raw_data]
        floats = {array.tobytes(): array for array in arrays if array.dtype == FLOAT}
        write_skeleton(folder / f"{path.stem}{SUFFIX}", cut(path.read_bytes(), floats.values()))
        shutil.copy(path.with_suffix(".npy"), folder)


def fill_all(folder: Path, cases: Path) -> None:
    """Write each model with weights drawn anew, and NAME.npz: `in:x` and `out:OUTPUT`, what ONNX Runtime answers."""
    cases.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        name = path.name.removesuffix(SUFFIX)
        model, x = fill(read_skeleton(path), SEED), np.load(folder / f"{name}.npy")
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        answers = zip(session.get_outputs(), session.run(None, {"x": x}), strict=True)
        np.savez(cases / f"{name}.npz", **{"in:x": x}, **{f"out:{value.name}": array for value, array in answers})
        (cases / f"{name}.onnx").write_bytes(model)
        print(name, flush=True)


def main() -> None:
    """Cut or fill."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("action", choices=["cut", "fill"])
    arguments.add_argument("source", type=Path)
    arguments.add_argument("target", type=Path)
    options = arguments.parse_args()
    {"cut": cut_all, "fill": fill_all}[options.action](options.source, options.target)


if __name__ == "__main__":
    main()
