"""Arrays in .npz files whose bytes depend on the arrays alone (NumPy's own writer stores the time)."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping

import numpy as np

from trtflow.formats.errors import FormatError
from trtflow.formats.files import atomic_path

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can hold


def write_arrays(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays by name, uncompressed; `np.load` reads them."""
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", EPOCH), buffer.getvalue())


def read_arrays(path: str | os.PathLike[str], *names: str) -> list[np.ndarray]:
    """Return the named arrays of a file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return [file[name] for name in names]
    except (ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
        raise FormatError(path, f"not the arrays {', '.join(names)} ({error})", "Make it again.") from error
