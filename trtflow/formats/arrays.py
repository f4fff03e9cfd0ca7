"""Arrays in .npz files whose bytes depend on the arrays alone (NumPy's own writer stores the time)."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping
from math import prod
from pathlib import Path

import numpy as np

from trtflow.formats.damage import check_unfolded, refuse_damage
from trtflow.formats.files import atomic_path

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can hold


def write_arrays(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays by name, uncompressed; `np.load` reads them."""
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", EPOCH), buffer.getvalue())


def read_arrays(
    path: str | os.PathLike[str], *names: str, what: str = "", remedy: str = "Make it again."
) -> list[np.ndarray]:
    """Return the named arrays of a file.

    Args:
        path: the file.
        names: of the arrays.
        what: what the file is to be, for errors.
        remedy: what the user can do about a damaged one.

    Raises:
        FormatError: it is no such file, or a damaged one, lacks an array, or says of one that it is larger than the
            file; one of Python's objects is refused too.
    """
    fault = f"not {what or 'the arrays ' + ', '.join(names)}"
    with refuse_damage(path, fault, remedy), zipfile.ZipFile(path) as archive:
        check_unfolded(path, sum(archive.getinfo(f"{name}.npy").file_size for name in names))
        return [_array_of(archive.read(f"{name}.npy"), f"{name}.npy") for name in names]


def names_in(path: str | os.PathLike[str]) -> list[str]:
    """Return the names of a file's arrays.

    Raises:
        FormatError: it is no such file, or a damaged one.
    """
    with refuse_damage(path, "not arrays", "Make it again."), zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def read_npy(path: str | os.PathLike[str], remedy: str = "Write it with numpy.save.") -> np.ndarray:
    """Return the array of a file of one.

    Raises:
        FormatError: it is no such file, or a damaged one, or says of its array that it is larger; one of Python's
            objects is refused too.
    """
    with refuse_damage(path, "not an array", remedy):
        return _array_of(Path(path).read_bytes(), "it")


def _array_of(data: bytes, name: str) -> np.ndarray:
    """Return an array; its header is held against the bytes that follow, before NumPy takes memory for it.

    Raises:
        ValueError: it is none, holds Python's objects, or its header says another size than it has.
    """
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, in_columns, dtype = read_header(file)
    values = memoryview(data)[file.tell() :]
    size = prod(shape) * dtype.itemsize
    if dtype.hasobject or not dtype.itemsize or min(shape, default=0) < 0 or size != len(values):
        raise ValueError(f"{name} has {len(values)} bytes for the shape {shape} of {dtype}")
    array = np.ndarray(shape, dtype, values, order="F" if in_columns else "C")
    return array.copy()  # as NumPy's own: to be written to
