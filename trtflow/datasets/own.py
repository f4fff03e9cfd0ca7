"""Data of the user's own: pictures in folders, arrays (.npz, .npy) or tables (.csv, .parquet), as columns by name."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trtflow.datasets.images import PICTURES
from trtflow.datasets.labelled.lists import is_list, picture_file, pictures_of
from trtflow.formats import FormatError, UserError
from trtflow.formats.arrays import names_in, read_arrays, read_npy
from trtflow.formats.damage import refuse_damage

TABLES = (".csv", ".parquet")
FORMS = "a folder of pictures, a list of them (.txt, COCO's .json), or a file that ends in .npz, .npy, .csv or .parquet"
PICTURE, FOLDER = "pictures", "labels"  # columns of a folder: its pictures, and the folders that these lie in
INPUTS, LABELS, TARGETS = "inputs", "labels", "targets"  # arrays that need no name in the YAML file
LIST = "\x1f"  # ASCII's unit separator: between names that a list of a Parquet file has
NUMBERS = (np.int64, np.float64)
NAME = re.compile(r"0\d+")  # digits that are no number
LISTED = 12  # names that an error has
Column = np.ndarray | list[Path]


@dataclass(frozen=True)
class Items:
    """Items in their order.

    Attributes:
        source: file or folder that they are of.
        names: of the items.
        columns: what there is of each item, by name: an array [N, ...], of a table's text an array of str, or paths
            of pictures.
        folder: that names of pictures in a table start from; None for the table's own.
    """

    source: Path
    names: list[str]
    columns: Mapping[str, Column]
    folder: Path | None = None

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, rows: slice | Sequence[int]) -> Items:
        """Return some of them."""
        places = range(len(self))[rows] if isinstance(rows, slice) else rows
        taken = {
            name: values[list(places)] if isinstance(values, np.ndarray) else [values[place] for place in places]
            for name, values in self.columns.items()
        }
        return Items(self.source, [self.names[place] for place in places], taken, self.folder)

    def column(self, name: str, wanted_by: str) -> Column:
        """Return a column.

        Raises:
            FormatError: there is none of that name.
        """
        if name not in self.columns:
            known = ", ".join(list(self.columns)[:LISTED]) + (", …" if len(self.columns) > LISTED else "")
            fault = f"no column or array {name!r}, which {wanted_by} needs"
            raise FormatError(self.source, fault, f"It has {known}. Name one of these in the sample's YAML file.")
        return self.columns[name]

    def pictures(self, name: str, wanted_by: str) -> list[Path]:
        """Return the pictures that a column names, with or without their ending.

        Raises:
            FormatError: there is no such column, or one is not there.
        """
        values = self.column(name, wanted_by)
        if not isinstance(values, np.ndarray):
            return values
        folder = self.folder or self.source.parent
        found = [picture_file(folder, str(text)) for text in values.tolist()]
        for item, text, path in zip(self.names, values.tolist(), found, strict=True):
            if path is None:
                fault = f"row {item}: the picture {str(text)!r} is not in {folder}"
                remedy = "Add it, take the row out, or say as data.folder where names of pictures start."
                raise FormatError(self.source, fault, remedy)
        return [path for path in found if path is not None]

    def numbers(self, names: Sequence[str], wanted_by: str) -> np.ndarray:
        """Return columns of numbers side by side [N, K], of one column what it holds [N, ...].

        Raises:
            FormatError: one is not there, or holds no numbers.
        """
        found = []
        for name in names:
            values = self.column(name, wanted_by)
            if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
                raise FormatError(self.source, f"{name!r} holds no numbers, which {wanted_by} needs", "Correct it.")
            found.append(values)
        if len(found) == 1:
            return found[0]
        return np.concatenate([values.reshape(len(values), -1) for values in found], axis=1)


def read_items(source: Path, wanted: Collection[str] = (), folder: Path | None = None) -> Items:
    """Return all items of the user's data.

    Args:
        source: folder or file.
        wanted: arrays of an .npz file that count, where it has them; without any all.
        folder: that names of pictures in a list or a table start from.

    Raises:
        FormatError: there are none, or the file is damaged.
        UserError: it is of no known form, or not there.
    """
    if not source.exists():
        raise UserError(f"{source}: no such file or folder. Give {FORMS}.")
    if source.is_dir():
        return _read_folder(source)
    if is_list(source):
        return _read_list(source, folder)
    readers = {".npz": _read_npz, ".npy": _read_npy, ".csv": _read_csv, ".parquet": _read_parquet}
    if source.suffix not in readers:
        raise UserError(f"{source}: data of no known form. Give {FORMS}.")
    columns = readers[source.suffix](source)
    if source.suffix == ".npz" and wanted:
        columns = {name: values for name, values in columns.items() if name in wanted} or columns
    lengths = {name: len(values) if getattr(values, "ndim", 1) else 0 for name, values in columns.items()}
    if not lengths or min(lengths.values()) == 0:
        raise FormatError(source, "it has no items", "Write some into it.")
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{count} of {name}" for name, count in lengths.items())
        raise FormatError(source, f"its arrays are of several lengths: {told}", "Give each item a row of each.")
    return Items(source, [str(place) for place in range(next(iter(lengths.values())))], columns, folder)


def array_shapes(source: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the arrays of an item, by name; of data that are no arrays none.

    Raises:
        FormatError, UserError: as of `read_items`.
    """
    if source.suffix not in (".npz", ".npy"):
        return {}
    columns = read_items(source).columns
    return {name: values.shape[1:] for name, values in columns.items() if isinstance(values, np.ndarray)}


def _read_folder(root: Path) -> Items:
    """Return pictures at any depth, with the name of the folder that each lies in."""
    paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in PICTURES)
    if not paths:
        raise FormatError(root, "no pictures, and no .npz file", f"Known are {', '.join(PICTURES)}.")
    names = [path.relative_to(root).as_posix() for path in paths]
    return Items(root, names, {PICTURE: paths, FOLDER: np.array([path.parent.name for path in paths])})


def _read_list(path: Path, folder: Path | None) -> Items:
    """Return the pictures that a list names, each with the label behind its name, or with that of its folder."""
    split = pictures_of(path, folder)
    folders = np.array([picture.parent.name for picture in split.paths])
    return Items(path, split.names, {PICTURE: split.paths, FOLDER: folders if split.labels is None else split.labels})


def _read_npz(path: Path) -> dict[str, Column]:
    names = names_in(path)
    return dict(zip(names, read_arrays(path, *names), strict=True))


def _read_npy(path: Path) -> dict[str, Column]:
    return {INPUTS: read_npy(path)}


def _read_csv(path: Path) -> dict[str, Column]:
    """Return the columns of a table whose first line names them; those of numbers alone as such, others as text."""
    again = "Write a line with the names of the columns, then a line an item, of as many fields."
    fault, marked = "not a table of comma-separated values", "utf-8-sig"  # as spreadsheets write it
    with refuse_damage(path, fault, again, (csv.Error,)), path.open(newline="", encoding=marked) as file:
        rows = [row for row in csv.reader(file) if row]
    if not rows:
        raise FormatError(path, "it is empty", again)
    heading = [name.strip() for name in rows[0]]
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(heading):
            raise FormatError(path, f"row {number} has {len(row)} fields, but there are {len(heading)} columns", again)
    if len(set(heading)) != len(heading):
        raise FormatError(path, "two columns have one name", again)
    columns = zip(*rows[1:], strict=True) if len(rows) > 1 else [()] * len(heading)
    return {name: _typed(list(values)) for name, values in zip(heading, columns, strict=True)}


def _typed(values: list[str]) -> np.ndarray:
    """Return values as whole numbers, or else as numbers, or else as text, which names such as 0007 stay too."""
    numbers = () if any(NAME.fullmatch(value.strip()) for value in values) else NUMBERS
    for kind in numbers:
        try:
            return np.array(values, kind)
        except (ValueError, OverflowError):
            continue
    return np.array([value.strip() for value in values])


def _read_parquet(path: Path) -> dict[str, Column]:
    """Return the columns of a Parquet file: of lists of names text, of lists of numbers of one length arrays [N, K]."""
    try:
        import pyarrow.parquet  # noqa: PLC0415 - of who has such files
    except ImportError as error:
        raise UserError(f"{path}: Parquet needs pyarrow: pip install pyarrow, or save the table as .csv.") from error
    with refuse_damage(path, "not a Parquet file", "Write it again.", (pyarrow.ArrowException,)):
        table = pyarrow.parquet.read_table(path).to_pydict()
    found: dict[str, Column] = {}
    for name, values in table.items():
        try:
            array = np.array([LIST.join(value) for value in values] if _are_lists_of_names(values) else values)
        except ValueError as error:
            fault = f"the lists of column {name!r} are of several lengths"
            raise FormatError(path, fault, "Make them of one length.") from error
        if array.dtype.kind == "O":
            raise FormatError(path, f"column {name!r} has gaps, or holds neither numbers nor text", "Fill them.")
        found[name] = array
    return found


def _are_lists_of_names(values: Sequence[object]) -> bool:
    return all(isinstance(value, list) and all(isinstance(name, str) for name in value) for value in values)
