"""Readers of what a run writes and people edit: YAML, reports, descriptions, plans."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from readers import reader
from trial import Reader

from trtflow.workflow.errors import PlanError

ROOT = Path(__file__).resolve().parents[2]
PLAN_ERRORS = (*Reader.errors, PlanError)
OWN = b"""name: mine
title: "Cats & dogs"
model: {file: model.onnx, output: prob}
data:
  classes: classes.txt
  val: val
  calibration: val.npz
  pictures: {colour: bgr, mean: [104, 117.5, 123], scale: 1.0e-2}
precisions: [fp32, int8]
calibration: {algorithm: entropy2, batch_size: 2, batches: 5}
max_batch_size: 4
gates:
  - {name: top1_least, metric: top1, precision: fp32, op: ">=", limit: 0.9}
"""
YAML = [
    b"&a ",
    b"*a",
    b"[*a, *a]",
    b"!!python/object:os.system x",
    b"!!binary x",
    b"2001-99-99",
    b"? [a]\n: b",
    b"<<: ",
    b"1:60",
    b".nan",
    b"- ",
    b": ",
    b"{",
    b"|\n",
    b"%YAML 9.9\n---\n",
    b"!!set",
    b"!!timestamp 1",
]
REPORT: dict[str, Any] = {
    "schema": 1,
    "sample": "ssd",
    "chapter": 16,
    "upstream": "sampleSSD",
    "title": "Object detection",
    "data": "mini",
    "backend": {"name": "reference", "version": "8.6.0", "device": "x", "compute_capability": None, "driver": None},
    "precisions": {
        "fp32": {
            "metrics": {"map": 0.71},
            "latency_ms": {"mean": 1, "median": 1, "p95": 1, "p99": 1},
            "throughput_per_s": 1,
            "engine_bytes": 1,
            "build_s": 1,
        }
    },
    "gates": [{"name": "map_least", "value": 0.71, "op": ">=", "limit": 0.5, "passed": True}],
    "passed": True,
    "inputs": {"model": {"path": "results/ssd/export/model.caffemodel", "sha256": "0" * 64}},
    "figures": ["results/ssd/figures/0.png"],
    "texts": {},
    "provenance": {"commit": None, "config_sha256": "0" * 64, "versions": {"numpy": "2"}},
}


@reader
def own_yaml() -> Reader:
    from trtflow.workflow.kinds import Kinds
    from trtflow.workflow.own import load_own
    from trtflow.workflow.samples import find_own_samples, guide_samples

    guide, kinds = guide_samples(ROOT), Kinds(ROOT)

    def read(path: Path) -> list[dict[str, Any]]:
        found = find_own_samples(str(path.parent), guide)
        return [load_own(ROOT, {"samples": {}}, kinds, name, file) for name, file in found.items()]

    return Reader("YAML of an own sample", read, (OWN,), "own/mine.yaml", "text", YAML, PLAN_ERRORS)


@reader
def configuration() -> Reader:
    from trtflow.workflow.configuration import check, merged, read_mapping, typed

    def read(path: Path) -> dict[str, Any]:
        values = typed(merged(read_mapping(path), {"data": "mini"}))
        check(values, ROOT / "config/schema/config.schema.json", path)
        return values

    seed = (ROOT / "config/config.yaml").read_bytes()
    return Reader("config.yaml", read, (seed,), "config.yaml", "text", YAML, PLAN_ERRORS)


@reader
def reports() -> Reader:
    from trtflow.reporting.report import read_report
    from trtflow.reporting.tables import gate_rows, precision_rows, serving_rows, timing_rows

    def read(path: Path) -> list[Any]:
        report = read_report(path)
        return [rows(report) for rows in (gate_rows, precision_rows, timing_rows, serving_rows)]

    return Reader("report", read, (json.dumps(REPORT).encode(),), "ssd_report.json", "json", [b"serving", b"details"])


@reader
def profiles() -> Reader:
    from trtflow.reporting.page.results import read_result

    def prepare(folder: Path) -> None:
        (folder.parent / "ssd_report.json").write_text(json.dumps(REPORT))

    def read(path: Path) -> object:
        return read_result(path.parents[1] / "ssd_report.json")

    seed = json.dumps({"precision": "fp32", "layers": [{"name": "conv", "ms": 0.5}]}).encode()
    return Reader("profile", read, (seed,), "ssd/profile.fp32.json", "json", prepare=prepare)


@reader
def origins() -> Reader:
    from trtflow.runtime.origin import read_origin, write_engine

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "engine.fp32.plan"
        write_engine(path, b"plan", {"backend": {"name": "reference"}, "precision": "fp32", "build_s": 1.5})
        seed = path.with_suffix(".json").read_bytes()
    read = lambda path: read_origin(path.with_suffix(".plan"))  # noqa: E731
    return Reader("origin of a plan", read, (seed,), "engine.fp32.json", "json", [b"backend", b"plugins"])


@reader
def backends() -> Reader:
    from trtflow.runtime.backend import other_python, read_backend

    keys = ("name", "version", "device", "compute_capability", "driver")

    def read(path: Path) -> object:
        other_python(path)
        return read_backend(path)

    seed = json.dumps({**dict.fromkeys(keys, "x"), "name": "reference"}).encode()
    return Reader("backend.json", read, (seed,), "backend.json", "json", [b"python", b"name"])


@reader
def plugin_records() -> Reader:
    from trtflow.runtime.plugins import read_record

    read = lambda path: read_record(SimpleNamespace(__version__="8.6.0"), path.parent)  # type: ignore[arg-type] # noqa: E731
    seed = json.dumps({"tensorrt": "8.6.0", "plugins": {"FC": "libfc.so"}}).encode()
    return Reader("record of plugins", read, (seed,), "plugins.json", "json")


@reader
def own_descriptions() -> Reader:
    from trtflow.samples.own import read_own

    model = {"form": "onnx", "path": "m.onnx", "deploy": None, "inputs": {"x": [3, 8, 8]}, "outputs": ["y"]}
    seed = {
        "model": model,
        "task": "classification",
        "inputs": {"x": {"shape": [3, 8, 8], "dtype": "float32", "source": [], "pictures": {"colour": "bgr"}}},
        "outputs": {"y": {"shape": [2], "logits": False, "target": []}},
        "classes": ["a", "b"],
        "calibration": {"count": 0, "batch": 1, "held_apart": False, "seed": 0},
        "batch": None,
        "compared": 100,
        "hook": None,
        "plugins": [],
        "settings": {},
    }
    return Reader("sample.json", read_own, (json.dumps(seed).encode(),), "sample.json", "json")


@reader
def recommender_sizes() -> Reader:
    from trtflow.families.ncf.layers import read_sizes

    read = lambda path: read_sizes(path.parent)  # noqa: E731
    return Reader("sizes.json", read, (b'{"users": 3, "movies": 4}',), "sizes.json", "json")


@reader
def input_sizes() -> Reader:
    from trtflow.families.common.input_size import read_input_shape, read_pixels

    def read(path: Path) -> object:
        read_pixels(path.parent)
        return read_input_shape(path.parent)

    return Reader("input.json", read, (b'{"shape": [3, 64, 64], "pixels": "bgr"}',), "input.json", "json")


@reader
def nmt_settings() -> Reader:
    import numpy as np

    from trtflow.formats.nmt_weights import MATRICES, Recurrent, write_matrix, write_recurrent
    from trtflow.samples.nmt.model import read_model

    shapes = {"encembed": (4, 3), "decembed": (4, 3), "decmem": (2, 2), "decatt": (4, 5), "decproj": (5, 4)}
    assert set(shapes) == set(MATRICES)

    def prepare(folder: Path) -> None:
        for name, shape in shapes.items():
            write_matrix(folder / f"{name}.bin", np.ones(shape, np.float32))
        for name, inputs in (("encrnn", 3), ("decrnn", 8)):
            kernels = [(np.ones((4, 2, inputs), np.float32), np.ones((4, 2, 2), np.float32))]
            write_recurrent(folder / f"{name}.bin", Recurrent(kernels, np.zeros((1, 2, 4, 2), np.float32)))
        for language in ("de", "en"):
            (folder / f"vocab.{language}").write_text("<unk>\n<s>\n</s>\nx\n")

    read = lambda path: read_model(path.parent)  # noqa: E731
    seed = b'{"beam": 2, "max_input_sequence_length": 20}'
    return Reader("settings of NMT", read, (seed,), "inference.json", "json", prepare=prepare)


@reader
def plans() -> Reader:
    import numpy as np

    import trtflow.reference as trt

    builder = trt.Builder(trt.Logger())
    network = builder.create_network()
    layer = network.add_convolution(
        network.add_input("x", trt.float32, (2, 6, 6)), 4, (3, 3), np.ones((4, 2, 3, 3), np.float32)
    )
    network.mark_output(layer.get_output(0))
    seed = bytes(builder.build_serialized_network(network, builder.create_builder_config()))

    def read(path: Path) -> object:
        with trt.raising():
            engine = trt.Runtime(trt.Logger()).deserialize_cuda_engine(path.read_bytes())
        return [engine.get_binding_name(index) for index in range(engine.num_bindings)]

    return Reader("plan", read, (seed,), "engine.plan", "protobuf")
