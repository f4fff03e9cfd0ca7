"""Tests import scripts; which of them run Snakemake or train, `pytest -m "not workflow"` leaves out."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# at the end, as scripts/_path.py has it: scripts/profile.py is no module of Python's
sys.path.append(str(TESTS.parent / "scripts"))
# folders of tests whose fixtures make reports; in tests/ itself lie those of whole samples
RUNS = ("rules", "slurm", "gpu")
# of what a script or a fixture of these folders trains
TRAINS = ("test_full_", "_training.py")


def runs_or_trains(path: Path) -> bool:
    """Return whether the tests of a file run the workflow or train a network for long."""
    parts = path.relative_to(TESTS).parts
    return (
        (len(parts) == 1 and parts[0] not in ("test_structure.py", "test_supply.py"))
        or parts[0] in RUNS
        or any(name in parts[-1] for name in TRAINS)
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them, and let them come first: of files that are worked off side by side, the long ones are to begin."""
    for item in items:
        if TESTS in item.path.parents and runs_or_trains(item.path):
            item.add_marker(pytest.mark.workflow)
    items.sort(key=lambda item: item.get_closest_marker("workflow") is None)
