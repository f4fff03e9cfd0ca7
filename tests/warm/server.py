"""Runs programs in forks of a process that has loaded the libraries which programs before them loaded.

To import TensorFlow takes 9 s of a processor's time, PyTorch 3 s, Snakemake 1 s; the tests start a thousand programs
that do one of these. A fork has them at once. Nothing of the project is kept loaded, and none of what a program did:
each runs in a process of its own, with the arguments, folder, environment, files, umask, cores and priority of its
client (tests/warm/client.py), which ends as the program does. Its session must be this one, and what libraries read of
the environment when they are loaded as it was here, or the client runs Python itself.

python tests/warm/server.py SOCKET FOLDER PYTHON [LIBRARY...]: until standard input ends.
"""

from __future__ import annotations

import atexit
import builtins
import gc
import importlib
import io
import json
import marshal
import os
import pkgutil
import random
import runpy
import selectors
import signal
import socket
import sys
import sysconfig
import tempfile
import threading
import types
import weakref
from contextlib import suppress
from importlib.machinery import FileFinder, SourceFileLoader
from itertools import takewhile
from pathlib import Path
from typing import Any

# what the project's scripts set before they load a library (trtflow/families/common/environment.py, scripts/train.py),
# and scikit-learn when it is loaded, as in a test that asks for it
LOADED_WITH = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "KMP_DUPLICATE_LIB_OK": "True",
    "KMP_INIT_AT_FORK": "FALSE",
    "OMP_WAIT_POLICY": "PASSIVE",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "TF_ENABLE_ONEDNN_OPTS": "0",
}
# beginnings of what is read when Python starts or a library is loaded
READ_AT_LOAD = (
    *("PYTHON", "LD_", "LC_", "LANG", "TZ", "HOME", "XDG_", "MPL", "MALLOC", "PROTOCOL_BUFFERS"),
    *("TF_", "KERAS", "CUDA_", "NVIDIA_", "TORCH_", "PYTORCH_", "ORT_", "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_"),
)
CHANGED = "TRTFLOW_TESTS_CHANGED"  # what importing all tests changed of the environment, which is nothing they ask for
ASKED_LATER = ("XDG_CACHE_HOME",)  # not when a library is loaded, but when something is cached
# which a fork does by itself
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
LIBRARIES = tuple({sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")})
OFTEN = (20_000, 20, 20)  # how often a program looks for cycles: what is short and makes many objects, seldom
KEPT: list[Any] = []  # of this process; a fork must not close them by their numbers, which are others' there


def taken(wanted: dict[str, str]) -> bool:
    """Return whether a program that asks for this environment may run in a fork."""
    changed = json.loads(wanted.get(CHANGED, "{}"))
    for name in {*wanted, *os.environ}:
        if name.startswith(READ_AT_LOAD) and name not in (*THREADS, *ASKED_LATER):
            allowed = [values[name] for values in (os.environ, LOADED_WITH, changed) if name in values]
            same = wanted[name] in allowed if name in wanted else name not in os.environ
            if not same and not (name == "PYTHONPATH" and _plain(wanted.get(name, ""))):
                return False
    return True


def _plain(path: str) -> bool:
    """Return whether a PYTHONPATH adds modules alone: nothing that Python runs at its start."""
    starts = ("sitecustomize.py", "usercustomize.py")
    return not any(os.path.exists(os.path.join(part, start)) for part in path.split(os.pathsep) for start in starts)


class Server:
    """Takes programs one after another and runs them side by side.

    Args:
        number: of its socket, among the files that it was started with.
        folder: for its notes.
        python: what programs are to see as `sys.executable`.
    """

    def __init__(self, number: str, folder: str, python: str) -> None:
        self.python = python
        self.learned = Path(folder) / "learned"
        self.learned.mkdir()
        self.controller: Any = None
        self.ready = selectors.DefaultSelector()
        self.socket = socket.socket(fileno=int(number))
        self.ready.register(self.socket, selectors.EVENT_READ, self.take)
        self.ready.register(0, selectors.EVENT_READ, self.stop)
        self.programs: set[int] = set()  # that are running
        KEPT.append(self)

    def serve(self) -> None:
        """Run programs until standard input ends."""
        while True:
            for key, _ in self.ready.select():
                if key.fd in self.ready.get_map():
                    key.data()

    def stop(self) -> None:
        """End, and all programs with it: whoever asked for them is gone."""
        for process in self.programs:
            os.kill(process, signal.SIGKILL)
        sys.exit()

    def take(self) -> None:
        """Start a program for a client, or tell it to start Python itself."""
        client, _ = self.socket.accept()
        size, files, _, _ = socket.recv_fds(client, 4, 3)
        try:
            asked = marshal.loads(_all_of(client, int.from_bytes(size, "big")))
            if asked["session"] != os.getsid(0) or not taken(asked["environment"]):
                client.send(b"-")
                client.close()
                return
            client.send(b"+")
            process = os.fork()
            if process == 0:
                KEPT.append(client)
                run(asked, files, self)
        finally:
            for file in files:
                os.close(file)
        self.programs.add(process)
        watch = os.pidfd_open(process)
        self.ready.register(client, selectors.EVENT_READ, lambda: self.hear(client, process))
        self.ready.register(watch, selectors.EVENT_READ, lambda: self.end(client, process, watch))

    def hear(self, client: socket.socket, process: int) -> None:
        """Pass a client's signals on; a client that is gone takes its program along."""
        try:
            signals = client.recv(64)
        except OSError:
            signals = b""
        if not signals:
            self.ready.unregister(client)
        for number in signals or (signal.SIGKILL,):
            os.kill(process, number)  # there at least as a zombie: it is waited for below alone

    def end(self, client: socket.socket, process: int, watch: int) -> None:
        """Tell a client how its program ended, and load what that had to load itself."""
        self.ready.unregister(watch)
        os.close(watch)
        if client in self.ready.get_map():
            self.ready.unregister(client)
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        self.programs.remove(process)
        with suppress(OSError):  # killed meanwhile
            client.sendall(status.to_bytes(4, "big", signed=True))
        client.close()
        note = self.learned / str(process)
        if note.exists():
            self.load(json.loads(note.read_text()))
            note.unlink()

    def load(self, names: list[str]) -> None:
        """Load modules for the programs to come."""
        before = dict(os.environ)
        from threadpoolctl import ThreadpoolController  # noqa: PLC0415 it sets variables that no program asked for

        os.environ.update(LOADED_WITH)
        for name in names:
            if name not in sys.modules:
                with suppress(Exception, SystemExit):  # such as of one that wants to be imported by another
                    importlib.import_module(name)
        self.controller = ThreadpoolController()
        os.environ.clear()
        os.environ.update(before)
        for known in list(weakref.finalize._registry):  # type: ignore[attr-defined]
            known.atexit = False  # of a library's own: it is this process's to end
        gc.collect()
        gc.freeze()


def remember_listings() -> None:
    """Let programs look once for the modules of the libraries: Snakemake does four times for plugins, 0.15 s in all."""
    known = {place: list(pkgutil.iter_modules([place])) for place in (name.rstrip(os.sep) for name in LIBRARIES)}
    look = pkgutil.iter_importer_modules.dispatch(FileFinder)  # type: ignore[attr-defined]

    def listed(finder: FileFinder, prefix: str = "") -> Any:
        if finder.path not in known:
            return look(finder, prefix)
        return ((prefix + found.name, found.ispkg) for found in known[finder.path])

    pkgutil.iter_importer_modules.register(FileFinder, listed)  # type: ignore[attr-defined]


def _all_of(client: socket.socket, size: int) -> bytes:
    text = b""
    while len(text) < size:
        more = client.recv(size - len(text))
        if not more:
            raise EOFError
        text += more
    return text


def run(asked: dict[str, Any], files: list[int], server: Server) -> None:
    """Be the program, in a fork: set all up as for it, run it, and end as Python ends."""
    status = 1
    try:
        _set_up(asked, files, server)
        last = next(reversed(sys.modules))
        status = _run(asked["words"])
        _note(last, server.learned / str(os.getpid()))
    finally:
        os._exit(status)


def _set_up(asked: dict[str, Any], files: list[int], server: Server) -> None:
    for number in (0, 1, 2):
        os.dup2(files[number], number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.setpgid(0, asked["group"])
    os.chdir(asked["folder"])
    os.umask(asked["mask"])
    os.sched_setaffinity(0, asked["cores"])
    os.setpriority(os.PRIO_PROCESS, 0, asked["nice"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in asked["ignored"]:
        signal.signal(number, signal.SIG_IGN)
    for number, (name, mode) in enumerate((("stdin", "rb"), ("stdout", "wb"), ("stderr", "wb"))):
        at_once = name != "stdin" and bool(os.environ.get("PYTHONUNBUFFERED"))
        file: Any = open(number, mode, 0 if at_once else -1, closefd=False)  # noqa: SIM115
        getattr(file, "raw", file).name = f"<{name}>"
        before, by_line = getattr(sys, name), name == "stderr" or file.isatty()
        opened = io.TextIOWrapper(file, before.encoding, before.errors, line_buffering=by_line, write_through=at_once)
        opened.mode = mode[0]  # type: ignore[attr-defined]
        setattr(sys, name, opened)
        setattr(sys, f"__{name}__", opened)
    sys.executable = server.python
    tempfile.tempdir = None
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    threads = asked["environment"].get("OMP_NUM_THREADS")
    if threads and server.controller is not None:
        KEPT.append(server.controller.limit(limits=int(threads)))
    gc.set_threshold(*OFTEN)
    gc.enable()


def _run(words: list[str]) -> int:
    """Run a script or a module as `__main__`; return its exit status."""
    sys.modules["__main__"] = types.ModuleType("__main__")
    sys.modules["__main__"].__dict__["__builtins__"] = builtins
    added = list(filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)))
    try:
        if words[0] == "-m":
            sys.argv = ["-m", *words[2:]]
            sys.path[:] = [os.getcwd(), *added, *sys.path[1:]]
            runpy._run_module_as_main(words[1])
        else:
            sys.argv = words
            sys.path[:] = [os.path.dirname(os.path.realpath(words[0])), *added, *sys.path[1:]]
            _run_script(words[0])
        status = 0
    except SystemExit as leaving:
        status = _status_of(leaving)
    except KeyboardInterrupt:
        _tell()
        status = -signal.SIGINT
    except BaseException:
        _tell()
        status = 1
    return _end(status)


def _run_script(path: str) -> None:
    file = os.path.abspath(path)
    try:
        text = Path(file).read_bytes()
    except OSError as error:
        print(f"{sys.executable}: can't open file {file!r}: [Errno {error.errno}] {error.strerror}", file=sys.stderr)
        raise SystemExit(2) from None
    names = sys.modules["__main__"].__dict__
    names.update(__file__=file, __loader__=SourceFileLoader("__main__", file), __annotations__={})
    exec(compile(text, file, "exec"), names)


def _status_of(leaving: SystemExit) -> int:
    if leaving.code is None:
        return 0
    if isinstance(leaving.code, int):
        return leaving.code & 0xFF
    print(leaving.code, file=sys.stderr)
    return 1


def _tell() -> None:
    """Print the traceback, from the program on."""
    error = sys.exception()
    assert error is not None
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    sys.excepthook(type(error), error.with_traceback(trace), trace)


def _end(status: int) -> int:
    """Do what Python does at its end; return the status that is left."""
    threading._shutdown()
    atexit._run_exitfuncs()
    for file in (sys.stdout, sys.stderr):
        try:
            file.flush()
        except (OSError, ValueError):  # a pipe that nobody reads; closed
            status = status or 120
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


def _note(last: str, note: Path) -> None:
    """Write down which libraries the program had to load: those after the last one that was there before.

    It looks at no other, since to look at an object is to count a reference, for which its page is copied.
    """
    names = []
    for name in takewhile(lambda name: name != last, reversed(sys.modules)):
        if name != "__main__" and (getattr(sys.modules[name], "__file__", None) or "").startswith(LIBRARIES):
            names.insert(0, name)
    if names:
        part = note.with_suffix(".part")
        part.write_text(json.dumps(names))
        part.rename(note)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: what it ends is the programs
    for variable in THREADS:
        os.environ.pop(variable, None)
    gc.disable()
    os.fsync = os.fstat  # type: ignore[assignment] # as tests/warm_python.py says
    remember_listings()
    serving = Server(*sys.argv[1:4])
    serving.load(sys.argv[4:])
    serving.serve()
