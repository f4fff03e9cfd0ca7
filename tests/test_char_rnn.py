"""The char_rnn sample for real, with a short training: it agrees with TensorFlow, and its report says what it wrote."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from kept import copy_of, kept

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"
SMALL = (
    "samples={char_rnn: {splits: {train: 20000, val: 400}, model: {hidden_size: 32, embedding_size: 16},"
    " training: {steps: 30, batch_size: 8, sequence_length: 20, threads: 1}, generation: {length: 20}}}"
)


def snakemake(folder, *arguments):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--cores", "2", "--quiet", "all"]
    command += ["--directory", folder, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def finish(folder):
    settings = ["backend=reference", "latency_seconds=0.1", SMALL]
    done = snakemake(folder, "--config", *settings, "--", "results/char_rnn_report.json")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return copy_of(kept("char_rnn", SMALL, finish), tmp_path_factory.mktemp("char_rnn"))


@pytest.fixture(scope="module")
def report(folder):
    return json.loads((folder / "results" / "char_rnn_report.json").read_text())


def test_engine_agrees_with_tensorflow_and_a_short_training_fails_its_gate(report):
    passed = {gate["name"]: gate["passed"] for gate in report["gates"]}
    assert passed.pop("perplexity") is False
    assert all(passed.values()), report["gates"]
    assert report["passed"] is False


def test_report_has_the_text_and_its_pictures(report, folder):
    lines = report["texts"]["generated"]
    assert lines[0].startswith("The |")
    assert len(lines) == 6
    assert all((folder / path).exists() for path in report["figures"])
    assert {Path(path).stem for path in report["figures"]} == {"generated", "precisions", "profile", "training"}
    assert report["precisions"]["fp32"]["throughput_per_s"] > 0
    assert set(report["inputs"]) == {"model.wts2", "vocab.json"}


def test_cells_of_plain_layers_write_the_same_without_another_training(report, folder):
    results = folder / "results" / "char_rnn"
    trained, made = (results / "model/training.json").stat().st_mtime_ns, results / "predictions.fp32.npz"
    before = dict(np.load(made))
    layers = SMALL.replace("{char_rnn: {", "{char_rnn: {recurrent: layers, ")
    done = snakemake(folder, "--config", "backend=reference", layers, "--", "results/char_rnn/predictions.fp32.npz")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((results / "engine.fp32.json").read_text())["recurrent"] == "layers"
    after = np.load(made)
    np.testing.assert_array_equal(after["generated"], before["generated"])
    np.testing.assert_allclose(after["log_probabilities"], before["log_probabilities"], rtol=1e-4, atol=1e-5)
    assert (results / "model/training.json").stat().st_mtime_ns == trained


def test_a_seed_outside_the_vocabulary_stops_the_run_and_is_named(report, folder):
    seeds = SMALL.replace("{length: 20}", "{length: 20, seeds: [caffè]}")
    done = snakemake(folder, "--config", "backend=reference", seeds, "--", "results/char_rnn/predictions.fp32.npz")
    assert done.returncode != 0
    log = (folder / "logs" / "char_rnn" / "infer.fp32.log").read_text()
    assert "error: seed 'caffè': character 'è' (line 1, character 5) is not in the vocabulary" in log


def test_full_data_without_network_and_mirror_says_what_to_set(tmp_path, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # where nobody answers
    settings = ["data=full", "backend=reference", "download_attempts=1"]
    done = snakemake(tmp_path, "--config", *settings, "--", "results/char_rnn/data/val.txt")
    assert done.returncode != 0
    logs = "".join(path.read_text() for path in (tmp_path / "logs/downloads/char_rnn").glob("*.log"))
    assert "Set mirror in config/config.yaml" in logs


@pytest.mark.skipif(not (SHARED / "char_rnn").exists(), reason="no shared/data/char_rnn")
def test_the_published_model_writes_what_is_known_of_it(tmp_path):
    settings = ["data=full", "backend=reference", f"mirror={SHARED}", "latency_seconds=0.1"]
    sample = "samples={char_rnn: {splits: {train: 1113394, val: 2000}, precisions: [fp32]}}"
    target = "results/char_rnn/metrics.fp32.json"
    done = snakemake(tmp_path, "--config", *settings, sample, "--", target)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((tmp_path / target).read_text())["metrics"]["published_share"] == 1


@pytest.mark.parametrize("content", [None, b"another text"])
def test_a_mirror_without_the_right_file(tmp_path, content, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # where nobody answers
    mirror = tmp_path / "mirror" / "char_rnn"
    mirror.mkdir(parents=True)
    if content is not None:
        (mirror / "vocab.json").write_bytes(content)
    target = "results/char_rnn/artefacts/vocab.json"
    settings = ["data=full", "backend=reference", f"mirror={mirror.parent}", "download_attempts=1"]
    done = snakemake(tmp_path, "--config", *settings, "--", target)
    assert done.returncode != 0
    log = (tmp_path / "logs/downloads/char_rnn/vocab.json.log").read_text()
    assert ("the mirror has no such file" if content is None else f"it has {len(content)} bytes, not 772") in log
    assert not (tmp_path / target).exists()
