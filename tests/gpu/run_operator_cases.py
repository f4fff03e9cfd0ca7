"""Ask a TensorRT, or the reference, about one small model for each operator, element type and form.

python tests/gpu/run_operator_cases.py --pack cases.npz                      # the workflow's Python writes the models
python3.10 tests/gpu/run_operator_cases.py --cases cases.npz --out DIR [--share 0/4]

For the engine's Python: numpy, tensorrt and pycuda. DIR/answers.NUMBER.json has by name what the parser, the builder
and the engine said, and what the outputs are; it is written as it grows, and a second run goes on behind the model that
ended the first. float32 without TF32, optimisation level 0.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent), str(ROOT / "tests/reference")]

import numpy as np  # noqa: E402
from answer_parts import Parts, code_of, plain  # noqa: E402

from trtflow.formats.files import write_text  # noqa: E402
from trtflow.runtime.backend import load  # noqa: E402
from trtflow.runtime.session import Session  # noqa: E402

EVERY = 5.0  # seconds between writing answers
ENDED = {"ended": "the process ended here"}


def pack(path: Path) -> None:
    """Write every case of tests/reference/operator_cases.py as one file."""
    from operator_cases import cases  # noqa: PLC0415 - needs onnx, which the engine's Python has not

    arrays: dict[str, np.ndarray] = {}
    for found in cases():
        arrays[f"{found.name}|"] = np.frombuffer(found.model.SerializeToString(), np.uint8)
        arrays |= {f"{found.name}|{key}": array for key, array in found.feeds.items()}
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]


def unpack(path: Path) -> dict[str, dict[str, np.ndarray]]:
    """Return by name the model's bytes, under "", and the array of each input."""
    found: dict[str, dict[str, np.ndarray]] = {}
    with np.load(path) as arrays:
        for key in arrays.files:
            name, _, part = key.partition("|")
            found.setdefault(name, {})[part] = arrays[key]
    return found


def answer(trt: ModuleType, model: bytes, feeds: dict[str, np.ndarray]) -> dict[str, Any]:
    """Return what became of a model."""
    parts = Parts(trt)
    parser = trt.OnnxParser(parts.network, parts.logger)
    taken = bool(parser.parse(model))
    errors = [parser.get_error(index) for index in range(parser.num_errors)]
    told: dict[str, Any] = {"parsed": taken}
    if errors:
        told["errors"] = [[code_of(error), error.desc()] for error in errors]
    if not taken:
        return told
    told["fed"] = {tensor.name: tensor.dtype.name for tensor in _inputs(parts.network)}
    shapes = [tensor.name for tensor in _inputs(parts.network) if tensor.is_shape_tensor]
    if shapes:
        profile = parts.builder.create_optimization_profile()
        for name in shapes:
            profile.set_shape_input(name, *[feeds[name].ravel().tolist()] * 3)
        parts.config.add_optimization_profile(profile)
    engine = parts.engine()
    told["built"] = engine is not None
    if engine is None:
        told["log"] = parts.told[:3]
    elif shapes:
        told["shapes"] = shapes
    else:
        typed = {name: array.astype(trt.nptype(engine.get_tensor_dtype(name))) for name, array in feeds.items()}
        with Session(trt, engine) as session:
            told["outputs"] = {name: plain(values) for name, values in session.run(typed).items()}
    return told


def _inputs(network: Any) -> list[Any]:
    return [network.get_input(index) for index in range(network.num_inputs)]


def ask(trt: ModuleType, cases: dict[str, dict[str, np.ndarray]], out: Path) -> None:
    """Ask what was not asked yet."""
    answers: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {}
    under_way = out.with_suffix(".under_way")
    if under_way.exists():
        answers[under_way.read_text()] = ENDED
    written = time.monotonic()
    for name, arrays in cases.items():
        if name in answers:
            continue
        under_way.write_text(name)
        feeds = {key: array for key, array in arrays.items() if key}
        try:
            answers[name] = answer(trt, arrays[""].tobytes(), feeds)
        except Exception as error:  # the answer of one leaves the others
            answers[name] = {"failed": f"{type(error).__name__}: {error}"[:400]}
        if time.monotonic() - written > EVERY:
            write_text(out, json.dumps(answers))
            written = time.monotonic()
    write_text(out, json.dumps(answers))
    under_way.unlink(missing_ok=True)


def main() -> None:
    """Pack, or ask."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--pack", type=Path, help="npz file of the cases to write")
    arguments.add_argument("--cases", type=Path, help="npz file of the cases to ask")
    arguments.add_argument("--backend", default="tensorrt", help="tensorrt on a GPU, or reference")
    arguments.add_argument("--share", default="0/1", metavar="NUMBER/OF", help="every OF-th case, from NUMBER on")
    arguments.add_argument("--out", type=Path, help="folder for the answers")
    options = arguments.parse_args()
    if options.pack:
        pack(options.pack)
        return
    options.out.mkdir(parents=True, exist_ok=True)
    number, of = map(int, options.share.split("/"))
    cases = dict(list(unpack(options.cases).items())[number::of])
    ask(load(options.backend), cases, options.out / f"answers.{number}.json")


if __name__ == "__main__":
    main()
