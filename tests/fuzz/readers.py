"""All readers of outside bytes, by name; each is made when it is asked for, as some load TensorFlow or PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from trial import Reader

MODULES = ("format_readers", "data_readers", "label_readers", "document_readers", "model_readers")
_makers: dict[str, Callable[[], Reader]] = {}


def reader(make: Callable[[], Reader]) -> Callable[[], Reader]:
    """Enter a function that makes the reader of its name."""
    _makers[make.__name__] = make
    return make


def all_readers() -> dict[str, Callable[[], Reader]]:
    """Return what makes each reader."""
    for name in MODULES:
        import_module(name)
    return _makers
