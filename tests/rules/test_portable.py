"""A finished sample stays so wherever it lies and whatever its dates are; its code and its pictures count."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from workflow_copy import Workflow, copy

TARGETS = ("results/ssd_report.json", "results/ssd/network.int8.onnx")
PRECISIONS = ("fp32", "fp16", "int8")
PICTURE = "data/val/JPEGImages/000001.jpg"


def move(finished: Workflow, place: Path) -> None:
    """Leave nothing where it was."""
    finished.folder.rename(place)


def cp(option: str) -> Callable[[Workflow, Path], None]:
    """Return what copies the whole checkout, results and Snakemake's notes included."""

    def copied(finished: Workflow, place: Path) -> None:
        subprocess.run(["cp", option, finished.folder, place], check=True)

    return copied


def lay_beside_kept_results(finished: Workflow, place: Path) -> None:
    """A new clone, and the results of an earlier one without Snakemake's notes of how they were made."""
    place.mkdir()
    copy(place)
    subprocess.run(["cp", "-a", finished.folder / "results", place], check=True)


@pytest.fixture
def elsewhere(finished: Workflow, tmp_path: Path) -> Iterator[Path]:
    """A place with a blank in its name; what was moved there goes back."""
    place = tmp_path / "another place" / "trtflow"
    place.parent.mkdir()
    yield place
    if not finished.folder.exists():
        place.rename(finished.folder)


@pytest.mark.parametrize(
    "put", [move, cp("-a"), cp("-r"), lay_beside_kept_results], ids=["mv", "cp -a", "cp -r", "clone"]
)
def test_another_place_is_no_other_job(finished: Workflow, elsewhere: Path, put: Callable[[Workflow, Path], None]):
    put(finished, elsewhere)
    assert Workflow(elsewhere).planned(*TARGETS) == set()


@pytest.mark.parametrize("parts", [("results",), ("scripts", "trtflow", "rules", "config", "Snakefile")])
def test_another_date_is_no_other_job(editable: Workflow, parts: tuple[str, ...]):
    """The dates of results go backwards: each file is newer than all that are made of it."""
    paths = [path for part in parts for path in (editable.folder / part, *(editable.folder / part).rglob("*"))]
    files = [path for path in paths if path.is_file()]
    oldest_last = sorted(files, key=lambda path: path.stat().st_mtime_ns, reverse=True)
    now = max(path.stat().st_mtime for path in files)
    for seconds, path in enumerate(oldest_last):
        os.utime(path, (now + seconds, now + seconds))
    assert editable.planned(*TARGETS) == set()


def jobs_of(workflow: Workflow) -> dict[str, str]:
    """Return the first output of each job that a run would make, with the reason."""
    done = workflow.run(*TARGETS, "--dry-run", "--verbose")
    assert done.returncode == 0, done.stdout
    jobs = re.findall(r"^ +output: ([^\n,]+)[^\n]*\n(?:^ +.*\n)*?^ +reason: (.*)$", done.stdout, re.MULTILINE)
    return {output.removeprefix("results/"): reason for output, reason in jobs}


@pytest.mark.parametrize(
    ("module", "ours", "made_of_it"),
    [
        (
            "trtflow/metrics/voc.py",
            {f"ssd/metrics.{precision}.json" for precision in PRECISIONS},
            {"ssd/figures/precisions.png", "ssd_report.json"},
        ),
        ("trtflow/reporting/report.py", {"ssd/figures/precisions.png"}, {"ssd_report.json"}),  # which imports it too
        ("trtflow/calibration/mixed_precision.py", set(), set()),
        ("trtflow/workflow/closing.py", set(), set()),  # planning, and what a run says, are in no result
    ],
)
def test_an_edit_makes_again_what_imports_it_and_nothing_else(
    editable: Workflow, module: str, ours: set[str], made_of_it: set[str]
):
    path = editable.folder / module
    path.write_text(path.read_text() + "\n# edited\n")
    jobs = jobs_of(editable)
    assert {output for output, reason in jobs.items() if reason.startswith("Params have changed")} == ours
    assert set(jobs) - ours == made_of_it


def change(picture: Path) -> Path:
    """Flip a bit of a picture."""
    picture.write_bytes(picture.read_bytes()[:-1] + b"\0")
    return picture


def remove(picture: Path) -> Path:
    """Take a picture away."""
    picture.unlink()
    return picture


def add(picture: Path) -> Path:
    """Put a picture in."""
    return Path(shutil.copy2(picture, picture.with_name("more.jpg")))


@pytest.mark.parametrize(
    ("damage", "fault", "before"),
    [
        (change, "it was changed: its checksum is not the one of", False),
        (remove, "it is missing, but", True),
        (add, "it was added:", True),
    ],
)
def test_pictures_that_are_not_their_manifests(
    editable: Workflow, damage: Callable[[Path], Path], fault: str, before: bool
):
    damaged = damage(editable.path(PICTURE)).relative_to(editable.folder)
    editable.path("inputs.npz").unlink()
    kept, log = editable.written(), editable.folder / "logs/ssd/prepare_inputs.log"
    began = log.stat().st_mtime_ns
    done = editable.run("results/ssd/inputs.npz")
    assert done.returncode != 0
    start = "error: " if before else "failed: "
    told = {line.split("error: ")[-1] for line in done.stdout.splitlines() if line.startswith(start)}
    assert len(told) == 1, done.stdout
    (line,) = told
    assert line.startswith(f"{damaged}: {fault}"), line
    assert "Delete results/ssd/data/val.sha256 and run snakemake again" in line
    assert "Traceback" not in done.stdout
    assert editable.written() == kept
    assert (log.stat().st_mtime_ns == began) is before
