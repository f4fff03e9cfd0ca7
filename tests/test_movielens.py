"""The recommender samples for real, with a short training: they agree with TensorFlow, whoever asks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from jobs import step
from kept import kept

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"
NAMES = ("movielens", "movielens_mps")
TRAINING = "splits: {users: 60, movies: 170}, training: {steps: 20, batch_size: 64}"
SMALL = (
    f"samples={{movielens: {{{TRAINING}}},"
    f" movielens_mps: {{{TRAINING}, serving: {{processes: [1, 3]}}, max_batch_size: 16}}}}"
)


def snakemake(folder, *arguments):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--cores", "2", "--quiet", "all"]
    command += ["--directory", folder, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def script(name, *arguments):
    command = [sys.executable, ROOT / "scripts" / f"{name}.py", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def finish(folder):
    targets = [f"results/{name}_report.json" for name in NAMES]
    done = snakemake(folder, "--config", "backend=reference", "latency_seconds=0.3", SMALL, "--", *targets)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder():
    return kept("movielens", SMALL, finish)


@pytest.fixture(scope="module")
def reports(folder):
    return {name: json.loads((folder / f"results/{name}_report.json").read_text()) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_engine_agrees_with_tensorflow_and_a_short_training_fails_its_gate(reports, name):
    passed = {gate["name"]: gate["passed"] for gate in reports[name]["gates"]}
    assert passed.pop("hr10") is False
    assert all(passed.values()), reports[name]["gates"]
    assert reports[name]["passed"] is False


def test_report_has_the_guides_text_and_pictures(reports, folder):
    report = reports["movielens"]
    lines = report["texts"]["recommendations"]
    assert lines[0] == "user : 0"
    assert sum(line.startswith("user : ") for line in lines) == 50
    everyone = (folder / "results/movielens/recommendations.txt").read_text().splitlines()
    assert everyone[: len(lines)] == lines
    assert sum(line.startswith("predicted_max_rating_item : ") for line in everyone) == 60
    assert {Path(path).stem for path in report["figures"]} == {"ranking", "precisions", "profile", "training"}
    assert set(report["inputs"]) == {"model.uff", "sizes.json"}


def test_report_of_several_processes(reports, folder):
    report = reports["movielens_mps"]
    rows = report["precisions"]["fp32"]["serving"]
    assert [(row["processes"], row["batch_size"], row["mps"]) for row in rows] == [
        (1, 1, "none"),
        (3, 1, "none"),
        (1, 16, "none"),
    ]
    assert all(row["queries_per_s"] > 0 for row in rows)
    assert "can wait for one another" in "\n".join(report["texts"]["serving"])
    assert all((folder / path).exists() for path in report["figures"])
    assert "results/movielens_mps/figures/serving.png" in report["figures"]


def test_answers_that_differ_fail_the_gate(reports, folder, tmp_path):
    made = folder / "results/movielens_mps"
    rows = json.loads((made / "serving.fp32.json").read_text())
    rows[1]["identical"], rows[0]["workers_lost"] = 0.99, 1
    (tmp_path / "serving.json").write_text(json.dumps(rows))
    out = tmp_path / "metrics.json"
    files = {"predictions": made / "predictions.fp32.npz", "serving": tmp_path / "serving.json"}
    done = script("score", *step("score", task="recommendation", inputs=files, outputs={"metrics": out}))
    assert done.returncode == 0, done.stderr
    metrics = json.loads(out.read_text())["metrics"]
    assert metrics["identical_share"] == 0.99
    assert metrics["workers_lost"] == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("(60,1)", "line 2: user 60 is out of range, the network has 60"),
        ("(1,170)", "line 2: movie 170 is out of range, the network has 170"),
        ("(1;1)", "line 2 is not (user,movie) and 99 movies"),
    ],
)
def test_queries_that_the_network_cannot_answer(reports, folder, tmp_path, line, message):
    made, queries = folder / "results/movielens", tmp_path / "test.negative"
    rows = (made / "data/test.negative").read_text().splitlines()
    queries.write_text("\n".join([rows[0], line + rows[1][rows[1].index("\t") :], ""]))
    files = {"plan": made / "engine.fp32.plan", "backend": folder / "results/backend.json"}
    files |= {"export": made / "export/model.uff", "choices": queries}
    outputs = {"predictions": tmp_path / "predictions.npz"}
    given = step("infer", sample="movielens", task="recommendation", inputs=files, outputs=outputs)
    done = script("infer", *given)
    assert done.returncode == 1
    assert f"error: {queries}: {message}" in done.stderr
    assert not (tmp_path / "predictions.npz").exists()


def test_an_archive_of_another_size(tmp_path):
    outputs = {"train": tmp_path / "train.rating", "choices": tmp_path / "test.negative"}
    files = {"inputs": {"archive": tmp_path / "ml-1m.zip"}, "outputs": outputs}
    done = script("make_data", *step("make_data", data_set="ratings", **files))
    assert "ml-1m.zip: no such file" in done.stderr


def test_full_data_without_network_and_mirror_says_what_to_set(tmp_path, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # where nobody answers
    settings = ["data=full", "backend=reference", "download_attempts=1"]
    done = snakemake(tmp_path, "--config", *settings, "--", "results/movielens/model/network.keras")
    assert done.returncode != 0
    assert (
        "Set mirror in config/config.yaml"
        in (tmp_path / "logs/downloads/movielens/ml-1m_MLP_[64,32,16,8]_1501652038.h5.log").read_text()
    )


@pytest.mark.skipif(not (SHARED / "movielens").exists(), reason="no shared/data/movielens")
def test_the_published_weights_reach_what_is_known_of_them(tmp_path):
    settings = ["data=full", "backend=reference", f"mirror={SHARED}", "latency_seconds=0.1", "download_attempts=1"]
    target = "results/movielens_report.json"
    done = snakemake(tmp_path, "--config", *settings, "--", target)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / target).read_text())
    gates = {gate["name"]: gate["limit"] for gate in report["gates"] if gate["passed"]}
    assert report["passed"], report["gates"]
    assert report["data"] == "full"
    assert (gates["hr10"], gates["ndcg10"], gates["published_share"]) == (0.671, 0.3962, 1)
    metrics = report["precisions"]["fp32"]["metrics"]
    assert (round(metrics["hr10"], 4), round(metrics["ndcg10"], 4)) == (0.6710, 0.3963)
    fetched = {path.name for path in (tmp_path / "results/downloads/movielens").iterdir()}
    assert fetched == {"ml-1m.test.negative", "ml-1m_MLP_[64,32,16,8]_1501652038.h5"}
