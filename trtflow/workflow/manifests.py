"""Manifests of splits, as far as a plan can see: the names of the files, not their contents."""

from __future__ import annotations

from pathlib import Path

from trtflow.workflow.errors import PlanError


def check_names(manifest: Path) -> None:
    """Refuse a manifest whose folder has other files: thousands are compared in milliseconds, without reading one.

    Args:
        manifest: data/<split>.sha256 of results; those of the user's own files, and one that is not there, pass.

    Raises:
        PlanError: a picture is missing, or was added.
    """
    folder = manifest.with_suffix("")
    if manifest.parent.name != "data" or not manifest.is_file():
        return
    names = [line.split("  ", 1)[-1] for line in manifest.read_text(encoding="utf-8", errors="replace").splitlines()]
    beside = all(name.startswith((f"{folder.name}/", f"{folder.name}.")) for name in names)
    root = folder.parent if beside else folder
    listed = {root / name for name in names}
    there = {path for path in folder.rglob("[!.]*") if path.is_file()} | {path for path in listed if path.is_file()}
    for what, paths in (
        ("is missing, but {0} lists it", listed - there),
        ("was added: {0} does not list it", there - listed),
    ):
        if paths:
            more = f" (and so of {len(paths) - 1} more)" if len(paths) > 1 else ""
            raise PlanError(
                f"{min(paths)}: it {what.format(manifest)}{more}. "
                f"Delete {manifest} and run snakemake again, which makes the split anew."
            )
