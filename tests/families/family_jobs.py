"""Steps of families as the workflow gives them, for tests."""

from pathlib import Path

from trtflow import families
from trtflow.datasets.manifest import write_manifest
from trtflow.job import Job


def files(paths):
    """Return files by name, each a path or several, as a job has them."""
    several = {name: path if isinstance(path, list | tuple) else [path] for name, path in (paths or {}).items()}
    return {name: tuple(map(Path, paths)) for name, paths in several.items()}


def do(family, function, settings=None, inputs=None, outputs=None, sample="toy"):
    """Do a step of a family."""
    names = {"step": function, "function": function, "family": family, "task": "none", "data_set": "none"}
    job = Job(sample, **names, settings=settings or {}, inputs=files(inputs), outputs=files(outputs))
    families.function_of(job)(job)


def list_scenes(folder):
    """Write the manifest of a split in Pascal VOC's layout; return its path."""
    path = folder.with_suffix(".sha256")
    write_manifest(path, folder, [file for file in folder.rglob("*") if file.is_file()])
    return path


def list_pictures(folder, split):
    """Write the manifest of a split whose list lies beside the pictures; return its path."""
    path = folder / f"{split}.sha256"
    write_manifest(path, folder, [*(folder / split).iterdir(), folder / f"{split}.txt"])
    return path
