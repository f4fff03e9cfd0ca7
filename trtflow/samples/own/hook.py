"""What a YAML file cannot say, in a Python file of the user's: preprocess, postprocess and score, each optional."""

from __future__ import annotations

import numbers
import runpy
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trtflow.datasets.own import Items
from trtflow.formats import FormatError, UserError
from trtflow.formats.damage import reason
from trtflow.metrics.pairs import NUMBERS

Arrays = dict[str, np.ndarray]
NAMES = ("preprocess", "postprocess", "score")
PYTHON = (sys.prefix, sys.base_prefix)  # below these are libraries' files
PAGE = "docs/your-own-model.md tells what each takes and returns"


@dataclass(frozen=True)
class Hook:
    """The user's own functions; None where there is none.

    Attributes:
        path: the file.
        preprocess: given the columns of the data by name, returns what each input takes, [N, ...], by name.
        postprocess: given the outputs [N, ...] by name, returns outputs of the same names.
        score: given the outputs by name, and the columns of the data, returns metrics by name.
    """

    path: Path
    preprocess: Callable[[dict[str, Any]], Any] | None = None
    postprocess: Callable[[Arrays], Any] | None = None
    score: Callable[[Arrays, dict[str, Any]], Any] | None = None

    def prepared(self, items: Items, inputs: Mapping[str, Any]) -> Arrays:
        """Return what `preprocess` makes of items, held against the inputs' shapes.

        Raises:
            FormatError: it raises, or returns something else.
        """
        found = self._called("preprocess", dict(items.columns))
        self._check_names("preprocess", found, inputs)
        for name, taken in inputs.items():
            shape = (len(items), *taken.shape)
            if found[name].shape != shape:
                self._refuse("preprocess", f"gave shape {found[name].shape} for input {name!r}, which takes {shape}")
        return {name: np.ascontiguousarray(found[name], taken.dtype) for name, taken in inputs.items()}

    def processed(self, outputs: Arrays) -> Arrays:
        """Return what `postprocess` makes of outputs.

        Raises:
            FormatError: it raises, or returns something else.
        """
        count = len(next(iter(outputs.values())))
        found = self._called("postprocess", dict(outputs))
        self._check_names("postprocess", found, outputs)
        for name in outputs:
            if found[name].ndim == 0 or len(found[name]) != count:
                self._refuse("postprocess", f"gave shape {found[name].shape} for output {name!r} of {count} items")
        return {name: found[name] for name in outputs}

    def scored(self, outputs: Arrays, items: Items) -> dict[str, float]:
        """Return the metrics of `score`.

        Raises:
            FormatError: it raises, or returns something else.
        """
        found = self._called("score", dict(outputs), dict(items.columns))
        if not isinstance(found, dict) or not all(isinstance(value, numbers.Real) for value in found.values()):
            self._refuse("score", f"returned {type(found).__name__}, not numbers by name")
        beyond = [name for name, value in found.items() if isinstance(value, int) and abs(value) > sys.float_info.max]
        if beyond:
            self._refuse("score", f"gave {beyond[0]!r} a number beyond what a float holds")
        return {str(name): float(value) for name, value in found.items()}

    def _called(self, name: str, *arguments: Any) -> Any:
        try:
            return getattr(self, name)(*arguments)
        except (Exception, SystemExit) as error:  # whatever a function of the user's raises
            fault = f"{name} raised {type(error).__name__}: {reason(error)}{_line(error)}"
            raise FormatError(self.path, fault, f"Correct it; {PAGE}.") from error

    def _check_names(self, function: str, found: Any, wanted: Mapping[str, Any]) -> None:
        if not isinstance(found, dict) or not all(isinstance(values, np.ndarray) for values in found.values()):
            self._refuse(function, f"returned {type(found).__name__}, not arrays by name")
        odd = [name for name, values in found.items() if values.dtype.kind not in NUMBERS]
        if odd:
            self._refuse(function, f"gave {odd[0]!r} as {found[odd[0]].dtype}, which is not made of numbers")
        missing = [name for name in wanted if name not in found]
        if missing:
            self._refuse(function, f"gave {', '.join(found) or 'nothing'}, but no {', '.join(missing)}")

    def _refuse(self, function: str, fault: str) -> None:
        raise FormatError(self.path, f"{function} {fault}", f"Correct it; {PAGE}.")


NO_HOOK = Hook(Path())


def _line(error: BaseException) -> str:
    """Return the last line of the user's that an error was raised in, or below which."""
    found, place = "", error.__traceback__
    while place is not None:
        if place.tb_frame.f_code.co_name != "_called" and not place.tb_frame.f_code.co_filename.startswith(PYTHON):
            found = f" at line {place.tb_lineno}"
        place = place.tb_next
    return found


def read_hook(path: Path, known_as: Path | None = None) -> Hook:
    """Return the functions of a file.

    Args:
        path: the file.
        known_as: what errors call it, where it is a copy of the user's.

    Raises:
        UserError: there is no such file, Python cannot run it, or it has none of the functions.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file. Correct `hook` in the sample's YAML file.")
    try:
        names = runpy.run_path(str(path))
    except (Exception, SystemExit) as error:  # whatever is wrong in a file of the user's
        raise FormatError(
            path, f"Python cannot run it ({type(error).__name__}: {reason(error)})", "Correct it."
        ) from error
    found = {name: names[name] for name in NAMES if callable(names.get(name))}
    if not found:
        raise FormatError(path, f"it has no function {', '.join(NAMES)}", f"Write one; {PAGE}.")
    return Hook(known_as or path, **found)
