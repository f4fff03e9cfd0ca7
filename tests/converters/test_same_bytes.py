"""Programs of the converters write the same bytes each time: also in a process whose sets have another order."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import pytest
from tensorflow_graphs import frozen, lenet
from test_checkpoint import write_tensorflow_1
from test_freeze import small_model
from warm_python import with_other_hashes

from trtflow.converters.freeze import write_graph
from trtflow.converters.uff import from_tensorflow_frozen_model
from trtflow.formats.wts import read_wts2

v1 = pytest.importorskip("tensorflow").compat.v1
ROOT = Path(__file__).resolve().parents[2]
DUMP, FREEZE = (ROOT / "scripts" / name for name in ("dump_tf_weights.py", "freeze.py"))
# all of them in one process with other hashes, since such a one has to load TensorFlow itself
PROGRAM = """
import contextlib, json, runpy, sys
for words, out in json.loads(sys.argv[1]):
    sys.argv = words if words[0] != "-m" else words[1:]
    sys.path[0] = sys.argv[0].rpartition("/")[0]
    run = runpy.run_module if words[0] == "-m" else runpy.run_path
    with open(out, "w") as said, contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        run(sys.argv[0], run_name="__main__")
"""


def commands(folder: Path) -> dict[str, list[str]]:
    """Return the command lines that write into a folder, by the name of what they write and what they say."""
    inputs = folder.parent
    return {
        "dumped.wts2": [str(DUMP), "-m", str(inputs / "model"), "-o", str(folder / "dumped.wts2")],
        "frozen.pb": [
            *(str(FREEZE), str(inputs / "m.keras"), "--input", "x", "--output", "y"),
            *("--out", str(folder / "frozen.pb")),
        ],
        "lenet.uff": [
            *("-m", "trtflow.converters.uff", str(inputs / "lenet.pb"), "-q", "-O", "out"),
            *("-o", str(folder / "lenet.uff")),
        ],
    }


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """What each program wrote, and `<name>.said`: each in a process of its own, and all in one with other hashes."""
    root = tmp_path_factory.mktemp("same bytes")
    write_tensorflow_1(root / "model")
    small_model().save(root / "m.keras")
    (root / "lenet.pb").write_bytes(frozen(lenet).SerializeToString())
    first, second = root / "1", root / "2"
    for folder in (first, second):
        folder.mkdir()
    for name, words in commands(first).items():
        with (first / f"{name}.said").open("w") as said:
            subprocess.run([sys.executable, *words], cwd=ROOT, check=True, stdout=said)
    given = [(words, str(second / f"{name}.said")) for name, words in commands(second).items()]
    environment = {**with_other_hashes(), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", PROGRAM, json.dumps(given)], cwd=ROOT, env=environment, check=True)
    return first, second


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("dumped.wts2", "half (1,)\noptimizer_Adam_kernel (3, 2)\n"),
        ("frozen.pb", "inputs: x float32 [?, 6]\noutputs: y\n"),
        ("lenet.uff", ""),
    ],
    ids=["weights", "graph", "UFF"],
)
def test_another_process_writes_the_same_bytes(folders: tuple[Path, Path], name: str, said: str) -> None:
    first, second = folders
    assert (first / name).read_bytes() == (second / name).read_bytes()
    assert [(folder / f"{name}.said").read_text() for folder in folders] == [said, said]


def test_weights_are_as_nvidias_script_dumps_them(folders: tuple[Path, Path]) -> None:
    path = folders[0] / "dumped.wts2"
    assert path.read_bytes().startswith(b"2\nhalf 0 (1,) \0\0\xc0?\noptimizer_Adam_kernel 0 (3, 2) ")
    assert list(read_wts2(path)) == ["half", "optimizer_Adam_kernel"]


def test_a_graph_is_written_again_as_it_was(folders: tuple[Path, Path], tmp_path: Path) -> None:
    path = folders[0] / "frozen.pb"
    write_graph(v1.GraphDef.FromString(path.read_bytes()), tmp_path / "again.pb")
    assert (tmp_path / "again.pb").read_bytes() == path.read_bytes()


def test_a_command_writes_what_its_function_returns(folders: tuple[Path, Path]) -> None:
    made = from_tensorflow_frozen_model(folders[0].parent / "lenet.pb", ["out"], quiet=True)
    assert (folders[0] / "lenet.uff").read_bytes() == made
