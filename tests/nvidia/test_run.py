"""`trtflow run`: scripts in the idioms of public ones, and what scripts do that a runner could disturb."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from test_eras import onnx_model

import trtflow
from scripts import CUDA_PYTHON, OF_2019, PYCUDA
from trtflow.formats import UserError
from trtflow.nvidia.command import add_arguments, main

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., None]


def command(*words: object) -> None:
    """Run `trtflow run` with these words in this process."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    main(parser.parse_args(list(map(str, words))))


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "script.py"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize(
    ("text", "options"), [(PYCUDA, []), (CUDA_PYTHON, []), (OF_2019, ["--era", 5])], ids=["pycuda", "cuda", "2019"]
)
@pytest.mark.filterwarnings("ignore::trtflow.nvidia.eras.warning.EraWarning")
def test_scripts_compute_what_onnx_runtime_does(
    text: str, options: list[object], script: Callable[[str], Path], tmp_path: Path
) -> None:
    values = np.random.default_rng(1).normal(size=(1, 4)).astype(np.float32)
    np.save(tmp_path / "x.npy", values)
    model = tmp_path / "m.onnx"
    model.write_bytes(onnx_model(1))
    files = [model, tmp_path / "m.plan", tmp_path / "x.npy", tmp_path / "y.npy"]
    command(*options, script(text), *files)
    expected = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, {"x": values})[0]
    assert np.allclose(np.load(files[3]).ravel(), expected.ravel(), atol=1e-6)
    assert not {"tensorrt", "pycuda", "cuda"} & set(sys.modules)


def test_freed_bindings_are_told(script: Callable[[str], Path], tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    (tmp_path / "m.onnx").write_bytes(onnx_model(1))
    text = PYCUDA.split("if __name__")[0] + (
        "build_engine(sys.argv[1])\n"
        "engine = trt.Runtime(logger).deserialize_cuda_engine(open(sys.argv[2], 'rb').read())\n"
        "inputs, outputs, bindings, stream = allocate_buffers(engine)\n"
        "context = engine.create_execution_context()\n"
        "outputs[0].device.free()\n"
        "assert not context.execute_async_v2(bindings, stream.handle)\n"
    )
    with pytest.raises(SystemExit):
        command(script(text + "sys.exit(1)"), tmp_path / "m.onnx", tmp_path / "m.plan")
    assert "was freed; keep it until its last use" in capfd.readouterr().err


def test_own_options_folder_and_name(
    script: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "beside.py").write_text("VALUE = 7")
    text = "import sys, beside\nprint(__name__, sys.argv[1:], beside.VALUE, sys.path[0])"
    command(script(text), "--era", "9", "-m", "x", "--", "y")
    assert capsys.readouterr().out == f"__main__ ['--era', '9', '-m', 'x', '--', 'y'] 7 {tmp_path}\n"


def test_a_module_and_its_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "tool").mkdir()
    (tmp_path / "tool" / "__main__.py").write_text("import sys, tensorrt\nprint(tensorrt.__version__, sys.argv[1:])")
    monkeypatch.chdir(tmp_path)
    command("-m", "tool", "run", "--trt", "-m")
    assert capsys.readouterr().out == f"{trtflow.reference.__version__} ['run', '--trt', '-m']\n"
    for absent in ("nothing_of_it", "nothing_of_it.at_all", "tool.part"):
        with pytest.raises(UserError, match=f"No module named {absent}"):
            command("-m", absent)


def test_a_script_that_exits(script: Callable[[str], Path]) -> None:
    with pytest.raises(SystemExit) as ended:
        command(script("import sys; sys.exit(5)"))
    assert ended.value.code == 5
    assert not {"tensorrt", "pycuda"} & set(sys.modules)


@pytest.mark.parametrize("error", ["ValueError('mine')", "FileNotFoundError(2, 'mine', 'a.bin')"])
def test_a_script_that_raises_is_shown_as_python_shows_it(
    error: str, script: Callable[[str], Path], capsys: pytest.CaptureFixture
) -> None:
    path = script(f"def work():\n    raise {error}\n\nwork()\n")
    with pytest.raises(SystemExit) as ended:
        command(path)
    assert ended.value.code == 1
    said = capsys.readouterr().err.splitlines()
    assert said[:2] == ["Traceback (most recent call last):", f'  File "{path}", line 4, in <module>']
    assert said[-1].startswith(error.split("(", maxsplit=1)[0])
    assert not any("trtflow" in line for line in said[1:])


def test_a_script_with_a_syntax_error(script: Callable[[str], Path], capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        command(script("import tensorrt as\n"))
    assert "SyntaxError" in capsys.readouterr().err


def test_a_script_that_is_interrupted(script: Callable[[str], Path], capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as ended:
        command(script("raise KeyboardInterrupt"))
    assert ended.value.code == 130
    said = capsys.readouterr().err
    assert said.endswith("KeyboardInterrupt\n")
    assert "runpy" not in said


def test_the_script_knows_its_place_wherever_it_goes(
    script: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    path = script("import os, sys\nos.chdir('/')\nprint(os.path.abspath(__file__), sys.argv[0])")
    monkeypatch.chdir(tmp_path)
    command(path.name)
    assert capsys.readouterr().out == f"{path} {path.name}\n"  # as `python script.py` says


def test_a_folder_without_a_script(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a folder without __main__\.py\. Give the script in it"):
        command(tmp_path)


def test_a_missing_script_and_none(script: Callable[[str], Path], tmp_path: Path) -> None:
    script("")
    with pytest.raises(UserError, match=r"scirpt.py: no such file. Did you mean .*script.py\?"):
        command(tmp_path / "scirpt.py")
    with pytest.raises(UserError, match="Correct the path"):
        command("/nowhere/of/all.py")
    with pytest.raises(UserError, match="which script"):
        command("--era", "7")


def test_a_script_that_forks(script: Callable[[str], Path], tmp_path: Path) -> None:
    text = f"""
import os, sys, tensorrt
import pycuda.autoinit, pycuda.driver as cuda
memory = cuda.to_device(b"parent")
child = os.fork()
if child == 0:
    cuda.memcpy_htod(memory, b"child ")
    open({str(tmp_path / "child")!r}, "w").write(tensorrt.__name__)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert bytes(memory.as_buffer(6)) == b"parent"
"""
    command(script(text))
    assert (tmp_path / "child").read_text() == "trtflow.reference"


def test_a_script_that_plots(script: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "Agg")
    picture = tmp_path / "p.png"
    text = f"import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.savefig({str(picture)!r})\nplt.close()\n"
    command(script(text))
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_processes_that_a_script_starts(script: Callable[[str], Path], tmp_path: Path) -> None:
    """Spawned workers and Python programs of its own have the names too, and a `sitecustomize` that there was runs."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text("import builtins; builtins.theirs = 1")
    path = script(
        "import multiprocessing, subprocess, sys\n"
        "import pycuda.driver as cuda\n"
        "def work(queue):\n    queue.put(cuda.__name__)\n"
        "if __name__ == '__main__':\n"
        "    context = multiprocessing.get_context('spawn')\n"
        "    queue = context.Queue()\n"
        "    process = context.Process(target=work, args=(queue,))\n"
        "    process.start(); print(queue.get(), flush=True); process.join()\n"
        "    program = 'import numpy as np, cuda.cudart, builtins; print(np.float, cuda.cudart.__name__, theirs)'\n"
        "    subprocess.run([sys.executable, '-c', program], check=True)\n"
    )
    found = subprocess.run(
        [sys.executable, "-m", "trtflow", "run", "--dropped-names", path],
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path / 'site'}"},
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert found.stdout == "trtflow.nvidia.pycuda.driver\n<class 'float'> trtflow.nvidia.cuda.cudart 1\n"


@pytest.mark.parametrize(
    ("name", "text", "printed", "note"),
    [
        ("tensorrt", "import tensorrt\nprint(tensorrt.Builder.__module__)", "trtflow.reference", ""),
        (
            "pycuda",
            "import pycuda.driver\nprint(pycuda.driver.get_version())",
            "(12",
            ": `pycuda` is PyCUDA. Rename it.",
        ),
    ],
)
def test_a_module_of_that_name_in_its_folder(
    script: Callable[[str], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    name: str,
    text: str,
    printed: str,
    note: str,
) -> None:
    (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong one')")
    command(script(text))
    said = capsys.readouterr()
    assert said.out.startswith(printed)
    assert f"note: {tmp_path / f'{name}.py'} is not imported{note}" in said.err


def test_a_folder_named_tensorrt_and_a_package_named_cuda(
    script: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "tensorrt").mkdir()
    (tmp_path / "cuda").mkdir()
    (tmp_path / "cuda" / "__init__.py").write_text("OWN = 3")
    command(script("import tensorrt, cuda\nprint(tensorrt.__version__, cuda.OWN)"))
    said = capsys.readouterr()
    assert said.out == f"{trtflow.reference.__version__} 3\n"
    assert said.err == ""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a tensorrt and a pycuda where packages are installed."""
    for name in ("tensorrt", "pycuda"):
        (tmp_path / "site-packages" / name).mkdir(parents=True)
        (tmp_path / "site-packages" / name / "__init__.py").write_text("__version__ = 'NVIDIA'")
    monkeypatch.syspath_prepend(tmp_path / "site-packages")


@pytest.mark.usefixtures("installed")
def test_tensorrt_installed_and_not_wanted(script: Callable[[str], Path], capsys: pytest.CaptureFixture) -> None:
    command(script("import tensorrt\nprint(tensorrt.__version__)"))
    said = capsys.readouterr()
    assert (said.out, said.err) == (f"{trtflow.reference.__version__}\n", "")


@pytest.mark.usefixtures("installed")
def test_tensorrt_installed_and_wanted(script: Callable[[str], Path], capsys: pytest.CaptureFixture) -> None:
    command("--backend", "tensorrt", script("import tensorrt, pycuda, uff\nprint(tensorrt.__version__, uff.__name__)"))
    assert capsys.readouterr().out == "NVIDIA trtflow.converters.uff\n"
    sys.modules.pop("tensorrt"), sys.modules.pop("pycuda")


def test_tensorrt_wanted_and_not_installed(script: Callable[[str], Path]) -> None:
    with pytest.raises(UserError, match="tensorrt is not installed in this Python"):
        command("--backend", "tensorrt", script(""))


def test_modules_that_were_loaded_are_back(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = types.ModuleType("tensorrt")
    monkeypatch.setitem(sys.modules, "tensorrt", theirs)
    with trtflow.nvidia_names():
        import tensorrt  # noqa: PLC0415

        assert tensorrt is trtflow.reference
    assert sys.modules["tensorrt"] is theirs


def test_a_part_that_we_lack_is_named() -> None:
    with trtflow.nvidia_names(), pytest.raises(ModuleNotFoundError, match=r"tensorrt.nothing.*8.6 has no such module"):
        import tensorrt.nothing  # noqa: F401, PLC0415
