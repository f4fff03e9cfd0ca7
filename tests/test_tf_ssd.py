"""tf_ssd and uff_ssd for real, with a short training: engines agree with TensorFlow, pictures and reports are there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from kept import copy_of, kept

ROOT = Path(__file__).resolve().parents[1]
SPLITS = "splits: {train: 8, calibration: 4, val: 6}, max_batch_size: 2"
SMALL = (
    f"samples={{tf_ssd: {{{SPLITS}, model: {{width: 0.0625}},"
    f" training: {{pretraining_steps: 2, steps: 4, threads: 1}}}}, uff_ssd: {{{SPLITS}}}}}"
)
SAMPLES = ("tf_ssd", "uff_ssd")


def snakemake(folder, *arguments):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--cores", "2", "--quiet", "all"]
    command += ["--directory", folder, "--config", "backend=reference", "latency_seconds=0.1", SMALL, "--", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def finish(folder):
    done = snakemake(folder, *(f"results/{name}_report.json" for name in SAMPLES))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return copy_of(kept("tf_ssd", SMALL, finish), tmp_path_factory.mktemp("tf_ssd"))


@pytest.mark.parametrize("name", SAMPLES)
def test_engines_agree_with_tensorflow_and_a_short_training_fails_its_gate(folder, name):
    report = json.loads((folder / "results" / f"{name}_report.json").read_text())
    passed = {gate["name"]: gate["passed"] for gate in report["gates"]}
    assert passed["map"] is False
    assert passed["framework_agreement"]
    assert passed["framework_iou"]
    assert report["passed"] is False
    assert set(report["precisions"]) == {"fp32", "fp16", "int8"}
    assert len(list((folder / "results" / name / "figures").glob("*.ppm"))) == 6


def test_the_model_is_trained_once(folder):
    assert not (folder / "results" / "uff_ssd" / "model" / "ssd.pt").exists()
    models = [(folder / "results" / name / "export" / "model.uff").read_bytes() for name in SAMPLES]
    assert models[0] == models[1]


def test_a_graph_without_the_namespaces_stops_the_run_and_is_named(folder, tmp_path):
    graph = folder / "results" / "tf_ssd" / "model" / "frozen.pb"
    program = tmp_path / "write_graph.py"  # a file, which starts with TensorFlow loaded
    program.write_text(OTHER_GRAPH)
    subprocess.run([sys.executable, program, graph], check=True, capture_output=True)
    done = snakemake(folder, "results/uff_ssd/export/model.uff")
    assert done.returncode != 0
    log = (folder / "logs" / "uff_ssd" / "convert_to_uff.log").read_text()
    assert "ssd_inception_v2.py: the graph has no namespace 'Preprocessor'" in log


OTHER_GRAPH = """
import sys, tensorflow as tf
with tf.Graph().as_default() as graph:
    tf.identity(tf.compat.v1.placeholder(tf.float32, [None, 4], name="in"), name="NMS")
open(sys.argv[1], "wb").write(graph.as_graph_def().SerializeToString())
"""
