"""Take ONNX models through a TensorRT: parse, build, run, and compare with the answers that are expected.

python3.10 tests/gpu/run_migrated.py FOLDER --out verdicts.json

For the engine's Python: numpy, tensorrt and pycuda. FOLDER holds NAME.onnx and NAME.npz, as
tests/gpu/make_migration_cases.py writes them; a model with quantize layers is built in INT8, any other in float32
without TF32. The file has by NAME: `parsed`, `errors`, `built`, `passed`, and of each output how far it was off. It
ends with 1 where a model did not do what it should. Where a model has ended the process, the same command goes on
behind it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from trtflow.formats import UserError  # noqa: E402
from trtflow.formats.files import write_text  # noqa: E402
from trtflow.runtime.backend import load  # noqa: E402
from trtflow.runtime.build import Settings, build_plan  # noqa: E402
from trtflow.runtime.entry import create_builder, engine_of  # noqa: E402
from trtflow.runtime.session import Session  # noqa: E402

FP32_LIMIT, INT8_LIMIT = 1e-4, 0.02  # of an output's largest value: the largest difference, in INT8 the mean
SCORE, CORNER, UNMATCHED = 1e-3, 1e-3, 0.02  # of detections
ENDED = {"parsed": False, "errors": ["the process ended here"], "built": False, "passed": False, "int8": False}
PROPOSALS = "rois"  # output [N, 1, K, 4], whose rows others [N, K, …] follow; nearly equal scores swap them
DETECTION = 7  # values of one: picture, label, score, box


def parse(trt: ModuleType, path: Path) -> tuple[bool, list[str], bool]:
    """Return whether the parser takes a model, what it objects to, and whether the model quantises itself."""
    logger = trt.Logger(trt.Logger.ERROR)
    trt.init_libnvinfer_plugins(logger, "")
    builder = create_builder(trt, logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
    parser = trt.OnnxParser(network, logger)
    taken = bool(parser.parse_from_file(str(path)))
    errors = [str(parser.get_error(index)) for index in range(parser.num_errors)]
    kinds = {network.get_layer(index).type for index in range(network.num_layers)} if taken else set()
    return taken, errors, bool(kinds & {trt.LayerType.QUANTIZE, trt.LayerType.DEQUANTIZE})


def build(trt: ModuleType, path: Path, int8: bool, feeds: dict[str, Any]) -> bytes:
    """Return the plan of a model for these inputs; errors as of `build_plan`."""
    batch = max(len(array) for array in feeds.values())

    def define(trt: ModuleType, network: Any) -> None:
        parser = trt.OnnxParser(network, trt.Logger(trt.Logger.ERROR))
        if not parser.parse_from_file(str(path)):
            raise UserError(f"{path}: {parser.get_error(0)}")
        for tensor in (network.get_input(index) for index in range(network.num_inputs)):
            if -1 in tuple(tensor.shape)[1:]:  # more than the batch is open: fixed at what is fed
                tensor.shape = feeds[tensor.name].shape

    def configure(trt: ModuleType, config: Any) -> None:
        config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED

    settings = Settings(optimization_level=1)  # agreement is looked at, not speed
    precision = "int8" if int8 else "fp32"
    return build_plan(trt, define, precision, batch, settings=settings, explicit_batch=True, configure=configure)


def differences(found: dict[str, Any], wanted: dict[str, Any], int8: bool) -> dict[str, dict[str, Any]]:
    """Return for each output how far it is off, and whether that is within the limit."""
    told: dict[str, dict[str, Any]] = {}
    if PROPOSALS in wanted and found[PROPOSALS].shape == wanted[PROPOSALS].shape:
        found, wanted, unmatched = _matched(found, wanted)
        told["proposals"] = {"passed": bool(unmatched <= (1 if int8 else UNMATCHED)), "unmatched": unmatched}
    for name, values in wanted.items():
        if found[name].shape != values.shape:
            told[name] = {"passed": False, "shape": list(found[name].shape), "wanted": list(values.shape)}
        elif values.ndim == 4 and values.shape[1::2] == (1, DETECTION):
            unmatched = max(_unmatched(*pictures) for pictures in zip(found[name], values, strict=True))
            told[name] = {"passed": bool(unmatched <= (1 if int8 else UNMATCHED)), "unmatched": unmatched}
        else:
            apart = np.abs(found[name].astype(np.float64) - values) / max(float(np.abs(values).max(initial=0)), 1e-12)
            off, limit = (apart.mean(), INT8_LIMIT) if int8 else (apart.max(), FP32_LIMIT)
            told[name] = {"passed": bool(off <= limit), "largest": float(apart.max()), "mean": float(apart.mean())}
    return told


def _matched(found: dict[str, Any], wanted: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], float]:
    """Return the rows of outputs that follow proposals, of those proposals that both have, in the order that is wanted,
    and the part of the proposals without a partner; outputs of other shapes stay as they are."""
    boxes, theirs = (outputs[PROPOSALS][:, 0] for outputs in (found, wanted))
    apart = np.abs(boxes[:, :, None] - theirs[:, None]).max(axis=-1) / max(float(np.abs(theirs).max()), 1e-12)
    pairs: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])  # of picture and row, theirs and ours
    for picture, distances in enumerate(apart):
        free = set(range(distances.shape[0]))
        for column in range(distances.shape[1]):
            partner = next((row for row in sorted(free) if distances[row, column] <= CORNER), None)
            if partner is not None:
                free.remove(partner)
                pairs[0].append((picture, partner))
                pairs[1].append((picture, column))
    counted = theirs.shape[:2]
    sides = []
    for outputs, places in zip((found, wanted), pairs, strict=True):
        index = tuple(np.array(places, np.int64).reshape(-1, 2).T)
        rows = {name: array[index] for name, array in outputs.items() if array.shape[:2] == counted}
        sides.append(outputs | rows | {PROPOSALS: outputs[PROPOSALS][:, 0][index]})
    return *sides, 1 - len(pairs[1]) / max(np.prod(counted), 1)


def _unmatched(found: np.ndarray, wanted: np.ndarray) -> float:
    """Return the part of one picture's detections [1, K, 7] that has no partner of the same label, score and box."""
    sets = [rows.reshape(-1, DETECTION)[:, 1:] for rows in (found, wanted)]
    ours, theirs = (rows[rows[:, 0] >= 0] for rows in sets)
    limits = np.array([0, SCORE, *[CORNER] * 4])
    free = list(range(len(ours)))
    for row in theirs:
        partner = next((place for place in free if (np.abs(ours[place] - row) <= limits).all()), None)
        if partner is not None:
            free.remove(partner)
    most = max(len(ours), len(theirs))
    return (most - (len(ours) - len(free))) / most if most else 0.0


def verdict(trt: ModuleType, path: Path) -> dict[str, Any]:
    """Return what became of a model."""
    taken, errors, int8 = parse(trt, path)
    told: dict[str, Any] = {"parsed": taken, "errors": errors, "built": False, "passed": False, "int8": int8}
    cases = path.with_suffix(".npz")
    if not taken or not cases.exists():
        return told
    with np.load(cases) as stored:
        arrays = {key: stored[key] for key in stored.files}
    feeds, wanted = (
        {key[len(part) :]: array for key, array in arrays.items() if key.startswith(part)} for part in ("in:", "out:")
    )
    try:
        plan = build(trt, path, int8, feeds)
        told["built"] = True
        with Session(trt, engine_of(trt, plan)) as session:
            told["outputs"] = differences(session.run(feeds), wanted, int8)
    except Exception as error:  # a verdict on one leaves the others
        told["errors"].append(f"{type(error).__name__}: {error}")
        return told
    told["passed"] = all(output["passed"] for output in told["outputs"].values())
    return told


def main() -> int:
    """Write the verdicts; return 1 where a model did not do what it should."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--backend", default="tensorrt", help="tensorrt on a GPU, or reference")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    options = arguments.parse_args()
    trt = load(options.backend)
    forms = options.folder / "forms.json"
    expected: dict[str, bool] = json.loads(forms.read_text()) if forms.exists() else {}
    verdicts: dict[str, Any] = json.loads(options.out.read_text()) if options.out.exists() else {}
    wrong = []
    for path in sorted(options.folder.glob("*.onnx")):
        if path.stem not in verdicts:
            verdicts[path.stem] = dict(ENDED)
            write_text(options.out, json.dumps(verdicts, indent=1))
            verdicts[path.stem] = verdict(trt, path)
        told = verdicts[path.stem]
        right = told["passed"] if expected.get(path.stem, True) else not told["parsed"]
        wrong += [] if right else [path.stem]
        print(f"{path.stem}: {'as expected' if right else 'NOT AS EXPECTED'} {json.dumps(told)[:400]}", flush=True)
        write_text(options.out, json.dumps(verdicts, indent=1))
    print(f"{len(verdicts) - len(wrong)} of {len(verdicts)} as expected{': not ' if wrong else ''}{', '.join(wrong)}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
