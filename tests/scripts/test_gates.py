"""Every gate of detectors, translators and recommenders fails on the wrong result that it is there for.

Right predictions pass all gates of a sample's own configuration, by the scripts that score, compare and report. Then
one thing is made wrong, and just those gates fail that it concerns.
"""

import json
import runpy
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import yaml
from jobs import named, step

from trtflow.datasets.digit_scenes import CLASSES
from trtflow.datasets.manifest import write_manifest
from trtflow.datasets.voc import Annotation, write_split_files
from trtflow.formats.files import write_json

ROOT = Path(__file__).resolve().parents[2]
BACKEND = {"name": "reference", "version": "8.6.0", "device": "CPU", "compute_capability": None, "driver": None}
TIMES = {"latency_ms": {"mean": 2.0, "median": 2.0, "p95": 3.0, "p99": 4.0}, "throughput_per_s": 500.0}
DETECTORS = ("faster_rcnn", "tf_ssd", "uff_ssd", "yolov3_onnx")
RECOMMENDERS = ("movielens", "movielens_mps")
FRAMEWORK = "framework"
ALL = ("fp32", "fp16", "int8")


@cache
def configuration(sample, data):
    config = yaml.safe_load((ROOT / "config" / "samples" / f"{sample}.yaml").read_text())
    return {**config, **(config["full"] if data == "full" else {})}


def with_data(*samples):
    """Return the samples, each with every form of data that has gates of its own."""
    texts = {name: (ROOT / "config" / "samples" / f"{name}.yaml").read_text() for name in samples}
    full = {name for name, text in texts.items() if "gates" in yaml.safe_load(text).get("full", {})}
    return [(name, data) for name in samples for data in ("mini", "full") if data == "mini" or name in full]


@pytest.fixture
def script(monkeypatch):
    """Return a function that runs a script in this process."""

    def run(name, *arguments):
        path = ROOT / "scripts" / f"{name}.py"
        monkeypatch.setattr(sys, "argv", [str(path), *map(str, arguments)])
        runpy.run_path(str(path), run_name="__main__")

    return run


def failed_gates(script, folder, sample, data, precisions):
    """Return the names of the gates that failed, by the report of what a folder holds."""
    for precision in precisions:
        (folder / f"engine.{precision}.plan").write_bytes(b"plan")
        write_json(folder / f"engine.{precision}.json", {"build_s": 1.0})
    write_json(folder / "latency.json", dict.fromkeys(precisions, TIMES))
    write_json(folder / "backend.json", BACKEND)
    write_json(folder / "config.json", configuration(sample, data))
    files = ["--sample-config", folder / "config.json", "--backend-file", folder / "backend.json"]
    files += ["--results-dir", folder, "--out", folder / "report.json"]
    script("write_report", "--sample", sample, "--data", data, "--precisions", *precisions, *files)
    report = json.loads((folder / "report.json").read_text())
    assert report["passed"] is all(gate["passed"] for gate in report["gates"])
    assert len(report["gates"]) == len(configuration(sample, data)["gates"])
    return {gate["name"] for gate in report["gates"] if not gate["passed"]}


def concerned(sample, data, wanted):
    """Return those of the wanted gates that a sample has with that data."""
    return wanted & {gate["name"] for gate in configuration(sample, data)["gates"]}


# ---- detectors

BOXES = np.array([[0.05, 0.05, 0.45, 0.45], [0.55, 0.55, 0.95, 0.95]], np.float32)


def found():
    """Return detections of two pictures with two objects each, as they should be, float32 [2, 3, 7]."""
    detections = np.zeros((2, 3, 7), np.float32)
    detections[:, :, 0] = np.arange(2)[:, None]
    detections[:, 2, 1] = -1
    detections[:, :2, 1:3] = 1, 0.9
    detections[:, :2, 3:] = BOXES
    return detections


def lose(*places):
    def damage(detections):
        for place in places:
            detections[place][1:] = -1, 0, 0, 0, 0, 0

    return damage


def move(detections):
    detections[0, 0, [3, 5]] += 0.02  # an overlap of 0.905


def weaken(detections):
    detections[0, 0, 2] -= 0.002


def relabel(detections):
    detections[:, :2, 1] = 2


NEAR_FRAMEWORK = {"framework_agreement", "framework_iou"}
VALIDATION = {"framework_map_drop", *(f"{precision}_voc_validation" for precision in ALL)}
DETECTOR_FAULTS = {
    "bad model": ((FRAMEWORK, *ALL), lose((0, 1), (1, 0), (1, 1)), {"map"}),
    "bad model of other labels": ((FRAMEWORK, *ALL), relabel, {"map"}),
    "fp16 lost an object": (("fp16",), lose((0, 0)), {"fp16_map_drop", "fp16_voc_validation"}),
    "int8 lost an object": (("int8",), lose((0, 0)), {"int8_map_drop", "int8_voc_validation"}),
    "engines lost an object": (ALL, lose((0, 0)), VALIDATION | NEAR_FRAMEWORK),
    "framework lost an object": ((FRAMEWORK,), lose((0, 0)), VALIDATION | NEAR_FRAMEWORK),
    "a box is elsewhere": (("fp32",), move, NEAR_FRAMEWORK),
    "a score is another": (("fp32",), weaken, {"framework_agreement"}),
}


def detector_gates(script, folder, sample, data, wrong=(), damage=None):
    truths = [
        Annotation(f"{index:06d}", (300, 300), BOXES * 300, np.array([1, 1]), np.zeros(2, bool)) for index in range(2)
    ]
    write_split_files(folder / "val", "val", truths, CLASSES)
    for name in (FRAMEWORK, *ALL):
        detections = found()
        if name in wrong:
            damage(detections)
        images = np.array([truth.image_id for truth in truths])
        np.savez(folder / f"predictions.{name}.npz", detections=detections, images=images)
    files = [path for path in (folder / "val").rglob("*") if path.is_file()]
    write_manifest(folder / "val.sha256", folder / "val", files)
    common = {"task": "detection", "settings": {"figures": configuration(sample, data)["figures"]}}
    for name in ALL:
        files = {"val": folder / "val.sha256", "predictions": folder / f"predictions.{name}.npz"}
        script("score", *step("score", inputs=files, outputs={"metrics": folder / f"metrics.{name}.json"}, **common))
    files = {"val": folder / "val.sha256", "framework": folder / f"predictions.{FRAMEWORK}.npz"}
    files["predictions"] = named(folder, "predictions.{}.npz", ALL)
    # as config/families has it
    function = "compare" if sample == "yolov3_onnx" and data == "mini" else "compare_map"
    script("compare", *step(function, inputs=files, outputs={"agreement": folder / "agreement.json"}, **common))
    return failed_gates(script, folder, sample, data, ALL)


# ---- translations

SENTENCES = [" ".join(f"w{line}{place}" for place in range(8)) for line in range(4)]
GARBLED = [" ".join(reversed(line.split())) for line in SENTENCES]
ONE_WORD = [SENTENCES[0].rsplit(" ", 1)[0] + " other", *SENTENCES[1:]]
TRANSLATIONS = (FRAMEWORK, "fp32", "fp16", "greedy")
TRANSLATION_FAULTS = {
    "bad model": (TRANSLATIONS, GARBLED, {"bleu"}),
    "engines say another word": (("fp32", "fp16", "greedy"), ONE_WORD, {"framework_bleu_difference"}),
    "the framework says another word": ((FRAMEWORK,), ONE_WORD, {"framework_bleu_difference"}),
    "fp16 says another word": (("fp16",), ONE_WORD, {"fp16_bleu_difference"}),
    "the beam is worse": ((FRAMEWORK, "fp32", "fp16"), ONE_WORD, {"beam_gain"}),
}


def translation_gates(script, folder, sample, data, wrong=(), sentences=()):
    for name in TRANSLATIONS:
        text = "".join(f"{line}\n" for line in (sentences if name in wrong else SENTENCES))
        (folder / f"translations.{name}.txt").write_text(text)
    (folder / "val.en").write_text("".join(f"{line}\n" for line in SENTENCES))
    val, greedy = [folder / "val.de", folder / "val.en"], folder / "translations.greedy.txt"
    for name in ("fp32", "fp16"):
        files = {"beam": folder / f"translations.{name}.txt", "greedy": greedy, "val": val}
        outputs = {"metrics": folder / f"metrics.{name}.json"}
        script("score", *step("score", task="translation", inputs=files, outputs=outputs))
    files = {"framework": folder / f"translations.{FRAMEWORK}.txt", "val": val}
    files["translations"] = named(folder, "translations.{}.txt", ("fp32", "fp16"))
    outputs = {"agreement": folder / "agreement.json"}
    script("compare", *step("compare", task="translation", inputs=files, outputs=outputs))
    return failed_gates(script, folder, sample, data, ("fp32", "fp16"))


# ---- recommendations

USERS, CHOICES = 10, 100
MOVIES = np.stack([np.random.default_rng(user).permutation(370)[:CHOICES] for user in range(USERS)]).astype(np.int32)
PUBLISHED = MOVIES[:5, -1].tolist()  # the held-out movies are the best


def answers(place=0):
    """Return what an engine says of all users whose held-out movie, the last, is at a place of its ranking."""
    chances = np.tile(np.linspace(0.1, 0.8, CHOICES, dtype=np.float32), (USERS, 1))
    order = [*range(CHOICES - 1)]
    order.insert(CHOICES - 1 - place, CHOICES - 1)
    probabilities = np.empty_like(chances)
    probabilities[:, order] = chances
    best = np.take_along_axis(MOVIES, np.argsort(-probabilities, axis=1)[:, :10], 1)
    return {"users": np.arange(USERS), "choices": MOVIES, "probabilities": probabilities, "best": best}


def rank(place):
    def damage(said, rows):
        said.update(answers(place))

    return damage


def miss_one_user(said, rows):
    said["probabilities"][7, -1] = 0


def choose_another(said, rows):
    said["best"][7, :2] = said["best"][7, 1::-1]


def choose_another_of_a_published_user(said, rows):
    said["best"][0, :2] = said["best"][0, 1::-1]


def shift(said, rows):
    said["probabilities"] += np.float32(0.0002)


def differ(said, rows):
    rows[-2]["identical"] = rows[0]["identical"] = 0.99


def lose_a_worker(said, rows):
    rows[-1]["workers_lost"] = 1


ENGINES = ("fp32", "fp16")
PLACES = {"top_item_agreement", "probability_difference"}
RECOMMENDER_FAULTS = {
    "bad model": ((FRAMEWORK, *ENGINES), rank(50), {"hr10", "ndcg10", "published_share"}),
    "nine movies ahead": ((FRAMEWORK, *ENGINES), rank(9), {"ndcg10", "published_share"}),
    "another model": (ENGINES, rank(1), {"published_share"} | PLACES),
    "fp16 misses a user's movie": (("fp16",), miss_one_user, {"fp16_hr10_drop"}),
    "another best movie": (("fp32",), choose_another, {"top_item_agreement"}),
    "not the best that is known": (
        ("fp32",),
        choose_another_of_a_published_user,
        {"top_item_agreement", "published_share"},
    ),
    "other probabilities": (("fp32",), shift, {"probability_difference"}),
    "processes say different things": (("fp32",), differ, {"identical_answers"}),
    "a process ended": (("fp32",), lose_a_worker, {"workers_lost"}),
}


def recommender_gates(script, folder, sample, data, wrong=(), damage=None):
    precisions = configuration(sample, data)["precisions"]
    report = json.loads((ROOT / "docs" / "results" / "h200" / "movielens_mps_report.json").read_text())
    serving = report["precisions"]["fp32"]["serving"]
    for name in (FRAMEWORK, *precisions):
        said = answers()
        if name in wrong:
            damage(said, serving)
        np.savez(folder / f"predictions.{name}.npz", **said)
    write_json(folder / "serving.json", serving)
    known = {"published": PUBLISHED} if data == "full" else {}
    measurements = {"serving": folder / "serving.json"} if "serving" in configuration(sample, data) else {}
    for name in precisions:
        files = {"predictions": folder / f"predictions.{name}.npz", **measurements}
        outputs = {"metrics": folder / f"metrics.{name}.json"}
        script("score", *step("score", task="recommendation", settings=known, inputs=files, outputs=outputs))
    files = {"framework": folder / f"predictions.{FRAMEWORK}.npz"}
    files["predictions"] = named(folder, "predictions.{}.npz", precisions)
    outputs = {"agreement": folder / "agreement.json"}
    script("compare", *step("compare", task="recommendation", inputs=files, outputs=outputs))
    return failed_gates(script, folder, sample, data, precisions)


# ---- all of them: how a sample's gates come about, and what can be wrong

KINDS = {
    **dict.fromkeys(DETECTORS, (detector_gates, DETECTOR_FAULTS)),
    "nmt": (translation_gates, TRANSLATION_FAULTS),
    **dict.fromkeys(RECOMMENDERS, (recommender_gates, RECOMMENDER_FAULTS)),
}
CASES = with_data(*KINDS)


@pytest.mark.parametrize(("sample", "data"), CASES)
def test_right_results_pass_all_gates(script, tmp_path, sample, data):
    gates_of, _ = KINDS[sample]
    assert gates_of(script, tmp_path, sample, data) == set()


@pytest.mark.parametrize(("sample", "data", "fault"), [(*case, fault) for case in CASES for fault in KINDS[case[0]][1]])
def test_wrong_results_fail_their_gates(script, tmp_path, sample, data, fault):
    gates_of, faults = KINDS[sample]
    wrong, damage, wanted = faults[fault]
    assert gates_of(script, tmp_path, sample, data, wrong, damage) == concerned(sample, data, wanted)


@pytest.mark.parametrize(("sample", "data"), CASES)
def test_every_gate_has_a_fault_that_it_fails_on(sample, data):
    _, faults = KINDS[sample]
    caught = {gate for *_, gates in faults.values() for gate in gates}
    assert {gate["name"] for gate in configuration(sample, data)["gates"]} <= caught
