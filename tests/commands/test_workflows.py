""".github/workflows: actionlint has nothing to say, jobs end, and the commands that they run are there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTIONLINT = shutil.which("actionlint", path=str(Path(sys.executable).parent)) or shutil.which("actionlint")


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def workflow(request: pytest.FixtureRequest) -> dict[Any, Any]:
    return dict(yaml.safe_load(request.param.read_text()))


def steps(workflow: dict[Any, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_tests_wheel_and_site_have_one_each() -> None:
    assert [path.stem for path in FILES] == ["site", "tests", "wheel"]


@pytest.mark.skipif(ACTIONLINT is None, reason="no actionlint (requirements-dev.txt)")
def test_actionlint_finds_nothing_here_and_something_elsewhere(tmp_path: Path) -> None:
    done = subprocess.run([str(ACTIONLINT), *map(str, FILES)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(FILES[1].read_text().replace("github.ref", "github.reff"))
    done = subprocess.run([str(ACTIONLINT), str(wrong)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert 'property "reff" is not defined' in done.stdout


def test_jobs_end_and_may_do_what_they_need_alone(workflow: dict[Any, Any]) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        assert 0 < job["timeout-minutes"] <= 90, name
        assert set(job.get("permissions", ())) <= {"pages", "id-token"}, name


def test_actions_are_of_a_version(workflow: dict[Any, Any]) -> None:
    for step in steps(workflow):
        assert ("uses" in step) != ("run" in step)
        assert re.fullmatch(r"actions/[a-z-]+@v\d+", step.get("uses", "actions/x@v1"))


def test_what_steps_run_is_there(workflow: dict[Any, Any]) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for command in (step["run"] for step in steps(workflow) if "run" in step):
        assert all(target in targets for target in re.findall(r"^make (\S+)", command, re.MULTILINE))
        for path in re.findall(r"checkout/((?:tests|docs)/[\w./$-]+)", command):
            pages = [path] if "$page" not in path else [path.replace("$page", name) for name in pages_of(command)]
            assert all((ROOT / page).exists() for page in pages), path
        for script in re.findall(r"^bash (\S+)$", command, re.MULTILINE):
            assert (ROOT / script).exists()


def pages_of(command: str) -> list[str]:
    """Return what a loop goes through."""
    (names,) = re.findall(r"for page in ([^;]+);", command)
    return names.split()


def test_no_host_of_a_registry_is_named() -> None:
    for path in (*FILES, ROOT / "mkdocs.yml", *ROOT.glob("requirements*.txt")):
        assert not re.search(r"https?://|--(extra-)?index-url", path.read_text()), path
