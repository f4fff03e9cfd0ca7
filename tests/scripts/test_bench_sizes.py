"""The networks of original size, narrow here: exported, cut, filled, built and timed on the reference runtime."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import bench_calibration
import bench_cpu_int8
import bench_network
import bench_sizes
import numpy as np
import pytest
from _sizes import NARROW, NETWORKS, random_pictures
from bench_sizes import table

from trtflow.formats import UserError
from trtflow.workflow.plan import make_plan

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
QUICK = ["--batch-sizes", "1", "--seconds", "0.01"]


def script(name, *words):
    return subprocess.run([sys.executable, SCRIPTS / name, *words], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def skeletons(tmp_path_factory):
    folder = tmp_path_factory.mktemp("skeletons")
    done = script("export_sizes.py", "--networks", "resnet50", "--width", "0.0625", "--out-dir", folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_failing_network_leaves_the_others_and_pytorch_stands_beside(skeletons, tmp_path):
    sides = ["--torch-python", sys.executable, "--torch-width", "0.0625", "--no-compile"]
    networks = ["--networks", "ssd", "resnet50"]  # the first has no skeleton
    folders = ["--skeletons", skeletons, "--out-dir", tmp_path]
    done = script("bench_sizes.py", *networks, *folders, *QUICK, "--precisions", "fp32", "int8", *sides)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "ssd.json").exists()
    found = json.loads((tmp_path / "resnet50.json").read_text())
    assert [row["precision"] for row in found["rows"]] == ["fp32", "int8"]
    assert all(row["timing"]["latency_ms"]["median"] > 0 for row in found["rows"])
    assert found["pytorch"]["rows"][0]["eager"]["images_per_s"] > 0
    lines = (tmp_path / "sizes.md").read_text().splitlines()
    assert sum("ResNet-50" in line for line in lines) == 2


def test_int8_is_timed_beside_float32_and_its_rounding_told(skeletons, tmp_path, monkeypatch, capsys):
    words = ["--networks", "resnet50", "--skeletons", skeletons, "--seconds", "0.01", "--threads", "1"]
    for more in ([], ["--draw", tmp_path / "speeds.png"]):
        monkeypatch.setattr(sys, "argv", ["bench", *map(str, [*words, "--out", tmp_path / "found.json", *more])])
        bench_cpu_int8.main()
    (row,) = json.loads((tmp_path / "found.json").read_text())["rows"]
    times = {side: found["processor_ms"] for side, found in row["sides"].items()}
    assert row["ratios"]["fp32 / int8"] == pytest.approx(times["fp32"] / times["int8"], abs=0.01)
    ort = min(times["ort int8"], times["ort uint8"])
    assert row["ratios"]["ort / int8"] == pytest.approx(ort / times["int8"], abs=0.01)
    (error,) = row["errors"]["int8"].values()
    assert 1e-4 < error < 0.3
    assert f"{error:.4f}" in capsys.readouterr().out
    assert (tmp_path / "speeds.png").read_bytes().startswith(b"\x89PNG")


def test_what_overflows_has_no_error():
    sides = {"fp32": lambda: [np.array([1.0, 3.0])], "int8": lambda: [np.array([1.0, 2.0])]}
    sides["fp16"] = lambda: [np.array([1.0, np.inf])]
    assert bench_cpu_int8.errors_of(sides, ["y"]) == {
        "fp16": {"y": None},
        "int8": {"y": pytest.approx(0.5**0.5, abs=1e-6)},
    }
    assert bench_cpu_int8.errors_of(sides, []) == {}


@pytest.mark.parametrize("side", ["trtflow", "onnxruntime"])
def test_calibration_is_timed_up_to_the_ranges(side, skeletons, monkeypatch):
    monkeypatch.setattr(bench_calibration, "BINS", 64)  # 2,048 take ONNX Runtime a second a tensor
    monkeypatch.setattr(bench_calibration, "LEVELS", 32)
    options = argparse.Namespace(name="resnet50", skeletons=skeletons, seed=0, pictures=3, stride=2)
    found = bench_calibration.measure(side, options)
    assert found["tensors"] > 100
    assert found["seconds"] > 0 < found["processor_s"]
    assert found["peak_mib"] >= 0


def test_what_is_not_begun_in_time_is_a_row_with_the_reason(skeletons, tmp_path):
    out = tmp_path / "resnet50.json"
    words = ["--name", "resnet50", "--skeletons", skeletons, "--out", out, "--time-limit", "-1"]
    done = script("bench_network.py", *words, *QUICK)
    assert done.returncode == 0, done.stderr
    rows = json.loads(out.read_text())["rows"]
    assert all("Raise --time-limit" in row["skipped"] for row in rows)
    assert "Not measured:" in table([json.loads(out.read_text())])


device_of = bench_network.device_of


class Killed(BaseException):
    """What ends a process without a chance to write."""


class Processes:
    """Processes of bench_network.py, all in this one: the second row is a fault of the GPU, the fourth kills its own.

    Attributes:
        limits: seconds that each was given.
    """

    def __init__(self, monkeypatch):
        self.limits, self.broken, self.begun, self.monkeypatch = [], False, 0, monkeypatch
        monkeypatch.setattr(bench_sizes, "start", self.start)
        monkeypatch.setattr(bench_network, "fill_folder", lambda *arguments: None)
        monkeypatch.setattr(bench_network, "measure_row", self.measure_row)
        monkeypatch.setattr(bench_network, "device_of", self.device_of)

    def start(self, python, script, words, limit):
        self.broken = False
        self.limits.append(float(words[words.index("--time-limit") + 1]))
        self.monkeypatch.setattr(sys, "argv", [script, *words])
        try:
            bench_network.main()
        except (UserError, Killed):
            return False
        return True

    def measure_row(self, trt, options, export, precision, batch):
        self.begun += 1
        assert not self.broken, "a row in a process whose GPU is broken"
        if self.begun == 2:
            self.broken = True
            raise RuntimeError("an illegal memory access was encountered")
        if self.begun == 4:
            raise Killed
        return {"build_s": 1.0, "timing": {"latency_ms": {"median": 1.0}, "images_per_s": 1000.0, "compute_ms": 1.0}}

    def device_of(self, trt):
        if self.broken:
            raise RuntimeError("an illegal memory access was encountered")
        return device_of(trt)


def options_of(folder, **changed):
    common = {"backend": "reference", "precisions": ["fp32", "fp16", "int8"], "batch_sizes": [1, 128], "seconds": 0.01}
    builder = {"workspace_mb": None, "tf32": False, "optimization_level": None, "timing_cache": None}
    builder["profiling_verbosity"] = None
    return argparse.Namespace(skeletons=folder, out_dir=folder, **{**common, **builder, **changed})


def test_rows_behind_a_fault_are_measured_in_a_new_process(tmp_path, monkeypatch):
    (tmp_path / "resnet50.json").write_text('{"rows": [{"precision": "fp32", "batch_size": 1}]}')  # of an earlier run
    processes = Processes(monkeypatch)
    bench_sizes.bench_network("resnet50", options_of(tmp_path), bench_sizes.time.monotonic() + 100)
    result = json.loads((tmp_path / "resnet50.json").read_text())
    assert [(row["precision"], row["batch_size"]) for row in result["rows"]] == [
        (precision, batch) for batch in (1, 128) for precision in ("fp32", "fp16", "int8")
    ]
    skipped = [row.get("skipped") for row in result["rows"]]
    assert skipped == [
        None,
        "RuntimeError: an illegal memory access was encountered",
        None,
        bench_network.BEGUN,
        None,
        None,
    ]
    assert len(processes.limits) == 3
    assert processes.limits == sorted(processes.limits, reverse=True)


def test_a_process_that_adds_no_row_is_not_started_again(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(bench_sizes, "start", lambda *words: started.append(words))
    bench_sizes.bench_network("resnet50", options_of(tmp_path), 0)
    assert len(started) == 1


def test_rows_of_another_backend_are_not_gone_on_with(tmp_path):
    (tmp_path / "rows.json").write_text('{"backend": {"name": "tensorrt"}, "rows": []}')
    with pytest.raises(UserError, match=r"rows\.json: its rows are of another backend\. Leave --resume out"):
        bench_network.earlier_rows(tmp_path / "rows.json", {"backend": {"name": "reference"}, "rows": []})


def test_the_clock_starts_behind_pytorch_and_the_repeated_network_is_last(tmp_path, monkeypatch):
    now, asked = [0.0], []
    monkeypatch.setattr(bench_sizes.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(bench_sizes, "bench_torch", lambda options: now.__setitem__(0, 400.0))
    monkeypatch.setattr(bench_sizes, "bench_network", lambda name, options, end: asked.append((name, end)))
    words = [
        "--skeletons",
        str(tmp_path),
        "--out-dir",
        str(tmp_path),
        "--torch-python",
        "python",
        "--time-limit",
        "900",
    ]
    monkeypatch.setattr(sys, "argv", ["bench_sizes.py", *words])
    bench_sizes.main()
    assert {end for _, end in asked} == {1300.0}
    assert [name for name, _ in asked] == list(NETWORKS)
    assert asked[-1][0] == "resnet50_caffe"


def test_random_pictures_have_the_networks_shape_and_repeat():
    found = random_pictures(NETWORKS["faster_rcnn"], 2, seed=3)
    assert found.shape == (2, 3, 375, 500)
    assert found.dtype == np.float32
    assert -1 <= found.min() < -0.9 < 0.9 < found.max() <= 1
    np.testing.assert_array_equal(found, random_pictures(NETWORKS["faster_rcnn"], 2, seed=3))
    assert (found != random_pictures(NETWORKS["faster_rcnn"], 2, seed=4)).any()


def test_narrow_networks_are_those_of_mini():
    plan = make_plan(SCRIPTS.parent, {"backend": "reference"})
    for name, network in NARROW.items():
        original, model = NETWORKS[name.removesuffix("_narrow")], plan.sample(network.sample)["model"]
        assert network.width == model["width"] < original.width
        assert network.shape == (model.get("size", original.shape[0]),) * 2
