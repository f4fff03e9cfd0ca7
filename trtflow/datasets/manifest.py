"""The manifest of a split: names and checksums of its files, as sha256sum writes them, in `<split>.sha256` beside it.

A split of thousands of pictures is one file for the workflow: its manifest. Whoever reads the split by it finds what
was changed, taken away or put in since it was made; `cd data/val && sha256sum -c ../val.sha256` does too. Names are
those below the data set's folder, which is `data/val` in Pascal VOC's layout, and `data` where the list of the pictures
lies beside their folder: there all names begin with the split's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from trtflow.formats import FormatError
from trtflow.formats.damage import is_name_within, read_lines
from trtflow.formats.files import sha256_of, write_text

SUFFIX = ".sha256"
LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")


def write_manifest(path: Path, folder: Path, files: Iterable[Path]) -> None:
    """Write `<sha256>  <name>` for each file, sorted by name.

    Args:
        path: `<split>.sha256`, beside the split's folder.
        folder: of the data set: that of the split, or the one in which the split and its list lie.
        files: of the split, below `folder`.
    """
    named = {file.relative_to(folder).as_posix(): file for file in files}
    write_text(path, "".join(f"{sha256_of(named[name])}  {name}\n" for name in sorted(named)))


def read_split(path: Path) -> Path:
    """Return the data set's folder, as `read_images(folder, split)` of data sets takes it, after checking all files.

    Args:
        path: `<split>.sha256`.

    Raises:
        FormatError: the manifest is damaged; a file of the split is changed or missing, or one is there that it lacks.
    """
    listed = _read(path)
    root = path.with_suffix("")
    folder = path.parent if _list_beside(root.name, listed) else root
    there = {file.relative_to(folder).as_posix() for file in _files(root)}
    missing = [name for name in listed if not (folder / name).is_file()]
    faults = {
        f"it is missing, but {path} lists it": missing,
        f"it was added: {path} does not list it": sorted(there - set(listed)),
        f"it was changed: its checksum is not the one of {path}": [
            name for name, checksum in listed.items() if name not in missing and sha256_of(folder / name) != checksum
        ],
    }
    for fault, names in faults.items():
        if names:
            others = f" (and so of {len(names) - 1} more)" if len(names) > 1 else ""
            raise FormatError(folder / names[0], f"{fault}{others}", _remedy(path))
    return folder


def locate(path: Path, split: str | None = None) -> tuple[Path, str]:
    """Return folder and name of a split, as `read_images(folder, split)` of data sets takes them.

    Args:
        path: what stands for the split: its manifest, which is checked and names it; or with `split` the folder of the
            data set; or `<split>.npz`, where it is one file.
        split: name of the split, where `path` is a folder.

    Raises:
        FormatError: as for `read_split`.
    """
    if path.suffix == SUFFIX:
        return read_split(path), path.stem
    return (path.parent, path.stem) if split is None else (path, split)


def _read(path: Path) -> dict[str, str]:
    """Return the checksum of each name that a manifest lists."""
    listed: dict[str, str] = {}
    for number, line in enumerate(read_lines(path, _remedy(path)), 1):
        match = LINE.fullmatch(line)
        if match is None or not is_name_within(match[2]):
            raise FormatError(path, f"line {number}: {line[:80]!r} is not <sha256>  <name>", _remedy(path))
        if match[2] in listed:
            raise FormatError(path, f"line {number}: {match[2]!r} is there twice", _remedy(path))
        listed[match[2]] = match[1]
    if not listed:
        raise FormatError(path, "the manifest is empty", _remedy(path))
    return listed


def _list_beside(split: str, names: Iterable[str]) -> bool:
    return all(name.startswith((f"{split}/", f"{split}.")) for name in names)


def _files(folder: Path) -> list[Path]:
    """Return the files of a folder, but for hidden ones: the workflow keeps its notes in such."""
    return [path for path in folder.rglob("[!.]*") if path.is_file()]


def _remedy(path: Path) -> str:
    return f"Delete {path} and run snakemake again, which makes the split anew."
