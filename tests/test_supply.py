"""Nothing that is read is run: no pickle, by a search and by trying; libraries come from the results folder alone."""

from __future__ import annotations

import ast
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

import trtflow.reference
from trtflow.families.common.checkpoint import read_checkpoint
from trtflow.formats import FormatError
from trtflow.formats.arrays import read_arrays
from trtflow.runtime.plugins import _checked

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [path for folder in ("trtflow", "scripts", "plugins") for path in (ROOT / folder).rglob("*.py")]
RUN_CODE = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "marshal", "shelve", "joblib", "multiprocessing"}
ERRORS = {"PickleError", "UnpicklingError"}  # names that are no code
MARKER = "ran_from_a_pickle"
CHECKED = {
    "trtflow/converters/exported_program.py",
    "trtflow/converters/freeze.py",
}  # tests/converters/test_harmless.py
RUNNER = "trtflow/nvidia/command.py"  # `trtflow run`, which runs the script that its user names, as Python itself would


def faults_of(tree: ast.AST, checked: bool = False) -> list[str]:
    """Return where a program could run what it reads; `checked` tells that it looks at models before (`CHECKED`)."""
    found = []
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in RUN_CODE:
            found += [f"{line}: {node.value.id}.{node.attr}"] if node.attr not in ERRORS else []
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in RUN_CODE:
            names = {name.name for name in node.names} - ERRORS
            found += [f"{line}: from {node.module} import {', '.join(names)}"] if names else []
        if isinstance(node, ast.Import):
            found += [f"{line}: import {name.name}" for name in node.names if name.name in RUN_CODE - {"pickle"}]
        if isinstance(node, ast.Call):
            given = {word.arg: getattr(word.value, "value", None) for word in node.keywords}
            called = ast.unparse(node.func)
            if given.get("allow_pickle") or given.get("safe_mode") is False:
                found.append(f"{line}: {called} that runs what it reads")
            if called in ("torch.load", "torch.jit.load") and given.get("weights_only") is not True:
                found.append(f"{line}: {called} without weights_only=True")
            if called in ("yaml.load", "yaml.unsafe_load", "yaml.full_load") and "SafeLoader" not in ast.unparse(node):
                found.append(f"{line}: {called} without a safe loader")
            if called in ("torch.export.load", "tf.saved_model.load") and not checked:
                found.append(f"{line}: {called}, which runs what it reads")
            if called in ("eval", "exec"):
                found.append(f"{line}: {called}")
    return found


def test_no_program_reads_pickles():
    names = {path: str(path.relative_to(ROOT)) for path in SOURCES}
    found = {name: faults_of(ast.parse(path.read_text()), name in CHECKED) for path, name in names.items()}
    assert len(found) > 300
    (of_the_script,) = found.pop(RUNNER)
    assert of_the_script.endswith("exec")
    assert {path: faults for path, faults in found.items() if faults} == {}


@pytest.mark.parametrize(
    "program",
    [
        "import pickle\npickle.load(file)",
        "from pickle import loads",
        "import joblib",
        "numpy.load(path, allow_pickle=True)",
        "torch.load(path)",
        "torch.export.load(path)",
        "tf.saved_model.load(path)",
        "torch.load(path, weights_only=False)",
        "yaml.load(text, Loader=yaml.Loader)",
        "eval(text)",
        "keras.saving.load_model(path, safe_mode=False)",
    ],
)
def test_the_search_finds_what_it_looks_for(program):
    assert faults_of(ast.parse(program))


class Payload:
    """Makes a file where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_arrays_that_are_a_pickle_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.array([Payload(tmp_path / MARKER)], object))
    with pytest.raises(FormatError):
        read_arrays(tmp_path / "a.npz", "a")
    (tmp_path / "b.npz").write_bytes(pickle.dumps(Payload(tmp_path / MARKER)))
    with pytest.raises(FormatError):
        read_arrays(tmp_path / "b.npz", "a")
    assert not (tmp_path / MARKER).exists()


def test_checkpoints_that_are_more_than_weights_are_refused(tmp_path):
    torch.save({"weights": Payload(tmp_path / MARKER)}, tmp_path / "c.pt")
    with pytest.raises(FormatError, match="not a checkpoint of a network"):
        read_checkpoint(tmp_path / "c.pt", lambda content: torch.nn.Linear(1, 1), "a network")
    assert not (tmp_path / MARKER).exists()
    with zipfile.ZipFile(tmp_path / "c.pt") as archive:  # it is the payload that was refused, and would have run
        data = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        assert b"touch" in archive.read(data)


@pytest.mark.parametrize("data", [b"", b"\x80\x04", pickle.dumps({"a": 1})])
def test_plans_are_no_pickles(data):
    runtime = trtflow.reference.Runtime(trtflow.reference.Logger(trtflow.reference.Logger.INTERNAL_ERROR))
    assert runtime.deserialize_cuda_engine(data) is None
    with trtflow.reference.raising(), pytest.raises(trtflow.reference.PlanError):
        runtime.deserialize_cuda_engine(data)


@pytest.mark.parametrize("name", ["../evil.so", "/tmp/evil.so", "link.so", "folder/../../evil.so"])
def test_libraries_lie_in_the_folder_of_the_results(tmp_path, name):
    folder = tmp_path / "plugins"
    (folder / "folder").mkdir(parents=True)
    (tmp_path / "evil.so").touch()
    (folder / "link.so").symlink_to(tmp_path / "evil.so")
    (folder / "good.so").touch()
    assert _checked(folder, "good.so") == folder / "good.so"
    with pytest.raises(FormatError, match="does not lie in"):
        _checked(folder, name)


def pinned(path):
    """Return the version of each package that a file of requirements names."""
    text = re.sub(r"\\\n", " ", (ROOT / path).read_text())
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    found = [re.match(r"([\w.-]+)(?:\[[\w,-]+\])?==([\w.+-]+)", line) for line in lines if line]
    assert all(found), path
    return {re.sub(r"[-_.]+", "-", match[1].lower()): match[2] for match in found}


@pytest.mark.parametrize("path", [*sorted(file.name for file in ROOT.glob("requirements*.txt")), "constraints.txt"])
def test_all_requirements_are_pinned(path):
    assert pinned(path)


def test_the_hashed_requirements_are_those_that_are_pinned():
    """All that requirements.txt names is in it but torch, in the versions of constraints.txt, each with a hash."""
    text = (ROOT / "requirements.lock").read_text()
    found = dict(re.findall(r"^([\w.-]+)==([\w.+-]+) \\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE))
    assert len(found) == len(re.findall(r"^[\w.-]+==", text, re.MULTILINE)) > 100
    constraints = pinned("constraints.txt")
    assert {name: version for name, version in found.items() if constraints[name] != version} == {}
    assert set(pinned("requirements.txt")) - set(found) == {"torch"}
    assert "://" not in text
