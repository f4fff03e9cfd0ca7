"""`targets`: the lowered network of a model of the user's own in plain ONNX Runtime, and in OpenVINO where it is."""

from __future__ import annotations

import importlib.util
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from own_steps import done, job_of, through, written
from places import write_pictures
from suppressed import write_rows6

import trtflow.reference as trt
from trtflow.calibration.calibrators import make_calibrator
from trtflow.calibration.streams import BatchStream
from trtflow.families.own.adoption import check_targets_are_there
from trtflow.formats import UserError
from trtflow.formats.batch_file import Batch, write_batch
from trtflow.reference.run.products import overflows
from trtflow.runtime.build import build_plan
from trtflow.runtime.devices import device_of
from trtflow.samples import load

FILE = Path("config/samples/rows.yaml")
OPENVINO = importlib.util.find_spec("openvino")
NAMES = ["onnxruntime", *(["openvino"] if OPENVINO else [])]


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What the step writes of a detector in three precisions."""
    folder = tmp_path_factory.mktemp("targets")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_pictures(folder, 8)
        for name in ("images", "labels"):
            shutil.copytree("pictures" if name == "images" else name, f"data/{name}")
        write_rows6(Path("rows.onnx"))
        own, _ = written("rows.onnx", "--data", "data")
        FILE.write_text(yaml.safe_dump({**own, "targets": NAMES}, sort_keys=False))
        through("rows")
        for precision in ("fp32", "fp16", "int8"):
            Path(f"results/rows/network.{precision}.onnx").write_bytes(lowered(precision))
        job = job_of("rows", "compare", "run_targets")
        done(replace(job, settings={**job.settings, "latency_seconds": 0.1}))
        kinds = {node.op_type for node in onnx.load("results/rows/network.int8.onnx").graph.node}
        assert "QuantizeLinear" in kinds
        return json.loads(Path("results/rows/targets.json").read_text())


def lowered(precision):
    """Return the network in a precision, as the rule `lower_network` has it."""
    sample = load("rows")
    calibrator = None
    if precision == "int8":
        items, _ = sample.read_images(Path("data/images"), "val")
        Path("batches").mkdir()
        write_batch(Path("batches/batch0"), Batch(sample.pack(sample.preprocess(items[[0]], Path())), None))
        stream = BatchStream([Path("batches/batch0")], 1)
        calibrator = make_calibrator(trt, "minmax", stream, Path("table"), device_of(trt).allocate, sample.unpack)
    define = lambda trt, network: sample.define_network(trt, network, Path())  # noqa: E731
    return build_plan(trt, define, precision, 1, calibrator, explicit_batch=True)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_the_lowered_network_runs_in_plain_onnx_runtime(told, precision):
    found = told["onnxruntime"]["precisions"][precision]
    assert found["metrics"]["coco_map50"] == pytest.approx(1)
    assert found["metrics"]["engine_overlap_agreement"] > 0.98
    assert 0 < found["latency_ms"]["median"] <= found["latency_ms"]["p99"]
    assert found["batch_size"] == 1


@pytest.mark.skipif(OPENVINO is None, reason="openvino is not installed: pip install 'trtflow[openvino]'")
@pytest.mark.parametrize(
    "precision",
    [
        "fp32",
        "fp16",
        pytest.param("int8", marks=pytest.mark.skipif(overflows(), reason="a processor without VNNI")),
    ],
)
def test_it_runs_in_openvino(told, precision):
    found = told["openvino"]["precisions"][precision]
    assert found["metrics"]["coco_map50"] == pytest.approx(1)
    assert found["metrics"]["engine_overlap_agreement"] > 0.98
    assert np.isfinite(found["latency_ms"]["p95"])


def test_a_runtime_that_is_not_installed_is_told_before_anything_is_built():
    with pytest.raises(UserError, match=r"targets: no_such_runtime is not installed here. Install it: pip install"):
        check_targets_are_there({"targets": ["onnxruntime", "no_such_runtime"]})
