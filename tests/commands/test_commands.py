"""The command line as a whole: each command is there at once, has examples, and fails with one clear line."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import yaml

import trtflow
from trtflow.__main__ import command_parser, main
from trtflow.commands import COMMANDS
from trtflow.commands.list import samples

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("numpy", "onnx", "onnxruntime", "tensorflow", "torch", "google.protobuf", "yaml", "jsonschema", "rich")


def run(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, which prints what it has loaded to standard error at its end."""
    program = (
        "import atexit, sys; sys.path.insert(0, sys.argv.pop(1));"
        f"told = lambda: print('loaded', *[name for name in {HEAVY} if name in sys.modules], file=sys.stderr);"
        "atexit.register(told);"
        "from trtflow.__main__ import main; main()"
    )
    command = [sys.executable, "-c", program, str(ROOT), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def failed(*arguments: str) -> str:
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    return str(raised.value.code)


@pytest.mark.parametrize(
    "arguments", [("--help",), ("--version",), ("list",), *((name, "--help") for name in COMMANDS)]
)
def test_help_and_version_load_nothing(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    if arguments[0] == "run":
        pytest.importorskip("trtflow.nvidia")
    done = run(*arguments, folder=tmp_path)  # where no report is, which `list` would read
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == ["loaded"]
    if arguments[0] == "--version":
        assert done.stdout == f"trtflow {trtflow.__version__}\n"
    elif arguments[0] == "--help":
        assert all(f"\n    {name}" in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_have_examples_that_their_options_take(name: str) -> None:
    command = import_module(COMMANDS[name].module)
    # what stands behind two blanks says what the example does
    examples = re.findall(rf"^ +trtflow ({name}\b.*?)(?: \|.*)?(?:  +\S.*)?$", command.__doc__ or "", re.MULTILINE)
    assert len(examples) >= 3
    for example in examples:
        assert command_parser(command).parse_args(shlex.split(example)).command == name


def test_no_command_and_an_unknown_one() -> None:
    assert failed() == "error: no command. `trtflow --help` lists them."
    assert failed("migarte").startswith("error: unknown command 'migarte'. Did you mean 'migrate'? Known: list,")
    assert failed("inspect") == "2"  # argparse says what is missing


def test_options_of_another_command_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert failed("inspect", "model.onnx", "--table", "x") == "2"
    assert "unrecognized arguments: --table x" in capsys.readouterr().err.splitlines()[-1]


def test_package_that_is_missing_is_named_with_what_brings_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "frozen.pb").write_bytes(b"\n\0")
    for module in ("tensorflow", "trtflow.converters.frozen_graph", "trtflow.graphsurgeon.graph_file"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    said = failed("inspect", str(tmp_path / "frozen.pb"))
    assert said == "error: this needs tensorflow, which is not installed. Install it: pip install 'trtflow[tensorflow]'"


def test_list_has_every_sample_as_its_file_says(capsys: pytest.CaptureFixture[str]) -> None:
    files = [yaml.safe_load(path.read_text()) for path in (ROOT / "config/samples").glob("*.yaml")]
    said = {sample["name"]: (sample["chapter"], sample["title"]) for sample in files}
    assert {sample["name"]: (sample["chapter"], sample["title"].strip()) for sample in samples()} == said
    main(["list", "--json", "--folder", str(ROOT)])
    assert [sample["chapter"] for sample in json.loads(capsys.readouterr().out)] == list(range(2, 27))


def test_list_tells_how_samples_stand_in_the_workflows_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config/samples").mkdir(parents=True)
    (tmp_path / "Snakefile").touch()
    (tmp_path / "results").mkdir()
    report = json.loads((ROOT / "docs/results/cpu/mnist_report.json").read_text())
    (tmp_path / "results/mnist_report.json").write_text(json.dumps(report))
    (tmp_path / "results/ssd_report.json").write_text("{")
    main(["list", "--folder", str(tmp_path), "--json"])
    status = {sample["name"]: sample["status"] for sample in json.loads(capsys.readouterr().out)}
    assert (status["mnist"], status["ssd"], status["mlp"]) == ("passed (mini, reference)", "damaged report", "not run")
    monkeypatch.chdir(tmp_path / "results")
    main(["list"])
    out = capsys.readouterr().out
    assert "status" not in out
    assert out.splitlines()[-1].startswith("Samples are made in a checkout of the workflow")
    assert failed("list", "--folder", ".") == (
        "error: .: not the workflow's folder, it has no Snakefile. Name a checkout of the project."
    )


def test_reader_that_reads_no_more_is_no_error() -> None:
    command = f"{sys.executable} -m trtflow list | head -1"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (done.stdout.split()[:2], done.stderr) == (["sample", "chapter"], "")
