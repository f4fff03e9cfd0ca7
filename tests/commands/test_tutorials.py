"""docs/tutorials, followed in order: files are saved, commands run, and what they print is what the pages say."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from documents import agrees, commands_of, files_of
from kept import copy_of, kept
from workflow_copy import SMALL, finish

from trtflow.__main__ import main

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "tutorials"
OWN = ("laptop", "caffe-to-onnx", "int8")  # followed in an empty folder
CHECKOUT = ("first-run", "cluster")  # followed in the workflow's
TESTED_ELSEWHERE = {
    "make ssd": "tests/test_readme.py",
    "python3.11 -m venv .cluster": "tests/slurm, by make test-slurm",
    ".cluster/bin/python -m pip": "the same",
    ".cluster/bin/snakemake": "the same",
}
FAILS_SMALL = ("snakemake check",)  # a training of three steps passes no gate on the result


def in_process(words: list[str]) -> str:
    """Run trtflow's command line, or a script, in this process; return what it prints."""
    out, kept_arguments = StringIO(), sys.argv
    with redirect_stdout(out):
        if words[0] == "trtflow":
            main(words[1:])
        else:
            sys.argv = words[1:]
            try:
                runpy.run_path(words[1], run_name="__main__")
            finally:
                sys.argv = kept_arguments
    return out.getvalue()


def follow(command: str) -> str:
    """Run a command of a page in the folder at hand; return what it prints."""
    words = shlex.split(command.replace("python -m trtflow", "trtflow"))
    if words[0] == "trtflow" or (words[0] == "python" and words[1].endswith(".py")):
        return in_process(words)
    program = {"python": [sys.executable], "snakemake": [sys.executable, "-m", "snakemake"]}[words[0]]
    arguments = [*words[1:], *(["--config", SMALL] if words[0] == "snakemake" else [])]
    place = {"PYTHONPATH": str(ROOT)} if words[0] == "python" else {}
    environment = {**os.environ, **place}
    done = subprocess.run([*program, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode != 0) == (command in FAILS_SMALL), done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("page", OWN)
def test_page_is_followed_in_an_empty_folder(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (PAGES / f"{page}.md").read_text()
    for name, content in files_of(text).items():
        (tmp_path / name).write_text(content)
    for lines, printed in commands_of(text):
        out = "".join(map(follow, lines))
        assert printed is None or agrees(out, printed), out


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workflow after a small run, the one that tests/rules start from."""
    return copy_of(kept("finished", SMALL, finish), tmp_path_factory.mktemp("checkout"))


@pytest.mark.workflow
@pytest.mark.parametrize("page", CHECKOUT)
def test_page_is_followed_in_a_checkout(page: str, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(checkout)
    for lines, printed in commands_of((PAGES / f"{page}.md").read_text()):
        out = "".join(follow(line) for line in lines if not line.startswith(tuple(TESTED_ELSEWHERE)))
        assert printed is None or agrees(out, printed), out


def test_what_is_tested_elsewhere_is_there() -> None:
    commands = [
        line for page in CHECKOUT for block in commands_of((PAGES / f"{page}.md").read_text()) for line in block[0]
    ]
    for beginning in TESTED_ELSEWHERE:
        assert any(command.startswith(beginning) for command in commands), beginning
    slurm = (ROOT / "tests/slurm/test_slurm.py").read_text()
    assert "profiles/slurm" in slurm


def test_pages_are_all_followed_and_in_the_order_that_they_name() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} == {"index", *OWN, *CHECKOUT}
    order = re.findall(r"\[\d\. [^]]+\]\(([\w-]+)\.md\)", (PAGES / "index.md").read_text())
    assert len(order) == len(OWN) + len(CHECKOUT)
    for place, (page, after) in enumerate(zip(order, [*order[1:], None], strict=True), 1):
        text = (PAGES / f"{page}.md").read_text()
        assert text.startswith(f"# {place}. ")
        assert after is None or f"]({after}.md)" in text


def test_mechanism_notices_another_output() -> None:
    assert agrees("a 1\nb 22 \n", "a 1\nb …2\n")
    assert not agrees("a 1\nb 23\n", "a 1\nb …2\n")
    assert not agrees("a 1\nb 2\nc\n", "a 1\nb 2\n")
