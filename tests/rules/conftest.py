"""One small real run of the workflow that tests share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from workflow_copy import Workflow, copy


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """A workflow after one small run; tests must leave it as it is."""
    workflow = copy(tmp_path_factory.mktemp("finished run"))  # with a space, as in many a home folder
    done = workflow.run("results/ssd_report.json", "results/ssd/network.int8.onnx")
    assert done.returncode == 0, done.stdout
    return workflow


@pytest.fixture
def editable(finished: Workflow, tmp_path: Path) -> Iterator[Workflow]:
    """The finished workflow for one test to change; it is put back afterwards, in place, for its paths are recorded."""
    kept = tmp_path / "kept"
    shutil.copytree(finished.folder, kept, symlinks=True)
    yield finished
    shutil.rmtree(finished.folder)
    shutil.copytree(kept, finished.folder, symlinks=True)
