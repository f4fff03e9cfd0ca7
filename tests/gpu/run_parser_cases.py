"""Take Caffe and UFF models through a TensorRT, and compare with what the framework of each answers.

python3.10 tests/gpu/run_parser_cases.py FOLDER --out verdicts.json

For the engine's Python: numpy, tensorrt and pycuda. FOLDER is of tests/gpu/make_parser_cases.py. Engines are float32,
without TF32. The file has by case the largest difference of its output, over the output's largest value, or the error.
It ends with 1 where one is over 1e-4.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from trtflow.formats import UserError
from trtflow.formats.files import write_text
from trtflow.runtime.backend import load
from trtflow.runtime.build import Settings, build_plan
from trtflow.runtime.entry import engine_of
from trtflow.runtime.model_file import ModelFile
from trtflow.runtime.session import Session

LIMIT = 1e-4
NAMES = ("form", "path", "deploy", "inputs", "outputs", "as_caffe")


def difference(backend: str, case: Path) -> float:
    """Return how far the output of an engine is off, over the output's largest value."""
    trt = load(backend)
    values = json.loads(case.read_text())
    file = ModelFile.from_json({name: values[name] for name in NAMES}, case.parent)
    with np.load(case.with_suffix(".npz")) as arrays:
        feeds = {name[3:]: arrays[name] for name in arrays if name.startswith("in:")}
        (wanted,) = (arrays[name] for name in arrays if name.startswith("out:"))
    plan = build_plan(trt, file.define, "fp32", len(wanted), Settings(optimization_level=0))
    with Session(trt, engine_of(trt, plan)) as session:
        found = session.run(feeds)[file.outputs[0]]
    return float(np.abs(found.reshape(wanted.shape) - wanted).max() / np.abs(wanted).max())


def main() -> None:
    """Run all cases."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--backend", choices=["tensorrt", "reference"], default="tensorrt")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    options = arguments.parse_args()
    verdicts: dict[str, float | str] = {}
    for case in sorted(options.folder.glob("*.json")):
        try:
            verdicts[case.stem] = difference(options.backend, case)
        except UserError as error:
            verdicts[case.stem] = str(error)
        print(f"{case.stem}: {verdicts[case.stem]}", flush=True)
    write_text(options.out, json.dumps(verdicts, indent=1))
    wrong = [name for name, verdict in verdicts.items() if isinstance(verdict, str) or not verdict <= LIMIT]
    print(f"{len(verdicts) - len(wrong)} of {len(verdicts)} within {LIMIT:g}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
