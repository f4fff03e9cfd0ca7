"""Which function parses which of UFF's operations; the functions stand in the modules beside this one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trtflow.reference.record.uff_parser import Parse

Function = Callable[["Parse", Any, list[Any]], Any]
OPERATIONS: dict[str, tuple[Function, int]] = {}  # function, and the least number of inputs


def parses(*operations: str, inputs: int = 1) -> Callable[[Function], Function]:
    """Register a function for operations, each of which must have so many inputs at least."""

    def register(function: Function) -> Function:
        OPERATIONS.update(dict.fromkeys(operations, (function, inputs)))
        return function

    return register
