"""The nmt sample for real, with a short training: it agrees with TensorFlow, and its report says what it translated."""

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from jobs import step
from kept import copy_of, kept

from trtflow.datasets.bpe import join

ROOT = Path(__file__).resolve().parents[1]
SMALL = (
    "samples={nmt: {splits: {train: 400, val: 20}, model: {hidden_size: 16, merges: 30},"
    " training: {steps: 40, batch_size: 16, learning_rate: 0.03, threads: 1},"
    " inference: {batch: 8, beam: 3, max_input_sequence_length: 30}, max_batch_size: 8, precisions: [fp32]}}"
)


def snakemake(folder, *arguments, quiet="all"):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--cores", "2", "--quiet", quiet]
    command += ["--directory", folder, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def finish(folder):
    settings = ["backend=reference", "latency_seconds=0.1", SMALL]
    done = snakemake(folder, "--config", *settings, "--", "results/nmt_report.json")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return copy_of(kept("nmt", SMALL, finish), tmp_path_factory.mktemp("nmt"))


@pytest.fixture(scope="module")
def report(folder):
    return json.loads((folder / "results" / "nmt_report.json").read_text())


def test_engine_agrees_with_tensorflow_and_a_short_training_fails_its_gate(report):
    passed = {gate["name"]: gate["passed"] for gate in report["gates"]}
    assert passed["bleu"] is False
    assert passed["framework_bleu_difference"] is True
    assert report["precisions"]["fp32"]["metrics"]["sentences_agreement"] == 1
    assert report["passed"] is False


def test_report_has_bleus_signature_and_its_pictures(report, folder):
    found = report["precisions"]["fp32"]
    assert "tok:none" in found["details"]["signature"]
    assert found["throughput_per_s"] > 0
    assert {Path(path).stem for path in report["figures"]} == {"translation", "precisions", "profile", "training"}
    assert all((folder / path).exists() for path in report["figures"])
    assert report["texts"]["translation"][0].startswith("de  ")
    assert {"encrnn.bin", "decproj.bin", "vocab.de", "inference.json"} <= set(report["inputs"])


def test_cells_of_plain_layers_translate_the_same_without_another_training(report, folder):
    results = folder / "results" / "nmt"
    trained, names = (results / "model/training.json").stat().st_mtime_ns, ["translations", "greedy"]
    before = {name: (results / f"{name}.fp32.txt").read_text() for name in names}
    layers = SMALL.replace("{nmt: {", "{nmt: {recurrent: layers, ")
    command = ["--config", "backend=reference", layers, "--", "results/nmt/translations.fp32.txt"]
    done = snakemake(folder, *command)
    assert done.returncode == 0, done.stdout + done.stderr
    for plan in ("engine", "encoder"):
        assert json.loads((results / f"{plan}.fp32.json").read_text())["recurrent"] == "layers"
    assert {name: (results / f"{name}.fp32.txt").read_text() for name in names} == before
    assert (results / "model/training.json").stat().st_mtime_ns == trained


def test_profile_has_the_layers_of_both_engines_or_adds_them_up(report, folder):
    profile = folder / "results" / "nmt" / "profile.fp32.json"

    def times():
        return {layer["name"]: layer["ms"] for layer in json.loads(profile.read_text())["layers"]}

    apart = times()
    assert {name.split(": ")[0] for name in apart} == {"encoder", "generator"}
    assert f"{next(iter(apart))} " in (profile.parent / "figures" / "profile.txt").read_text()
    added = SMALL.replace("inference: {", "inference: {aggregate_profile: true, ")
    done = snakemake(folder, "--config", "backend=reference", added, "--", "results/nmt/profile.fp32.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(times()) == {name.split(": ")[1] for name in apart}
    assert len(times()) < len(apart)


def translate(folder, data, out, **inference):
    results = folder / "results"
    files = {
        "encoder": results / "nmt" / "encoder.fp32.plan",
        "plan": results / "nmt" / "engine.fp32.plan",
        "backend": results / "backend.json",
        "export": results / "nmt" / "export" / "vocab.de",
        "val": [data / "val.de", data / "val.en"],
    }
    settings = {"inference": inference}
    given = step("infer", sample="nmt", task="translation", settings=settings, inputs=files, outputs={"beam": out})
    command = [sys.executable, ROOT / "scripts" / "infer.py", *given]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("writer", "first", "lines"),
    [
        ("bleu", r"BLEU \d+\.\d\d \(nrefs:1\|.*\)", 1),
        ("benchmark", r"3 sentences in .* s: .* sentences/s", 1),
        ("text", r".+ -> .*", 3),
    ],
)
def test_what_each_data_writer_says_of_the_first_sentences(report, folder, tmp_path, writer, first, lines):
    data, out = folder / "results" / "nmt" / "data", tmp_path / "out.txt"
    done = translate(folder, data, out, data_writer=writer, max_inference_samples=3, batch=2)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert len(said) == lines
    assert re.fullmatch(first, said[0]), said
    translations = out.read_text().splitlines()
    assert translations == (data.parent / "translations.fp32.txt").read_text().splitlines()[:3]
    if writer == "text":
        sources = [join(line) for line in (data / "val.de").read_text().splitlines()[:3]]
        assert said == [f"{source} -> {text}" for source, text in zip(sources, translations, strict=True)]


@pytest.mark.parametrize(("sentence", "fault"), [("", "line 2 is empty"), ("a " * 31, "line 2 has 31 words")])
def test_sentences_that_the_engine_cannot_take_stop_the_run(report, folder, tmp_path, sentence, fault):
    (tmp_path / "val.de").write_text(f"eins\n{sentence}\n")
    done = translate(folder, tmp_path, tmp_path / "out.txt")
    assert done.returncode == 1
    assert f"error: {tmp_path / 'val.de'}: {fault}" in done.stderr


def test_full_data_without_network_and_mirror_says_what_to_set(tmp_path, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # where nobody answers
    settings = ["data=full", "backend=reference", "download_attempts=1"]
    done = snakemake(tmp_path, "--config", *settings, "--keep-going", "--", "results/nmt/data/val.de")
    assert done.returncode != 0
    logs = "".join(path.read_text() for path in (tmp_path / "logs/downloads/nmt").glob("*.log"))
    assert "no address has it, it is made: from nmt/dev.tgz" in logs
    assert "Set mirror in config/config.yaml" in logs


def test_the_guides_files_are_held_against_its_checksums(tmp_path):
    mirror = tmp_path / "mirror" / "nmt"
    mirror.mkdir(parents=True)
    (tmp_path / "vocab.bpe.32000.de").write_bytes(b"another")
    with tarfile.open(mirror / "sampleNMT_data.tar.bz2", "w:bz2") as archive:
        archive.add(tmp_path / "vocab.bpe.32000.de", "deen/vocab.bpe.32000.de")
    settings = ["data=full", "backend=reference", f"mirror={mirror.parent}"]
    done = snakemake(tmp_path, "--config", *settings, "--", "results/nmt/artefacts/vocab.de")
    assert done.returncode != 0
    (log,) = (path.read_text() for path in (tmp_path / "logs" / "nmt").glob("place.vocab.de.log"))
    found = hashlib.md5(b"another", usedforsecurity=False).hexdigest()
    assert f"its MD5 is {found}, not c1d0ca6d4994c75574f28df7c9e8253f" in log
