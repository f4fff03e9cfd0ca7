"""Tests import scripts; which of them run Snakemake or train, `pytest -m "not workflow"` leaves out."""

from __future__ import annotations

import gc
import json
import os
import sys
from pathlib import Path

import pytest
import warm_python

TESTS = Path(__file__).parent
# at the end, as scripts/_path.py has it: scripts/profile.py is no module of Python's
sys.path.append(str(TESTS.parent / "scripts"))
BEFORE = pytest.StashKey[dict[str, str]]()  # the environment before tests are imported
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


def keep_to_own_cores(worker: str, workers: int) -> None:
    """Let one of several workers, and what it starts, run on its share of the cores.

    Libraries start a thread a core, which wait for one another in a loop: that of two workers on two cores, each with
    two threads, takes an eighth more of the processor.
    """
    if hasattr(os, "sched_setaffinity"):
        cores, place = sorted(os.sched_getaffinity(0)), int(worker.removeprefix("gw"))
        os.sched_setaffinity(0, cores[place::workers] or [cores[place % len(cores)]])


def pytest_configure(config: pytest.Config) -> None:
    """Start one server of warm Pythons for all workers, and let tests start programs by it."""
    if hasattr(config, "workerinput"):
        keep_to_own_cores(config.workerinput["workerid"], config.workerinput["workercount"])
    warm_python.leave_writing_to_the_system()
    config.stash[BEFORE] = dict(os.environ)
    if not warm_python.POSSIBLE:
        return
    if not hasattr(config, "workerinput"):
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or each of a thousand programs compiles the modules anew
        whole = config.args_source is config.ArgsSource.TESTPATHS  # no file is named: some test needs each of these
        server = warm_python.Server(libraries=warm_python.MANY if whole else ())
        config.add_cleanup(server.close)
        warm_python.write_programs()
        os.environ[warm_python.SOCKET] = server.place
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        sys.executable = str(warm_python.BIN / "python")
        sys.dont_write_bytecode = False


def pytest_collection_finish(session: pytest.Session) -> None:
    """Tell the server what importing the tests changed of the environment: what libraries set is harmless."""
    before = session.config.stash[BEFORE]
    changed = {name: value for name, value in os.environ.items() if value != before.get(name)}
    os.environ[warm_python.CHANGED] = json.dumps(changed)
    gc.collect()
    gc.freeze()  # libraries and the list of tests stay: half a million objects that no search for cycles is to visit


@pytest.fixture(autouse=True)
def _cold(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tests that are marked so start Python from nothing."""
    if request.node.get_closest_marker("cold") is not None:
        monkeypatch.setattr(sys, "executable", warm_python.COLD)
        monkeypatch.delenv(warm_python.SOCKET, raising=False)
