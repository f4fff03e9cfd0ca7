"""The digest of code: another one exactly where what runs is another."""

from __future__ import annotations

from pathlib import Path

import pytest

from trtflow.workflow.digest import Code, Digests
from trtflow.workflow.errors import PlanError
from trtflow.workflow.plan import make_plan
from trtflow.workflow.steps import step_rules

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    "scripts/train.py": "import _path\nfrom trtflow.families import load\n",
    "scripts/_path.py": "import sys\n",
    "trtflow/__init__.py": "",
    "trtflow/families/__init__.py": "def load(): ...\n",
    "trtflow/families/toy/__init__.py": (
        "from trtflow.shared import helper\n"
        "from trtflow.formats import table\n"
        "SIZE = 3\n"
        "WIDTH = 4\n"
        "def train(job):\n"
        "    from trtflow.families.toy import training\n"
        "    return _used(job)\n"
        "def _used(job):\n"
        "    return helper.one(SIZE)\n"
        "def export(job):\n"
        "    from trtflow.families.toy import exporting\n"
        "    return table.write(WIDTH)\n"
    ),
    "trtflow/families/toy/training.py": "from .layers import (\n    conv,\n)\n",
    "trtflow/families/toy/layers.py": "from trtflow.workflow import plan\nconv = 1\n",
    "trtflow/families/toy/exporting.py": "",
    "trtflow/shared/__init__.py": "",
    "trtflow/shared/helper.py": "import trtflow.shared.deep, os\n",
    "trtflow/shared/deep.py": "",
    "trtflow/formats/__init__.py": "",
    "trtflow/formats/table.py": "",
    "trtflow/workflow/__init__.py": "",
    "trtflow/workflow/plan.py": "",
    "trtflow/unused.py": "",
}
ENTRY = "trtflow/families/toy/__init__.py"


def code(folder: Path) -> Path:
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def digest(folder: Path, function: str = "train") -> str:
    return Digests(folder).digest("scripts/train.py", [(ENTRY, function)])


@pytest.mark.parametrize(
    ("file", "trains", "exports"),
    [
        ("scripts/train.py", True, True),
        ("scripts/_path.py", True, True),
        ("trtflow/families/toy/training.py", True, False),
        ("trtflow/families/toy/layers.py", True, False),
        ("trtflow/families/toy/exporting.py", False, True),
        ("trtflow/shared/helper.py", True, False),
        ("trtflow/shared/deep.py", True, False),
        ("trtflow/formats/table.py", False, True),
        ("trtflow/workflow/plan.py", False, False),
        ("trtflow/unused.py", False, False),
    ],
)
def test_edit_changes_the_digest_of_what_imports_it(tmp_path: Path, file: str, trains: bool, exports: bool) -> None:
    folder = code(tmp_path)
    before = {name: digest(folder, name) for name in ("train", "export")}
    path = folder / file
    path.write_text(path.read_text() + "# edited\n")
    assert (digest(folder, "train") != before["train"]) is trains
    assert (digest(folder, "export") != before["export"]) is exports


@pytest.mark.parametrize(
    ("old", "new", "trains", "exports"),
    [
        ("SIZE = 3", "SIZE = 5", True, False),
        ("WIDTH = 4", "WIDTH = 5", False, True),
        ("helper.one(SIZE)", "helper.two(SIZE)", True, False),
        ("table.write(WIDTH)", "table.write(WIDTH, 2)", False, True),
        ("def train", "# a comment\ndef train", False, False),
    ],
)
def test_edit_of_a_function_changes_its_own_digest(
    tmp_path: Path, old: str, new: str, trains: bool, exports: bool
) -> None:
    folder = code(tmp_path)
    before = {name: digest(folder, name) for name in ("train", "export")}
    path = folder / ENTRY
    path.write_text(path.read_text().replace(old, new))
    assert (digest(folder, "train") != before["train"]) is trains
    assert (digest(folder, "export") != before["export"]) is exports


def test_copied_moved_and_touched_code_has_the_same_digest(tmp_path: Path) -> None:
    first = digest(code(tmp_path / "a"))
    assert digest(code(tmp_path / "b")) == first
    (tmp_path / "a").rename(tmp_path / "c")
    for path in (tmp_path / "c").rglob("*.py"):
        path.touch()
    assert digest(tmp_path / "c") == first


def test_every_step_of_every_sample_has_a_digest() -> None:
    plan = make_plan(ROOT, {})
    found = Code(plan)
    stages = ("make_data", "train", "predict", "export", "infer", "score", "compare", "measure", "profile", "draw")
    digests = {
        (rule.step, sample): found.of_step(rule, sample)
        for stage in stages
        for rule in step_rules(plan, stage)
        for sample in rule.samples
    }
    assert len(digests) > 200
    assert digests["train", "mnist"] == digests["train", "mnist_api"]  # the same code, whatever its settings
    assert digests["infer", "mnist"] != digests["infer", "mnist_api"]  # each runs its own sample's module


@pytest.mark.parametrize(
    ("step", "change", "fault"),
    [
        ("compare", {"function": "compair"}, "trtflow/tasks/detection.py has no function compair, which step compare"),
        ("train", {"function": "fit"}, "trtflow/families/ssd/__init__.py has no function fit, which step train"),
    ],
)
def test_function_that_is_not_there_is_told_when_planning(step: str, change: dict[str, str], fault: str) -> None:
    plan = make_plan(ROOT, {})
    says = plan.steps("ssd")[step]
    (rule,) = [rule for rule in step_rules(plan, says["stage"]) if rule.step == step and "ssd" in rule.samples]
    Code(plan).of_step(rule, "ssd")
    says |= change
    with pytest.raises(PlanError, match=fault):
        Code(plan).of_step(rule, "ssd")


def test_scores_are_no_part_of_engines() -> None:
    found = Code(make_plan(ROOT, {}))
    engine = found.digests.modules("scripts/build_engine.py")
    assert "trtflow/reference/lower/layers.py" in engine
    assert not any(path.startswith(("trtflow/metrics", "trtflow/reporting", "trtflow/families")) for path in engine)
