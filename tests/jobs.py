"""Steps for tests: as the workflow hands them to a script, and as the script reads them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from trtflow.job import Job

KEYS = ("family", "task", "data_set")


def _listed(files: Mapping[str, Any]) -> dict[str, list[str]]:
    many = {name: [given] if isinstance(given, str | Path) else list(given) for name, given in files.items()}
    return {name: list(map(str, paths)) for name, paths in many.items()}


def step(function: str, *, inputs: Mapping[str, Any], outputs: Mapping[str, Any], **more: Any) -> list[str]:
    """Return the command line of a step's script; a file may stand alone or in a list."""
    values = {"sample": "sample", "step": function, "function": function, **dict.fromkeys(KEYS, ""), **more}
    return ["--job", json.dumps({**values, "inputs": _listed(inputs), "outputs": _listed(outputs)})]


def job(function: str, *, inputs: Mapping[str, Any], outputs: Mapping[str, Any], **more: Any) -> Job:
    """Return a step; a file may stand alone or in a list."""
    values = {"sample": "sample", "step": function, "function": function, **dict.fromkeys(KEYS, ""), **more}
    files = {name: _paths(given) for name, given in (("inputs", inputs), ("outputs", outputs))}
    return Job(**values, **files)


def _paths(files: Mapping[str, Any]) -> dict[str, tuple[Path, ...]]:
    return {name: tuple(map(Path, paths)) for name, paths in _listed(files).items()}


def named(folder: Path, pattern: str, names: Iterable[str]) -> list[Path]:
    """Return files such as predictions.fp32.npz, one for each name."""
    return [folder / pattern.format(name) for name in names]
