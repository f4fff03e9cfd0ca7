"""What an engine came from: `engine.<precision>.json` beside `engine.<precision>.plan`, with checksums of both."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trtflow.formats import FormatError
from trtflow.formats.files import write_bytes, write_json

PLAN, SELF = "plan_sha256", "sha256"  # of the plan, and of what the origin itself says
REBUILD = "Delete it and make the engine again with snakemake."


def write_engine(path: Path, plan: bytes, origin: Mapping[str, Any]) -> None:
    """Write a plan, and beside it where it came from.

    Args:
        path: `engine.<precision>.plan`.
        plan: the serialised engine.
        origin: `backend`, as results/backend.json has it, perhaps `plugins`, and whatever else shall be known of it.
    """
    write_bytes(path, plan)
    said = {**{key: value for key, value in origin.items() if key != SELF}, PLAN: hashlib.sha256(plan).hexdigest()}
    write_json(path.with_suffix(".json"), {**said, SELF: _digest(said)})


def read_origin(plan: Path) -> dict[str, Any]:
    """Return what `engine.<precision>.json` says of the plan beside it: backend, precision, plugins and more.

    Raises:
        FormatError: it is damaged, was changed, or is something else.
    """
    path = plan.with_suffix(".json")
    try:
        said = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise FormatError(path, f"not the origin of a plan ({error})", REBUILD) from error
    if not isinstance(said, dict) or not isinstance(said.get("backend"), dict):
        raise FormatError(path, "not the origin of a plan (it does not say for which backend)", REBUILD)
    if said.pop(SELF, None) != _digest(said):
        raise FormatError(path, "not the origin of a plan as it was written (its checksum does not match)", REBUILD)
    return {"plugins": [], **said}


def read_plan(plan: Path, origin: Mapping[str, Any]) -> bytes:
    """Return the bytes of a plan.

    Raises:
        FormatError: they are not those that the origin was written for.
    """
    found = plan.read_bytes()
    if hashlib.sha256(found).hexdigest() != origin.get(PLAN):
        remedy = f"Delete it and make {plan} again with snakemake."
        raise FormatError(plan, "the plan is damaged: its checksum is not the one it was written with", remedy)
    return found


def _digest(said: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
