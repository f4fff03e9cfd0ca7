"""Ask a TensorRT, or the reference, small questions that documentation leaves open, and keep the answers.

python3.10 tests/gpu/run_answer_probes.py --out answers.json [--models FOLDER] [--share 0/4]

For the engine's Python: numpy, tensorrt and pycuda. Each probe is a function of tests/gpu/answer_probes.py; its answer
is what it returns, or how it failed. The file is written after each, and a second run goes on behind the probe that
ended the first. `--models` are ONNX models whose parser's answers are wanted: errors with code, node and description.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent), str(ROOT / "tests/reference")]

import layer_probes  # noqa: E402, F401 - adds to PROBES
from answer_parts import code_of  # noqa: E402
from answer_probes import PROBES  # noqa: E402

from trtflow.formats.files import write_text  # noqa: E402
from trtflow.runtime.backend import load  # noqa: E402
from trtflow.runtime.entry import create_builder  # noqa: E402


def parser_answer(trt: ModuleType, path: Path) -> dict[str, Any]:
    """Return what the parser of a TensorRT says of a model."""
    logger = trt.Logger(trt.Logger.INTERNAL_ERROR)
    trt.init_libnvinfer_plugins(logger, "")
    network = create_builder(trt, logger).create_network(1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
    parser = trt.OnnxParser(network, logger)
    taken = bool(parser.parse(path.read_bytes()))
    errors = [parser.get_error(index) for index in range(parser.num_errors)]
    told = [{"code": code_of(error), "node": error.node(), "desc": error.desc()} for error in errors]
    return {"parsed": taken, "errors": told}


def main() -> None:
    """Ask what was not asked yet."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--backend", default="tensorrt", help="tensorrt on a GPU, or reference")
    arguments.add_argument("--models", type=Path, help="folder of ONNX models for the parser")
    arguments.add_argument("--share", default="0/1", metavar="NUMBER/OF", help="every OF-th question, from NUMBER on")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    options = arguments.parse_args()
    number, of = map(int, options.share.split("/"))
    models = sorted(options.models.glob("*.onnx")) if options.models else []
    asked: list[tuple[str, Any]] = [*PROBES.items(), *((f"parser: {path.stem}", path) for path in models)]
    answers: dict[str, Any] = json.loads(options.out.read_text()) if options.out.exists() else {}
    trt = load(options.backend)
    for name, probe in asked[number::of]:
        if name in answers:
            continue
        answers[name] = {"ended": "the process ended here"}
        write_text(options.out, json.dumps(answers, indent=1))
        try:
            answers[name] = parser_answer(trt, probe) if isinstance(probe, Path) else probe(trt)
        except Exception as error:  # the answer of one leaves the others
            answers[name] = {"failed": f"{type(error).__name__}: {error}"}
        write_text(options.out, json.dumps(answers, indent=1))
        print(f"{name}: {json.dumps(answers[name])[:300]}", flush=True)


if __name__ == "__main__":
    main()
