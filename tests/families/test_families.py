"""Families offer what config/families names, load without frameworks, and say what is wrong."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from family_jobs import do

from trtflow import families
from trtflow.formats import UserError

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(path.stem for path in (ROOT / "config" / "families").glob("*.yaml"))
STAGES = ("train", "predict", "export")  # whose functions are a family's; others are the task's


@pytest.mark.parametrize("name", NAMES)
def test_every_step_of_the_configuration_has_its_function(name):
    steps = yaml.safe_load((ROOT / "config" / "families" / f"{name}.yaml").read_text())["steps"]
    wanted = {step.get("function", key) for key, step in steps.items() if step["stage"] in STAGES}
    assert wanted
    assert wanted <= set(families.steps_of(families.load(name)))


@pytest.mark.parametrize(
    ("name", "module", "constant"),
    [
        ("ssd", "detection", r"NMS_THRESHOLD = (\S+)"),
        ("faster_rcnn", "detection", r"NMS_THRESHOLD = (\S+)"),
        ("yolov3", "detection", r"NMS_THRESHOLD = (\S+)"),
        ("ssd_inception", "graph", r"IOU_THRESHOLD, \w+ = \S+, (\S+),"),
    ],
)
def test_detectors_say_the_overlap_at_which_their_networks_suppress(name, module, constant):
    said = yaml.safe_load((ROOT / "config" / "families" / f"{name}.yaml").read_text())["sample"]["nms_iou"]
    source = (ROOT / "trtflow" / "families" / name / f"{module}.py").read_text()
    assert float(re.search(constant, source)[1]) == said


def test_every_family_is_configured():
    with pytest.raises(UserError) as caught:
        families.load("nothing")
    assert str(caught.value) == f"unknown family 'nothing'. Known: {', '.join(NAMES)}."


def test_common_code_and_modules_are_no_families_and_no_steps():
    with pytest.raises(UserError, match="unknown family 'common'"):
        families.load("common")
    for function in ("Job", "training", "_convert", "partial"):
        with pytest.raises(UserError, match=f"toy: {function}: family 'faster_rcnn' has no function '{function}'"):
            do("faster_rcnn", function)


def test_families_load_without_frameworks():
    code = (
        "import sys\nfrom trtflow import families\n"
        f"for name in {NAMES}: families.load(name)\n"
        "print(sorted({'torch', 'tensorflow', 'keras', 'onnxruntime', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
