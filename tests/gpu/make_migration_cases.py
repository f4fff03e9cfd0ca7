"""Inputs and expected outputs for migrated models, and models of every form of Q/DQ, for tests/gpu/run_migrated.py.

python tests/gpu/make_migration_cases.py FOLDER [--forms]

For the workflow's Python. Beside each NAME.onnx of the folder goes NAME.npz: `in:INPUT`, drawn with a seed, and
`out:OUTPUT`, ONNX Runtime's answers. With --forms the folder also gets the Q/DQ models of
tests/reference/test_onnx_quantisation.py, and forms.json, which says which of them the reference takes.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/reference")]

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import test_onnx_quantisation as quantisation  # noqa: E402

import trtflow.reference as trt  # noqa: E402
from trtflow.migration.agreement import draw_inputs  # noqa: E402
from trtflow.migration.lowering import run_onnx  # noqa: E402

BATCH = 2


def write_forms(folder: Path) -> dict[str, bool]:
    """Write the models; return by name whether the reference's parser takes each."""
    models = {
        f"convolutions_{rows}_{opset}": quantisation.network_of(rows, opset) for rows, opset in quantisation.FORMS
    }
    models |= {f"zero_point_{name or 'absent'}": quantisation.without_zero(name) for name in ("", "uint8", "int8")}
    models |= dict(quantisation.REFUSED)
    taken = {}
    for name, model in models.items():
        onnx.save(model, folder / f"{name}.onnx")
        parser = trt.OnnxParser(trt.Builder(trt.Logger()).create_network(1), trt.Logger(trt.Logger.INTERNAL_ERROR))
        taken[name] = parser.parse(model.SerializeToString())
    return taken


def main() -> None:
    """Write the cases; a model that ONNX Runtime does not run has none."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--forms", action="store_true", help="write the forms of Q/DQ into the folder first")
    options = arguments.parse_args()
    if options.forms:
        (options.folder / "forms.json").write_text(json.dumps(write_forms(options.folder), indent=1))
    for path in sorted(options.folder.glob("*.onnx")):
        model = onnx.load(path)
        feeds = draw_inputs(model, {}, BATCH, seed=0)
        try:
            results = run_onnx(model, feeds)
        except Exception as error:  # of no common base
            print(f"{path.name}: ONNX Runtime does not run it ({str(error).splitlines()[0]})")
            continue
        named = {f"in:{name}": values for name, values in feeds.items()}
        np.savez(path.with_suffix(".npz"), **named, **{f"out:{name}": values for name, values in results.items()})
        print(f"{path.name}: {', '.join(f'{name} {values.shape}' for name, values in results.items())}")


if __name__ == "__main__":
    main()
