"""The Python that tests start programs with does what Python does; only its libraries are loaded already."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import warm_python

pytestmark = pytest.mark.skipif(not warm_python.POSSIBLE, reason="programs start from nothing where Linux is not")
PROGRAMS = {
    "says what it was given": "import os, sys; print(sys.argv, __file__, __name__, os.getcwd(), sys.flags)",
    "reads": "import sys; print(repr(sys.stdin.read()), sys.stdin, sys.stdout, sys.stderr)",
    "has the paths": "import sys; print(sys.path, sys.prefix)",
    "has the environment": "import os; print(sorted({**os.environ, 'PWD': 0}.items()))",  # a shell starts the client
    "has limits": "import os; print(oct(os.umask(0)), os.nice(0), os.sched_getaffinity(0))",
    "writes bytes and text": "import sys; sys.stdout.write('ä'); sys.stdout.flush(); sys.stdout.buffer.write(b'\\xff')",
    "dies with a text": "import os; print('a'); print('b', end='', file=__import__('sys').stderr); os._exit(1)",
    "ends at once": "import sys; print('here'); sys.exit()",
    "has a status": "import sys; sys.exit(300)",
    "leaves with a text": "import sys; sys.exit('this is wrong')",
    "fails": "def inner():\n    raise ValueError('x')\n\n\ninner()",
    "is no Python": "def (",
    "is interrupted": "raise KeyboardInterrupt",
    "kills itself": "import os; os.kill(os.getpid(), 9)",
    "is terminated": "import os; os.kill(os.getpid(), 15)",
    "registers its end": "import atexit; atexit.register(print, 'end'); print('before')",
    "has a finalizer": "import weakref, sys; f = weakref.finalize(sys, print, 'end'); print('before')",
    "has a thread": "import threading, time; threading.Thread(target=lambda: (time.sleep(0.1), print('late'))).start()",
    "starts others": "from subprocess import *; import sys; run([sys.executable, '-c', 'print(3)'], check=True)",
    "loads a neighbour": "import neighbour; print(neighbour.__file__)",
}


def both(words: list[str], **options: Any) -> tuple[Any, Any]:
    """Run a command line by the warm Python and by Python itself."""
    runs = [
        subprocess.run([python, *words], capture_output=True, check=False, stdin=subprocess.DEVNULL, **options)
        for python in (sys.executable, warm_python.COLD)
    ]
    return tuple((done.returncode, done.stdout, done.stderr) for done in runs)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "neighbour.py").touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "module.py").write_text("import sys; print(__name__, sys.argv[1:], sys.path[:2])")
    return tmp_path


@pytest.fixture(params=["", "1"])
def unbuffered(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Programs whose output is written at once or not, whatever this environment says."""
    server = warm_python.Server(os.environ | {"PYTHONUNBUFFERED": request.param})
    monkeypatch.setenv("PYTHONUNBUFFERED", request.param)
    monkeypatch.setenv(warm_python.SOCKET, server.place)
    yield
    server.close()


@pytest.mark.usefixtures("unbuffered")
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_does_the_same(folder: Path, name: str) -> None:
    (folder / "program.py").write_text(PROGRAMS[name])
    warm, cold = both(["program.py", "a b", "--c"], cwd=folder)
    assert warm == cold


@pytest.mark.parametrize("words", [["none.py"], ["-m", "nothing"], ["-m", "module", "a"], ["-c", "print(3)"], ["-V"]])
def test_other_command_lines_do_the_same(folder: Path, words: list[str]) -> None:
    environment = {**os.environ, "PYTHONPATH": str(folder / "elsewhere")}
    warm, cold = both(words, cwd=folder, env=environment)
    told = warm[2].replace(sys.executable.encode(), warm_python.COLD.encode())
    assert (*warm[:2], told) == cold


def modules(folder: Path, program: str, **variables: str) -> list[str]:
    """Return what is loaded at the start of a program that then does something."""
    (folder / "program.py").write_text(f"import sys; print(*sys.modules)\n{program}")
    command = [sys.executable, folder / "program.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **variables})
    return done.stdout.split()


def test_what_one_program_loaded_the_next_one_has(folder: Path) -> None:
    program = "import colorsys, neighbour"
    modules(folder, program)
    assert "colorsys" in modules(folder, program)
    assert "neighbour" not in modules(folder, program)


@pytest.mark.parametrize("variable", ["PYTHONHASHSEED", "TF_ENABLE_ONEDNN_OPTS", "MPLBACKEND"])
def test_another_environment_of_libraries_loads_them_anew(folder: Path, variable: str) -> None:
    modules(folder, "import colorsys")
    assert "colorsys" not in modules(folder, "", **{variable: "1"})


def test_a_place_of_caches_of_its_own_loads_nothing_anew(folder: Path) -> None:
    """What is kept there is asked for at its use."""
    modules(folder, "import colorsys")
    assert "colorsys" in modules(folder, "", XDG_CACHE_HOME=str(folder))
    program = "import snakemake.cli, snakemake.common as s, torch.hub\n"
    (folder / "program.py").write_text(f"{program}print(s.get_appdirs().user_cache_dir, torch.hub.get_dir())")
    words = [str(folder / "program.py")]
    one, cold = both(words, env={**os.environ, "XDG_CACHE_HOME": str(folder / "one")})
    assert one == cold
    assert one[1].count(str(folder / "one").encode()) == 2
    elsewhere = {**os.environ, "XDG_CACHE_HOME": str(folder / "other")}
    other = subprocess.run([sys.executable, *words], env=elsewhere, capture_output=True, check=True)
    assert other.stdout == cold[1].replace(str(folder / "one").encode(), str(folder / "other").encode())


def test_a_session_of_its_own_may_kill_itself(folder: Path) -> None:
    (folder / "program.py").write_text("import os; os.kill(0, 9)")
    warm, cold = both([str(folder / "program.py")], start_new_session=True)
    assert warm == cold
    assert warm[0] == -signal.SIGKILL


def test_files_that_are_handed_on_are_there(folder: Path) -> None:
    (folder / "program.py").write_text("import os, sys; print(os.read(int(sys.argv[1]), 9))")
    (folder / "read.txt").write_text("text")
    for python in (sys.executable, warm_python.COLD):
        with (folder / "read.txt").open() as file:
            number = file.fileno()
            command = [python, folder / "program.py", str(number)]
            done = subprocess.run(command, pass_fds=[number], capture_output=True, text=True, check=True)
        assert done.stdout == "b'text'\n"


def test_threads_are_as_many_as_the_environment_says(folder: Path) -> None:
    (folder / "program.py").write_text(
        "import threadpoolctl, numpy\nprint(threadpoolctl.threadpool_info()[0]['num_threads'])"
    )
    for _ in range(2):
        warm, cold = both([str(folder / "program.py")], env={**os.environ, "OMP_NUM_THREADS": "1"})
        assert warm == cold
        assert warm[1] == b"1\n"


def test_random_numbers_differ(folder: Path) -> None:
    (folder / "program.py").write_text("import random, numpy; print(random.random(), numpy.random.random())")
    runs = [subprocess.run([sys.executable, folder / "program.py"], capture_output=True, check=True) for _ in range(3)]
    assert len({word for done in runs for word in done.stdout.split()}) == 6


def test_a_signal_reaches_the_program(folder: Path) -> None:
    text = "import signal, sys, time\nsignal.signal(15, lambda *_: sys.exit(5))\nprint(1, flush=True)\ntime.sleep(60)"
    (folder / "program.py").write_text(text)
    process = subprocess.Popen([sys.executable, folder / "program.py"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.terminate()
    assert process.wait(10) == 5


def runs(process: int) -> bool:
    """Return whether a process is there and is no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_for_end(process: int) -> None:
    end = time.monotonic() + 10
    while runs(process):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_client_that_is_killed_takes_the_program_along(folder: Path) -> None:
    (folder / "program.py").write_text("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)")
    process = subprocess.Popen([sys.executable, folder / "program.py"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    program = int(process.stdout.readline())
    assert program != process.pid
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_for_end(program)


def test_a_server_that_ends_takes_its_programs_along(folder: Path) -> None:
    (folder / "program.py").write_text("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)")
    server = warm_python.Server()
    environment = os.environ | {warm_python.SOCKET: server.place}
    process = subprocess.Popen([sys.executable, folder / "program.py"], stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None
    program = int(process.stdout.readline())
    server.close()
    assert process.wait(10) == -signal.SIGKILL
    wait_for_end(program)


@pytest.mark.cold
def test_a_test_may_have_python_itself() -> None:
    assert sys.executable == warm_python.COLD
    assert warm_python.SOCKET not in os.environ
