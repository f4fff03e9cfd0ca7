"""`trtflow run`: a Python script for TensorRT as it is, on a CPU.

    trtflow run build_engine.py --onnx model.onnx      the script, with its own options
    trtflow run -m polygraphy run model.onnx --trt     a module, as with python -m
    trtflow run --era 7 sample.py                      builder.build_cuda_engine, max_workspace_size, fp16_mode …
    trtflow run --era 7 --tensorflow1 model.py         and tf.Session, tf.placeholder, tf.gfile …
    trtflow run --plugins clip.py sample.py            the reference of a compiled plugin (docs/plugins.md)

Options of this command stand before the script; all that follows it is the script's own.
"""

from __future__ import annotations

import argparse
import builtins
import difflib
import io
import os
import runpy
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType, TracebackType

from trtflow.formats import UserError
from trtflow.nvidia.names import BACKENDS, ERAS, Names, given

MAIN = "__main__.py"
INTERRUPTED = 130  # the status of what ends by SIGINT
RUNNER = (__file__, runpy.__file__, "<frozen runpy>")  # frames that are not the program's


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `trtflow run` to a parser."""
    parser.add_argument("--backend", choices=BACKENDS, default="reference", help="what `tensorrt` is")
    parser.add_argument(
        "--era", type=int, choices=ERAS, help="give the members that the TensorRT of that time had, with warnings"
    )
    parser.add_argument("--tensorflow1", action="store_true", help="`import tensorflow` gives version 1's names")
    parser.add_argument(
        "--dropped-names",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="give back what NumPy and Pillow dropped (np.int, Image.ANTIALIAS); with --era or --tensorflow1 it is so",
    )
    parser.add_argument(
        "--plugins", type=Path, action="append", default=[], metavar="FILE.py", help="plugins, may be given repeatedly"
    )
    parser.add_argument(
        "--any-table",
        action="store_true",
        help="take calibration tables as TensorRT does: of other versions, and where tensors lack, with warnings",
    )
    parser.add_argument(
        "--torch-cuda",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="PyTorch has a CUDA device, which is the host; --no-torch-cuda leaves PyTorch as it is",
    )
    parser.add_argument("-m", dest="module", nargs=argparse.REMAINDER, help="a module and its own options")
    parser.add_argument("script", nargs="?", type=Path, help="a Python file, or a folder or zip file with __main__.py")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="the script's own options")


def main(options: argparse.Namespace) -> None:
    """Run the script or module that the command line names.

    Raises:
        UserError: there is none, or it cannot be run as is asked for.
        SystemExit: it ended so, or by an error, which was shown as Python shows it.
    """
    names = Names(
        backend=options.backend,
        era=options.era,
        tensorflow1=options.tensorflow1,
        dropped_names=options.dropped_names,
        plugins=tuple(options.plugins),
        children=True,
        torch_cuda=options.torch_cuda,
        any_table=options.any_table,
    )
    if options.module:
        run_module(options.module[0], options.module[1:], names)
    elif options.script is not None:
        run_script(options.script, options.arguments, names)
    else:
        raise UserError("which script? Give its path and then its own options, or -m and a module.")


def run_script(path: Path, arguments: Sequence[str], names: Names | None = None) -> None:
    """Run a script as `python path arguments` does, with NVIDIA's packages there by name.

    Args:
        path: a Python file, or a folder or zip file with `__main__.py`.
        arguments: its own options.
        names: what NVIDIA's names give.

    Raises:
        UserError: there is no such file.
        SystemExit: it ended so, or by an error, which was shown as Python shows it.
    """
    if not path.exists():
        near = difflib.get_close_matches(path.name, os.listdir(path.parent) if path.parent.is_dir() else [], 1)
        hint = f"Did you mean {path.parent / near[0]}?" if near else "Correct the path."
        raise UserError(f"{path}: no such file. {hint}")
    if path.is_dir() and not (path / MAIN).is_file():
        raise UserError(f"{path}: a folder without {MAIN}. Give the script in it.")
    folder = path if path.is_dir() or path.suffix in (".zip", ".pyz") else path.resolve().parent
    run = _run_source if path.suffix == ".py" and path.is_file() else partial(runpy.run_path, run_name="__main__")
    _run(lambda: run(str(path)), [str(path), *arguments], str(folder), names)


def _run_source(path: str) -> None:
    """Run a file as Python does: `__file__` is its absolute path, and `sys.argv` as it was given (runpy sets both)."""
    place = os.path.abspath(path)
    with io.open_code(place) as file:
        code = compile(file.read(), place, "exec")
    module = ModuleType("__main__")
    vars(module).update(__file__=place, __builtins__=builtins, __loader__=SourceFileLoader("__main__", place))
    before = sys.modules["__main__"]
    sys.modules["__main__"] = module
    try:
        exec(code, vars(module))
    finally:
        sys.modules["__main__"] = before


def run_module(module: str, arguments: Sequence[str], names: Names | None = None) -> None:
    """Run a module as `python -m module arguments` does, with NVIDIA's packages there by name.

    Raises:
        UserError: there is no such module.
        SystemExit: it ended so, or by an error, which was shown as Python shows it.
    """

    def run() -> None:
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        except ImportError as error:
            fault = _absence(module, error)
            if fault is None:
                raise
            raise UserError(f"{fault}. Correct the name, or install what has it.") from error

    _run(run, [module, *arguments], os.getcwd(), names)


def _absence(module: str, error: ImportError) -> str | None:
    """Return what is not there, the module or a package of it; None where imports of the module's own fail."""
    parent = error.__cause__
    if error.name is not None or error.__traceback__ is None:
        return None
    if isinstance(parent, ModuleNotFoundError) and f"{module}.".startswith(f"{parent.name}."):
        return f"No module named {module}"
    return str(error) if str(error).startswith("No module named") else None


def _run(program: Callable[[], object], arguments: list[str], folder: str, names: Names | None) -> None:
    kept = sys.argv, sys.path[:]
    sys.argv = arguments
    sys.path.insert(0, folder)
    try:
        with given(names or Names()):
            _undisturbed(program)
    finally:
        sys.argv, sys.path[:] = kept


def _undisturbed(program: Callable[[], object]) -> None:
    """Let a program end as it would without us: its own errors are shown as Python shows them."""
    try:
        program()
    except UserError as error:
        if _of_program(error) is None:
            raise  # ours, before the program began
        _show(error)
    except Exception as error:
        _show(error)
    except KeyboardInterrupt as error:
        _show(error, INTERRUPTED)


def _show(error: BaseException, status: int = 1) -> None:
    """Print an error with the part of its traceback that is the program's, and end."""
    sys.stdout.flush()
    traceback.print_exception(type(error), error, _of_program(error))
    raise SystemExit(status) from None


def _of_program(error: BaseException) -> TracebackType | None:
    """Return the part of an error's traceback that begins in the program, or None."""
    place = error.__traceback__
    while place is not None and place.tb_frame.f_code.co_filename in RUNNER:
        place = place.tb_next
    return place
