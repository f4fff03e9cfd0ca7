"""What TensorRT 8.6 answered to 949 models, and what the reference answers: the table of ../shared/cases/onnx.

Run as a program it prints each case on which the two differ, and the numbers:

    ONNX_NODE_TESTS=.../onnx/backend/test/data python tests/reference/onnx_table.py [part of a case's name]

and with --docs it writes docs/operators.md.

ONNX_NODE_TESTS is the folder of that name of the unpacked wheel onnx 1.12.0 (`pip download onnx==1.12.0 --no-deps`).
"""

import collections
import io
import json
import os
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

import trtflow.reference as trt
from trtflow.formats import UserError
from trtflow.reference.record.onnx.catalogue import document, quoted
from trtflow.runtime.session import Session

SHARED = Path(__file__).resolve().parents[3] / "shared" / "cases" / "onnx"
NODE_TESTS = Path(os.environ.get("ONNX_NODE_TESTS", "/nowhere"))
DOCS = Path(__file__).resolve().parents[2] / "docs" / "operators.md"
WRONG = ("wrong_values", "wrong_shape")


class Recorder(trt.Logger):
    """A logger that keeps what it is told."""

    def __init__(self):
        super().__init__(trt.Logger.WARNING)
        self.told = []

    def log(self, severity, message):
        self.told.append((severity, message))


def table():
    """Return TensorRT's answers by case, or None where the file is absent."""
    path = SHARED / "trt86.json"
    return json.loads(path.read_text())["results"] if path.exists() else None


def load(name):
    """Return a case's model as bytes, feeds and wanted outputs by name; None where it is absent."""
    if name.split("/")[0] in ("torch", "extra"):
        return _packed(name)
    folder = NODE_TESTS / name
    return _unpacked(folder) if folder.exists() else None


def _packed(name):
    path = SHARED / "models.zip"
    if not path.exists():
        return None
    base = name.replace("/", "__").replace("|", "__").replace(" ", "_")
    with zipfile.ZipFile(path) as archive:
        model, data = archive.read(f"{base}.onnx"), np.load(io.BytesIO(archive.read(f"{base}.npz")))
    feeds = {key.removeprefix("in:"): data[key] for key in data if key.startswith("in:")}
    return model, feeds, {key.removeprefix("out:"): data[key] for key in data if key.startswith("out:")}


def _unpacked(folder):
    model = (folder / "model.onnx").read_bytes()
    graph = onnx.load_from_string(model).graph
    weights = {tensor.name for tensor in graph.initializer}
    names = [value.name for value in graph.input if value.name not in weights]
    feeds = {name: _read(folder, "input", index) for index, name in enumerate(names)}
    return model, feeds, {value.name: _read(folder, "output", index) for index, value in enumerate(graph.output)}


def _read(folder, kind, index):
    """Return an array, or None for what is no tensor (a sequence, an optional)."""
    tensor = onnx.TensorProto()
    try:
        tensor.ParseFromString((folder / "test_data_set_0" / f"{kind}_{index}.pb").read_bytes())
        return numpy_helper.to_array(tensor)
    except Exception:  # another message under the same name
        return None


def answer(model, feeds, run=True, **attributes):
    """Return ("refused", words), ("build_failed", words) or ("ran", outputs by name), and what was logged."""
    logger = Recorder()
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
    parser = trt.OnnxParser(network, logger)
    for key, value in attributes.items():
        setattr(parser, key, value)
    if not parser.parse(model):
        assert parser.num_errors
        return ("refused", parser.get_error(0).desc()), logger.told
    if not run:
        return ("parsed", {}), logger.told
    config = builder.create_builder_config()
    profile = builder.create_optimization_profile()
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        if -1 in tensor.shape:
            profile.set_shape(tensor.name, *[feeds[tensor.name].shape] * 3)
    config.add_optimization_profile(profile)
    if any(layer.type == trt.LayerType.QUANTIZE for layer in network):
        config.set_flag(trt.BuilderFlag.INT8)
    try:
        plan = builder.build_serialized_network(network, config)
        engine = trt.Runtime(logger).deserialize_cuda_engine(plan)
        with Session(trt, engine) as session:
            return ("ran", {k: np.array(v) for k, v in session.run(feeds).items()}), logger.told
    except UserError as error:
        return ("build_failed", str(error)), logger.told


def differs(wanted, found):
    """Return how outputs differ beyond the table's tolerance, or nothing."""
    for name, array in wanted.items():
        if name not in found:
            return f"no output {name!r}"
        if found[name].shape != array.shape:
            return f"{name}: {found[name].shape} not {array.shape}"
        half = array.dtype == np.float16
        single = array.astype(np.float32) if array.dtype == np.float64 else array  # as TensorRT has float64
        close = np.isclose(
            found[name].astype(np.float64),
            single.astype(np.float64),
            rtol=2e-2 if half else 1e-3,
            atol=2e-2 if half else 1e-5,
            equal_nan=True,
        )
        if not close.all():
            return f"{name}: {(~close).sum()} of {close.size} values differ"
    return ""


def disagreement(name, entry, case):
    """Return how the reference's answer to a case departs from TensorRT's; nothing where it does not."""
    expected = entry["result"]
    (kind, result), told = answer(*case[:2], run=expected != "unknown")
    if expected == "unknown":
        return ""  # TensorRT's answer is not known: any but an exception will do
    if expected == "build_failed":
        return "" if kind != "ran" else "is built"
    if (expected == "refused") != (kind == "refused") or kind == "build_failed":
        return f"{kind}: {result}"
    if expected == "refused":
        return "" if quoted(entry["says"]) in result else f"other words: {result}"
    if expected in WRONG and not any(severity == trt.Logger.WARNING for severity, _ in told):
        return "no warning that TensorRT's values differ"
    return "" if "bernoulli" in name else differs(case[2], result)  # which draws numbers


def text_of_docs():
    """Return what docs/operators.md is to say, or None where cases are absent."""
    answers = table()
    cases = {name: load(name) for name in answers or {}}
    if not cases or None in cases.values():
        return None
    graphs = {name: onnx.load_from_string(case[0]).graph for name, case in cases.items()}
    return document(answers, {name: [node.op_type for node in graph.node] for name, graph in graphs.items()})


def main(part=""):
    """Print each disagreement, and how many there are of each kind of answer."""
    counts = collections.Counter()
    for name, entry in table().items():
        case = load(name) if part in name else None
        if case is None:
            continue
        try:
            with trt.raising():
                fault = disagreement(name, entry, case)
        except Exception as error:  # what a user must never see
            fault = f"RAISED {type(error).__name__}: {error}"
        counts[entry["result"], "agrees" if not fault else "differs"] += 1
        if fault:
            print(f"{name} [{entry['result']}] {fault[:300]}", flush=True)
    for key, count in sorted(counts.items()):
        print(*key, count)


if __name__ == "__main__":
    if sys.argv[1:] == ["--docs"]:
        DOCS.write_text(text_of_docs() or sys.exit("../shared/cases/onnx or the wheel onnx 1.12.0 is absent"))
    else:
        main(*sys.argv[1:])
