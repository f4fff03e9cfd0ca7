"""Copies of the workflow that take other files for the published ones, by their own checksums."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml
from workflow_copy import ROOT, Workflow, copy

from trtflow.formats.files import sha256_of

SHARED = ROOT.parent / "shared" / "data"
SETTINGS = ("data=full", "backend=reference", "latency_seconds=0.1", "download_attempts=1")


def full_copy(root: Path) -> Workflow:
    """Copy the workflow with all its samples to `root`/copy; its mirror is `root`/mirror."""
    (root / "copy").mkdir()
    made = copy(root / "copy")
    shutil.copytree(ROOT / "config/samples", made.folder / "config/samples", dirs_exist_ok=True)
    return made


def pin(workflow: Workflow, files: Iterable[str]) -> None:
    """Let the copy know files of its mirror by size and SHA-256, and no address that has them."""
    listing = workflow.folder / "config/downloads.yaml"
    listed = yaml.safe_load(listing.read_text())
    for file in files:
        path = workflow.folder.parent / "mirror" / file
        kept = {key: value for key, value in listed[file].items() if key in ("licence", "for", "unpacked")}
        known = {"size": path.stat().st_size, "sha256": sha256_of(path)}
        listed[file] = {"urls": [], "made": "by the test", **known, **kept}
    listing.write_text(yaml.safe_dump(listed))


def run(workflow: Workflow, target: str | Sequence[str], *config: str) -> None:
    """Make a target, or several, with data: full from the mirror."""
    mirror = f"mirror={workflow.folder.parent / 'mirror'}"
    targets = [target] if isinstance(target, str) else target
    done = workflow.run(*targets, config=(*SETTINGS, mirror, *config))
    assert done.returncode == 0, done.stdout
