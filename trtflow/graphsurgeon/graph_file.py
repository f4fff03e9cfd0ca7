"""Frozen graphs in files. TensorFlow ends the whole process on some damaged ones, so each is tried in another first."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import tensorflow as tf
from google.protobuf import text_format
from google.protobuf.message import DecodeError

import trtflow
from trtflow.formats import FormatError
from trtflow.formats.messages import check_texts, parse_message
from trtflow.graphsurgeon.harmless import check_harmless

AGAIN = "Freeze the model again."
TRIAL = "trtflow.converters.try_graph"  # the module that a process of its own runs
CHECK = re.compile(r"Check failed: .*")  # TensorFlow's last words


def read_graph_def(path: str | Path) -> Any:
    """Return the GraphDef in a file, binary or, as .pbtxt, text.

    Raises:
        FormatError: it is no graph, is damaged, reaches out of itself, or TensorFlow does not survive it.
    """
    path = Path(path)
    content = path.read_bytes()
    try:
        if path.suffix == ".pbtxt":
            graphdef = text_format.Parse(content.decode(), tf.compat.v1.GraphDef())
            check_texts(graphdef)
        else:
            graphdef = parse_message(tf.compat.v1.GraphDef(), content)
    except (DecodeError, text_format.ParseError, UnicodeDecodeError, RecursionError) as error:
        fault = f"not a TensorFlow graph, or a damaged one ({first_line(error)})"
        raise FormatError(path, fault, AGAIN) from error
    check_harmless(path, graphdef)
    if graphdef.node:
        _try(path, hashlib.sha256(content).hexdigest())
    return graphdef


@cache
def _try(path: Path, digest: str) -> None:
    """Let a process of its own import a graph, compute its constants and run it; once for a content (`digest`)."""
    status, said = _trials().of(path)
    if status == -signal.SIGALRM:
        raise FormatError(path, "TensorFlow does not come to an end on it", AGAIN)
    if status < 0:
        words = CHECK.search(said)
        what = f"{signal.Signals(-status).name}{f', {words[0]}' if words else ''}"
        raise FormatError(path, f"TensorFlow breaks down on it ({what})", AGAIN)


class _Trials:
    """A process with TensorFlow that tries graphs, started for the first one and ended with this process."""

    def __init__(self) -> None:
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"}
        paths = [str(Path(trtflow.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        self._process = subprocess.Popen(
            [sys.executable, "-m", TRIAL],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._owner, self._lock = os.getpid(), Lock()

    @property
    def usable(self) -> bool:
        """Whether it runs, and is not that of a process that this one was forked from."""
        return self._process.poll() is None and self._owner == os.getpid()

    def of(self, path: Path) -> tuple[int, str]:
        """Return how a process ended that tried a file, below 0 by a signal, and its last words."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock, suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(str(path.absolute())) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
            if answer:
                return tuple(json.loads(answer))
        return -signal.SIGKILL, ""  # it was ended itself, such as for want of memory


_started: list[_Trials] = []


def _trials() -> _Trials:
    if not _started or not _started[-1].usable:
        _started[:] = [_Trials()]
    return _started[-1]


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, or its name."""
    return next(iter(str(error).splitlines()), type(error).__name__)
