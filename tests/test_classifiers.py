"""googlenet, int8_api and introductory_parser_samples for real, with short trainings; what engines need."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from kept import copy_of, kept

from trtflow.formats.dynamic_ranges import read_ranges, write_ranges

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("googlenet", "int8_api", "introductory_parser_samples")
SMALL = (
    "{splits: {train: 40, calibration: 10, val: 20}, model: {width: 0.0625, size: 64},"
    " training: {steps: 3, batch_size: 8, threads: 1}"
)
SAMPLES = (
    f"samples={{googlenet: {SMALL}}}, introductory_parser_samples: {SMALL}}},"
    f" int8_api: {SMALL}, calibration: {{batch_size: 5}}}}}}"
)
BLOCKER = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "tensorflow", "onnx", "google", "PIL", "rich", "yaml", "sklearn"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocker())
"""


def snakemake(folder, *arguments):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--cores", "2", "--quiet", "all"]
    command += ["--directory", folder, "--config", "backend=reference", "latency_seconds=0.1", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def finish(folder):
    targets = [f"results/{name}_report.json" for name in NAMES]
    done = snakemake(folder, SAMPLES, "--", *targets, "results/int8_api/network.int8.onnx")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return copy_of(kept("classifiers", SAMPLES, finish), tmp_path_factory.mktemp("classifiers"))


@pytest.fixture(scope="module")
def reports(folder):
    return {name: json.loads((folder / f"results/{name}_report.json").read_text()) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_engines_agree_and_a_short_training_fails_its_gate(reports, name):
    passed = {gate["name"]: gate["passed"] for gate in reports[name]["gates"]}
    assert passed["top1"] is False
    assert passed["framework_agreement"] is True
    assert reports[name]["passed"] is False


def test_three_parsers_give_the_same_top5(reports):
    metrics = reports["introductory_parser_samples"]["precisions"]["fp32"]["metrics"]
    assert metrics["caffe_top5_agreement"] == metrics["uff_top5_agreement"] == 1
    assert max(metrics["caffe_difference"], metrics["uff_difference"]) < 1e-4
    assert {"model.prototxt", "model.caffemodel", "model.onnx", "model.uff"} <= set(
        reports["introductory_parser_samples"]["inputs"]
    )


def test_report_has_layers_times_and_the_five_likeliest(reports, folder):
    texts = reports["googlenet"]["texts"]
    assert texts["profile"][0].split() == ["layer", "fp32", "ms", "fp16", "ms", "%", "of", "fp32"]
    assert texts["profile"][-1].startswith("all layers ")
    assert re.fullmatch(r"val/000000.jpg is \d: (\d \(0\.\d{4}\)(, )?){5}", texts["top5"][0])
    assert json.loads((folder / "results/googlenet/profile.fp16.json").read_text())["batch_size"] == 4
    assert all((folder / path).exists() for name in NAMES for path in reports[name]["figures"])


def test_tensors_are_listed_and_each_has_a_range(reports, folder):
    listed = [line.removeprefix("TensorName: ") for line in reports["int8_api"]["texts"]["tensors"]]
    assert listed == list(read_ranges(folder / "results/int8_api/calibration/ranges.txt"))
    assert "gpu_0/data_0" in listed


def test_range_that_is_missing_stops_the_build_and_is_named(reports, folder):
    path = folder / "results/int8_api/calibration/ranges.txt"
    kept = path.read_text()
    ranges = read_ranges(path)
    del ranges["gpu_0/pool1_1"]
    write_ranges(path, ranges)
    done = snakemake(folder, SAMPLES, "--", "results/int8_api/engine.int8.plan")
    path.write_text(kept)
    assert done.returncode != 0
    log = (folder / "logs/int8_api/build_engine.int8.log").read_text()
    assert "ranges.txt: 1 tensors without a range: gpu_0/pool1_1" in log


def test_mixed_precision_and_dla_are_options(reports, folder):
    mixed = SAMPLES.replace("calibration: {batch_size: 5}", "calibration: {batch_size: 5}, mixed_precision: {limit: 1}")
    done = snakemake(folder, mixed, "--", "results/int8_api/engine.int8.plan")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 of 54 layers are kept in float32" in (folder / "logs/int8_api/find_mixed_precision.log").read_text()
    dla = SAMPLES.replace("calibration: {batch_size: 5}", "calibration: {batch_size: 5}, dla_core: 0")
    done = snakemake(folder, dla, "--", "results/int8_api/engine.int8.plan")
    assert done.returncode != 0
    assert "this device has no DLA" in (folder / "logs/int8_api/build_engine.int8.log").read_text()


@pytest.mark.parametrize("name", ["googlenet", "int8_api", "introductory_parser_samples.uff"])
def test_samples_load_where_engines_run(name):
    code = f"{BLOCKER}from trtflow.samples import load\nprint(load({name!r}).INPUT)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_original_size_is_exported_with_random_weights(tmp_path):
    command = [sys.executable, ROOT / "scripts/export_sizes.py", "--complete", "--networks", "googlenet"]
    done = subprocess.run([*command, "--out-dir", tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    exported = tmp_path / "googlenet"
    assert json.loads((exported / "input.json").read_text()) == {"shape": [3, 224, 224]}
    code = (
        "import sys; import trtflow.reference as trt; from pathlib import Path; from trtflow.samples import load\n"
        "network = trt.Builder(trt.Logger()).create_network()\n"
        "load('googlenet').define_network(trt, network, Path(sys.argv[1]))\n"
        "print(network.num_layers, *network.get_output(0).shape)"
    )
    done = subprocess.run([sys.executable, "-c", code, exported], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["141", "1000", "1", "1"], done.stderr
