"""One small real run of the workflow that tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from kept import copy_of, kept
from workflow_copy import SMALL, Workflow, finish


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """A workflow after one small run; tests must leave it as it is."""
    made = kept("finished", SMALL, finish)
    return Workflow(copy_of(made, tmp_path_factory.mktemp("finished run")))  # with a blank, as in many a home folder


@pytest.fixture
def editable(finished: Workflow, tmp_path: Path) -> Workflow:
    """A copy of it for one test to change."""
    return Workflow(copy_of(finished.folder, tmp_path / "editable copy"))
