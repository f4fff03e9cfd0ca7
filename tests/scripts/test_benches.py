"""The comparisons with PyTorch at small sizes, both sides on the CPU."""

import json
import subprocess
import sys
from pathlib import Path

import _bench
import bench_resnet50_torch
import pytest
import torch

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
SIZES = {
    "char_rnn": ["--characters", "9", "--hidden-size", "16", "--embedding-size", "8"],
    "nmt": ["--batch", "3", "--words", "40", "--units", "8", "--length", "6", "--steps", "3"],
}


def bench(name, out, *more):
    command = [sys.executable, SCRIPTS / f"bench_{name}.py", *SIZES[name], "--seconds", "0.05", "--out", out, *more]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("name", "unit", "more"),
    [
        ("char_rnn", "characters_per_s", []),
        ("char_rnn", "characters_per_s", ["--recurrent", "layers", "--together", "7"]),
        ("char_rnn", "characters_per_s", ["--recurrent", "layers", "--precision", "fp16"]),
        ("nmt", "sentences_per_s", []),
        ("nmt", "sentences_per_s", ["--recurrent", "layers", "--length", "13"]),
    ],
)
def test_both_sides_are_the_same_network_and_timed(name, unit, more, tmp_path):
    done = bench(name, tmp_path / "found.json", *more)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["ratio"] == pytest.approx(found[unit]["engine"] / found[unit]["torch"])
    assert set(found["latency_ms"]) == {"engine", "torch"}
    if name == "nmt":
        assert found["first_word_ms"]["engine"] < found["latency_ms"]["engine"]["p99"]
        assert found["build_s"] > 0
    assert found["recurrent"] == ("layers" if "layers" in more else "rnn_v2")


def test_layers_of_both_engines_are_timed_for_the_form_that_was_measured(tmp_path):
    done = bench("nmt", tmp_path / "found.json", "--recurrent=layers", "--profile", tmp_path / "profile.fp32.json")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "profile.fp32.json").read_text())
    names = [layer["name"] for layer in found["layers"]]
    assert {name.split(":")[0] for name in names} == {"encoder", "generator"}
    assert not any("RNN" in name for name in names)
    assert sum(layer["ms"] for layer in found["layers"]) > 0


def test_a_python_without_pytorch_is_named(tmp_path):
    done = bench("char_rnn", tmp_path / "found.json", "--torch-python", "no-such-python")
    assert done.returncode == 1
    assert "no-such-python" in done.stderr
    assert "Give --torch-python a Python with PyTorch." in done.stderr
    assert not (tmp_path / "found.json").exists()


def test_trainings_take_turns_and_change_the_same_network(monkeypatch, tmp_path):
    made = []

    def keep(*words):
        made.append(bench_resnet50_torch.__dict__["kept"](*words))
        return made[-1]

    def in_this_process(command):
        monkeypatch.setattr(sys, "argv", [str(word) for word in command[1:]])
        bench_resnet50_torch.main()
        monkeypatch.setattr(sys, "argv", given)

    given = ["bench", "--training", "1", "--width", "0.05", "--rounds", "1", "--out", str(tmp_path / "found.json")]
    monkeypatch.setattr(bench_resnet50_torch, "kept", bench_resnet50_torch.Classifier, raising=False)
    monkeypatch.setattr(bench_resnet50_torch, "Classifier", keep)
    monkeypatch.setattr(_bench, "run_command", in_this_process)
    monkeypatch.setattr(bench_resnet50_torch, "BATCH", 2)
    monkeypatch.setattr(bench_resnet50_torch, "TRAINED", 64)
    monkeypatch.setattr(bench_resnet50_torch, "WARM_UP", 1)
    monkeypatch.setattr(sys, "argv", given)
    bench_resnet50_torch.main()
    found = json.loads((tmp_path / "found.json").read_text())
    for unit in ("ms", "processor_ms"):
        medians = [found["sides"][side][unit] for side in ("trtflow", "bare")]
        assert found["ratio"][unit] == pytest.approx(medians[0] / medians[1])
        assert min(medians) > 0
    assert len(made) == 2
    fresh = bench_resnet50_torch.__dict__["kept"]("resnet50", 10, 0.05, 64)
    for model in made:  # each side's steps reached every weight
        assert [part.shape for part in model.parameters()] == [part.shape for part in fresh.parameters()]
        assert all(torch.isfinite(part).all() and part.grad is not None for part in model.parameters())
