"""What is in a file of torch.export.save, held against what such files have before PyTorch reads it.

PyTorch unpickles what the file says is pickled, evaluates the expressions of sizes and guards as Python, and loads
libraries that lie in it: a file of a stranger would run what it likes. So only what cannot do that is copied into the
archive that PyTorch gets. The copy is new, as PyTorch's reader of zip files and Python's need not see the same files
in one that was made to differ.
"""

from __future__ import annotations

import ast
import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import torch

from trtflow.formats import FormatError
from trtflow.formats.damage import check_unfolded, refuse_damage

REMEDY = "Write it with torch.export.save(program, path)."
DISTRUST = "Do not trust it, unless you made it: then write it with torch.export.save of PyTorch 2.8 or later."
# of the form that PyTorch 2.8 and later write, below a folder of the file's name, and of that before
MEMBERS = re.compile(
    r"([^/]+/)?(models/[^/]+\.json|data/(weights|constants)/[^/]+|data/sample_inputs/[^/]+\.pt|extra/.+|"
    r"archive_format|archive_version|byteorder|version|\.data/[^/]+)|"
    r"serialized_(exported_program|state_dict|constants|example_inputs)\.(json|pt)|version|extra_files/.+"
)
OBJECTS = re.compile(r"/(custom|opaque)_obj_[^/]*$")  # of classes of C++ and Python
GRAPHS = re.compile(r"models/[^/]+\.json$|^serialized_exported_program\.json$")
PICKLED = re.compile(r"data/sample_inputs/[^/]+\.pt$|^serialized_(state_dict|constants|example_inputs)\.")
CONFIGS = re.compile(r"data/(weights|constants)/[^/]+_config\.json$")
TARGETS = re.compile(r"torch\.ops(\.\w+){2,3}|_operator\.[a-z]\w*|math\.[a-z]\w*|torch\._?sym_\w+")
FILES = re.compile(r"torch\.ops\.\w+\.(from_file|to_file)\b")  # operators that open files
# functions that PyTorch and SymPy write into expressions of sizes, and methods of tensors in guards
FUNCTIONS = {
    *("Symbol", "Integer", "Rational", "Float", "Add", "Mul", "Pow", "Max", "Min", "Mod", "Abs", "floor", "ceiling"),
    *("Eq", "Ne", "Lt", "Le", "Gt", "Ge", "And", "Or", "Not", "Equality", "Unequality", "StrictLessThan", "LessThan"),
    *("StrictGreaterThan", "GreaterThan", "FloorDiv", "CleanDiv", "CeilDiv", "PythonMod", "ModularIndexing", "Where"),
    *("PowByNatural", "FloatPow", "FloatTrueDiv", "IntTrueDiv", "LShift", "RShift", "CeilToInt", "FloorToInt"),
    *("TruncToInt", "TruncToFloat", "RoundToInt", "RoundDecimal", "ToFloat", "Identity", "Piecewise", "len"),
}
METHODS = {"size", "stride", "storage_offset", "dim", "shape"}
NODES = (
    *(ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Subscript, ast.Tuple, ast.keyword),
    *(ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.expr_context),
)


def open_checked(path: Path) -> IO[bytes]:
    """Return an archive of what a file has, from which PyTorch can read a program.

    Raises:
        FormatError: it is none, or has something that would be run.
    """
    with refuse_damage(path, "not an exported program", REMEDY), zipfile.ZipFile(path) as archive:
        check_unfolded(path, sum(member.file_size for member in archive.infolist()))
        members = {member.filename: archive.read(member) for member in archive.infolist()}
        doubled = len(members) != len(archive.infolist())
    unknown = [name for name in members if not MEMBERS.fullmatch(name) or OBJECTS.search(name)]
    if unknown or doubled:
        fault = f"{unknown[0]!r} is no part of one" if unknown else "a part of it is there twice"
        raise FormatError(path, f"an exported program, but {fault}", DISTRUST)
    for name, content in members.items():
        if GRAPHS.search(name):
            members[name] = _checked_graph(path, content)
    for name in _pickled(path, members):
        _check_pickled(path, name, members[name])
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    copy.seek(0)
    return copy


def _pickled(path: Path, members: Mapping[str, bytes]) -> Iterator[str]:
    """Yield the parts that PyTorch unpickles: always, or because a list of tensors says so."""
    yield from filter(PICKLED.search, members)
    for name, content in members.items():
        if CONFIGS.search(name):
            with refuse_damage(path, "not an exported program", REMEDY):
                entries = [entry for entry in json.loads(content)["config"].values() if entry["use_pickle"]]
                parts = [f"{name.rpartition('/')[0]}/{entry['path_name']}" for entry in entries]
            yield from (part for part in parts if part in members)  # PyTorch itself misses the others


def _check_pickled(path: Path, name: str, content: bytes) -> None:
    """Refuse a pickle that has more in it than tensors and plain values."""
    try:
        if content:
            torch.load(io.BytesIO(content), weights_only=True)
    except Exception as error:  # as damage has no end of forms, and all of them are refused
        raise FormatError(path, f"an exported program, but {name!r} holds more than tensors", DISTRUST) from error


def _checked_graph(path: Path, content: bytes) -> bytes:
    """Return a graph anew, whose expressions calculate and whose nodes are operators."""
    with refuse_damage(path, "not an exported program", REMEDY):
        graph = json.loads(content)
        for key, value in _strings(graph):
            if key in ("expr_str", "guards_code") and not _is_calculation(value):
                raise FormatError(path, f"an exported program, but the size or guard {value[:80]!r} is none", DISTRUST)
            if key == "target" and (not TARGETS.fullmatch(value) or FILES.match(value)):
                raise FormatError(path, f"an exported program, but {value[:80]!r} is no operator of one", DISTRUST)
    return json.dumps(graph).encode()


def _strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield all strings below a value, with the key that each, or the list that it is in, stands under."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each, key)
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _strings(each, name)


def _is_calculation(text: str) -> bool:
    """Whether evaluating an expression does nothing but calculate with sizes."""
    try:
        return _calculates(ast.parse(text.strip(), mode="eval"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _calculates(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return not isinstance(node.value, (str, bytes)) or (isinstance(node.value, str) and node.value.isidentifier())
    if isinstance(node, ast.Name):
        return not node.id.startswith("__")
    if isinstance(node, ast.Call):
        named = isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS
        method = isinstance(node.func, ast.Attribute) and _calculates(node.func)
        return (named or method) and all(map(_calculates, [*node.args, *node.keywords]))
    if isinstance(node, ast.Attribute):
        return node.attr in METHODS and _calculates(node.value)
    return isinstance(node, NODES) and all(map(_calculates, ast.iter_child_nodes(node)))
