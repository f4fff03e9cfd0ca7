"""How tasks find their steps, and predictions that do not fit what they are held against."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from jobs import job, named
from sklearn.metrics import accuracy_score, recall_score, top_k_accuracy_score

from trtflow import tasks
from trtflow.datasets.digit_pictures import write_split as write_pictures
from trtflow.datasets.digit_scenes import write_split as write_scenes
from trtflow.datasets.digits import read_labels, write_digits
from trtflow.datasets.manifest import write_manifest
from trtflow.formats import FormatError, UserError
from trtflow.formats.arrays import write_arrays
from trtflow.tasks.files import spoilt_arrays
from trtflow.workflow.configuration import read_mapping

ROOT = Path(__file__).resolve().parents[2]
NAMES = (
    "classification",
    "detection",
    "generation",
    "multilabel",
    "none",
    "recommendation",
    "regression",
    "segmentation",
    "translation",
)
ENGINE_HAS_NOT = [
    "PIL",
    "jsonschema",
    "keras",
    "matplotlib",
    "rich",
    "sacrebleu",
    "sklearn",
    "tensorflow",
    "torch",
    "yaml",
]


def do(function, **given):
    asked = job(function, **given)
    tasks.load(asked)(asked)


def likely(rng, count, classes=10):
    values = rng.uniform(size=(count, classes)).astype(np.float32)
    return values / values.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Digits, coloured pictures and scenes, with predictions of each."""
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    write_digits(folder / "digits", {"train": 1, "calibration": 1, "val": 60}, 0)
    write_arrays(folder / "digits.npz", {"probabilities": likely(rng, 60), "images": np.arange(60)})
    write_pictures(folder / "pictures", "val", 4, 32, 0)
    pictures = [*(folder / "pictures/val").glob("*"), folder / "pictures/val.txt"]
    write_manifest(folder / "pictures/val.sha256", folder / "pictures", pictures)
    write_arrays(folder / "pictures.npz", {"probabilities": likely(rng, 4), "images": np.arange(4)})
    write_scenes(folder / "val", "val", 2, 0)
    write_manifest(folder / "val.sha256", folder / "val", (folder / "val").rglob("*.*"))
    images = np.array(["000000", "000001"])
    write_arrays(folder / "scenes.npz", {"detections": np.zeros((2, 3, 7), np.float32), "images": images})
    return folder


def score_digits(data, out, predictions=None, **settings):
    files = {"val": data / "digits/val.npz", "predictions": predictions or data / "digits.npz"}
    given = {"inputs": files, "outputs": {"metrics": out}, "settings": settings}
    do("score", task="classification", data_set="digits", **given)
    return json.loads(out.read_text())


def test_scores_of_digits_are_those_of_scikit_learn(data, tmp_path):
    found = score_digits(data, tmp_path / "m.json", random_batch={"size": 20, "seed": 5})
    labels, chances = read_labels(data / "digits", "val"), np.load(data / "digits.npz")["probabilities"]
    guesses = chances.argmax(axis=1)
    assert found["metrics"]["top1"] == pytest.approx(accuracy_score(labels, guesses))
    assert found["metrics"]["top5"] == pytest.approx(top_k_accuracy_score(labels, chances, k=5))
    rows = np.random.default_rng(5).choice(60, 20, replace=False)
    assert found["metrics"]["batch_top1"] == pytest.approx(accuracy_score(labels[rows], guesses[rows]))
    wanted = recall_score(labels, guesses, average=None)
    assert list(found["details"]["recall"].values()) == pytest.approx(wanted.tolist())
    with pytest.raises(UserError, match="random_batch.size 61 is more than the 60 items"):
        score_digits(data, tmp_path / "m.json", random_batch={"size": 61, "seed": 5})


def test_pictures_are_scored_by_their_manifest(data, tmp_path):
    files = {"val": data / "pictures/val.sha256", "predictions": data / "pictures.npz"}
    given = {"inputs": files, "outputs": {"metrics": tmp_path / "m.json"}}
    do("score", task="classification", data_set="digit_pictures", **given)
    labels = [int(line.split()[1]) for line in (data / "pictures/val.txt").read_text().splitlines()]
    chances = np.load(data / "pictures.npz")["probabilities"]
    assert json.loads((tmp_path / "m.json").read_text())["metrics"]["top1"] == accuracy_score(labels, chances.argmax(1))
    (data / "pictures/val/000009.jpg").touch()
    try:
        with pytest.raises(FormatError, match=r"000009\.jpg: it was added"):
            do("score", task="classification", data_set="digit_pictures", **given)
    finally:
        (data / "pictures/val/000009.jpg").unlink()


@pytest.mark.parametrize(
    ("count", "classes", "fault"), [(59, 10, "59 predictions, but .* has 60"), (60, 9, r"shape \(60, 9\), .* class 9")]
)
def test_predictions_that_do_not_fit_digits(data, tmp_path, count, classes, fault):
    values = likely(np.random.default_rng(1), count, classes)
    write_arrays(tmp_path / "p.npz", {"probabilities": values, "images": np.arange(count)})
    with pytest.raises(FormatError, match=f"p.npz: .*{fault}.*Run infer.py again"):
        score_digits(data, tmp_path / "m.json", tmp_path / "p.npz")
    assert not (tmp_path / "m.json").exists()


def test_detections_of_other_pictures(data, tmp_path):
    images = np.array(["000000", "000002"])
    write_arrays(tmp_path / "p.npz", {"detections": np.zeros((2, 3, 7), np.float32), "images": images})
    files = {"val": data / "val.sha256", "predictions": tmp_path / "p.npz"}
    with pytest.raises(FormatError, match="p.npz: not of the images of"):
        do("score", task="detection", inputs=files, outputs={"metrics": tmp_path / "m.json"})
    given = {"inputs": {**files, "predictions": data / "scenes.npz"}, "outputs": {"metrics": tmp_path / "m.json"}}
    with pytest.raises(UserError, match="splits.objects: unknown 'cats'. Known: digits, voc, coco, coco91"):
        do("score", task="detection", settings={"splits": {"objects": "cats"}}, **given)


@pytest.mark.parametrize("task", ["classification", "detection"])
def test_two_files_of_other_items_are_not_compared(tmp_path, task):
    array = "probabilities" if task == "classification" else "detections"
    for name, first in (("predictions.fp32", "a"), ("framework", "b")):
        values = {array: np.zeros((1, 3, 7), np.float32), "images": np.array([first])}
        write_arrays(tmp_path / f"{name}.npz", values)
    files = {"predictions": tmp_path / "predictions.fp32.npz", "framework": tmp_path / "framework.npz"}
    with pytest.raises(FormatError, match="not of the same images as .*framework.npz"):
        do("compare", task=task, inputs=files, outputs={"agreement": tmp_path / "a.json"})


def test_as_many_translations_as_sentences(tmp_path):
    for name, count in (("val.de", 3), ("val.en", 3), ("translations.fp32.txt", 2), ("greedy.fp32.txt", 3)):
        (tmp_path / name).write_text("eins\n" * count)
    files = {"beam": tmp_path / "translations.fp32.txt", "greedy": tmp_path / "greedy.fp32.txt"}
    files["val"] = named(tmp_path, "val.{}", ("de", "en"))
    with pytest.raises(FormatError, match=r"translations.fp32.txt: 2 translations, but there are 3 sentences"):
        do("score", task="translation", inputs=files, outputs={"metrics": tmp_path / "m.json"})


def test_a_file_without_a_precision_in_its_name(tmp_path):
    files = {"predictions": tmp_path / "predictions.npz", "framework": tmp_path / "framework.npz"}
    with pytest.raises(UserError, match="no precision in its name"):
        do("compare", task="recommendation", inputs=files, outputs={"agreement": tmp_path / "a.json"})


def test_an_unknown_task():
    with pytest.raises(UserError, match=f"sample: unknown task 'detect'. Known: {', '.join(NAMES)}."):
        do("score", task="detect", inputs={}, outputs={})
    with pytest.raises(UserError, match="unknown task 'files'"):  # a module, but no task
        do("score", task="files", inputs={}, outputs={})


@pytest.mark.parametrize(
    ("function", "known"), [("draw_digits", "draw, draw_objects, draw_picture"), ("job_classes", "compare, ")]
)
def test_a_task_without_the_function_of_a_step(function, known):
    with pytest.raises(UserError, match=f"task 'detection' has no function '{function}'. It has .*{known}"):
        do(function, task="detection", inputs={}, outputs={})


def test_a_script_says_it_in_one_line():
    given = {"sample": "s", "step": "score", "function": "score", "family": "", "task": "detect", "data_set": ""}
    command = [sys.executable, ROOT / "scripts/score.py", "--job", json.dumps({**given, "inputs": {}, "outputs": {}})]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: s: unknown task 'detect'. Known: classification, ")


@pytest.mark.parametrize("name", NAMES)
def test_the_engines_python_loads_every_task(name):
    code = f"import sys; sys.modules.update(dict.fromkeys({ENGINE_HAS_NOT})); import trtflow.tasks.{name}"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_script_hides_no_module_of_pythons():
    code = "import _path, cProfile, profile; print(profile.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "scripts", capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()).parent != ROOT / "scripts"


STAGES = ("infer", "score", "compare", "draw", "measure", "profile")
CONFIG = ROOT / "config"
OWN_TASKS = [path.stem for path in CONFIG.glob("tasks/*.yaml") if "own" in read_mapping(path)]


def declared():
    """Return task, step and function of all steps that config/tasks and config/families declare of these stages."""
    for path in [*CONFIG.glob("tasks/*.yaml"), *CONFIG.glob("families/*.yaml")]:
        values = read_mapping(path)
        of_own = OWN_TASKS if path == CONFIG / "families/own.yaml" else [values.get("task", path.stem)]
        for name, says in values["steps"].items():
            if says["stage"] in STAGES:
                yield from ((task, name, says.get("function", name)) for task in of_own)


@pytest.mark.parametrize(("task", "name", "function"), sorted(declared()))
def test_tasks_have_the_functions_of_all_steps(task, name, function):
    assert tasks.load(job(function, task=task, step=name, inputs={}, outputs={})).__name__ == function


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_counted_and_named_and_worth_nothing(data, tmp_path, capsys, value):
    chances = np.eye(10, dtype=np.float32)[read_labels(data / "digits", "val")]
    write_arrays(tmp_path / "p.npz", {"probabilities": chances, "images": np.arange(60)})
    assert score_digits(data, tmp_path / "m.json", tmp_path / "p.npz")["metrics"]["top1"] == 1
    chances[:6, 3] = value
    write_arrays(tmp_path / "p.npz", {"probabilities": chances, **spoilt_arrays({"prob": 7}), "images": np.arange(60)})
    found = score_digits(data, tmp_path / "m.json", tmp_path / "p.npz")
    assert found["not_finite"] == {"prob": 7, "probabilities": 6}
    assert found["metrics"]["top1"] == pytest.approx(0.9)
    assert "values that are no numbers: 7 of prob, 6 of probabilities" in capsys.readouterr().out


def test_a_comparison_with_what_is_no_number_is_written_as_null(tmp_path):
    files = {name: tmp_path / f"{name}.npz" for name in ("predictions", "framework")}
    for path, value in zip(files.values(), (0.5, np.nan), strict=True):
        write_arrays(path, {"probabilities": np.full((2, 3), value, np.float32), "images": np.arange(2)})
    do("compare", task="classification", inputs=files, outputs={"agreement": tmp_path / "a.json"})
    assert json.loads((tmp_path / "a.json").read_text()) == {"fp32": {"agreement": None}}
