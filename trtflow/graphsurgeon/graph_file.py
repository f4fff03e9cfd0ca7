"""Frozen graphs in files. TensorFlow ends the whole process on some damaged ones, so each is tried in another first."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf import text_format
from google.protobuf.message import DecodeError

import trtflow
from trtflow.formats import FormatError
from trtflow.formats.messages import check_texts, parse_message

AGAIN = "Freeze the model again."
TRIAL = "trtflow.converters.try_graph"  # the module that a process of its own runs
LONGEST_S = 300
CHECK = re.compile(r"Check failed: .*")  # TensorFlow's last words


def read_graph_def(path: str | Path) -> Any:
    """Return the GraphDef in a file, binary or, as .pbtxt, text.

    Raises:
        FormatError: it is no graph, is damaged, or TensorFlow does not survive it.
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
    if graphdef.node:
        _try(path, hashlib.sha256(content).hexdigest())
    return graphdef


@cache
def _try(path: Path, digest: str) -> None:
    """Let a process of its own import a graph, compute its constants and run it; once for a content (`digest`)."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"}
    paths = [str(Path(trtflow.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    try:
        done = subprocess.run(
            [sys.executable, "-m", TRIAL, str(path.absolute())],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=LONGEST_S,
        )
    except subprocess.TimeoutExpired as error:
        raise FormatError(path, f"TensorFlow does not come to an end on it within {LONGEST_S} s", AGAIN) from error
    if done.returncode < 0:
        said = CHECK.search(done.stderr)
        what = f"{signal.Signals(-done.returncode).name}{f', {said[0]}' if said else ''}"
        raise FormatError(path, f"TensorFlow breaks down on it ({what})", AGAIN)


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, or its name."""
    return next(iter(str(error).splitlines()), type(error).__name__)
