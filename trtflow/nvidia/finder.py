"""Imports of NVIDIA's packages answered by ours, and things done to modules when they are imported."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

OURS = {  # the longest name that an import begins with decides; what follows is a part of that module
    "tensorrt": "trtflow.reference",
    "tensorrt.tensorrt": "trtflow.reference",
    "pycuda": "trtflow.nvidia.pycuda",
    "pycuda._driver": "trtflow.nvidia.pycuda.driver",
    "cuda": "trtflow.nvidia.cuda",
    "cuda.bindings": "trtflow.nvidia.cuda",
    "cuda.bindings.runtime": "trtflow.nvidia.cuda.cudart",
    "cuda.bindings.driver": "trtflow.nvidia.cuda.cuda",
    "uff": "trtflow.converters.uff",
    "uff.model": "trtflow.formats.uff",
    "graphsurgeon": "trtflow.graphsurgeon",
}
ABSENT = {  # why a part is not there, and what to do
    "pycuda": "it needs kernels, which a CPU cannot run. Compute it with NumPy, or run the script where there is a GPU",
    "cuda": "it is not answered on a CPU. Run the script where there is a GPU",
    "tensorrt": "TensorRT 8.6 has no such module",
}
WHOSE = dict.fromkeys(("tensorrt", "uff", "graphsurgeon"), "TensorRT's package") | {"pycuda": "PyCUDA"}
Hook = Callable[[ModuleType], None]


def top(name: str) -> str:
    """Return the package that a module is of."""
    return name.partition(".")[0]


def target_of(name: str) -> str:
    """Return the name of our module for one of NVIDIA's."""
    known = name
    while known not in OURS:
        known = known.rpartition(".")[0]
    return OURS[known] + name[len(known) :]


class _Ours(Loader):
    """Gives a module of ours, which stays what it is, under another name."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._target)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # the import has put that of the other name there


class _Hooked(Loader):
    """Loads a module as its own loader does, and then hands it to a function."""

    def __init__(self, loader: Any, hook: Hook) -> None:
        self._loader, self._hook = loader, hook

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._hook(module)


class NameFinder(MetaPathFinder):
    """Answers imports of the packages of NVIDIA's that are to be ours.

    Args:
        packages: those packages.
        hooks: what is done to other modules, by their names, as soon as they are loaded.
        refusal: returns why a module is refused, or None.
    """

    def __init__(
        self,
        packages: Sequence[str],
        hooks: Mapping[str, Hook],
        refusal: Callable[[str], str | None] | None = None,
    ) -> None:
        self.packages, self._refusal = frozenset(packages), refusal
        self._hooks = dict(hooks)
        self._looking: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if top(fullname) in self.packages:
            return self._ours(fullname)
        if fullname in self._hooks and fullname not in self._looking:
            return self._hooked(fullname)
        if self._refusal is not None and (reason := self._refusal(fullname)):
            raise ModuleNotFoundError(reason, name=fullname)
        return None

    def _ours(self, fullname: str) -> ModuleSpec | None:
        if "." not in fullname and (other := of_the_script(fullname)):
            if fullname == "cuda":  # a word of everyday: a package of one's own is meant
                return None
            print(f"note: {other} is not imported: `{fullname}` is {WHOSE[fullname]}. Rename it.", file=sys.stderr)
        found = target_of(fullname)
        try:
            spec = importlib.util.find_spec(found)
        except ModuleNotFoundError:
            spec = None
        if spec is None:
            reason = ABSENT.get(top(fullname), "our package of that name does not have it")
            raise ModuleNotFoundError(f"No module named {fullname!r} here: {reason}.", name=fullname)
        is_package = spec.submodule_search_locations is not None
        return ModuleSpec(fullname, _Ours(found), is_package=is_package)

    def _hooked(self, fullname: str) -> ModuleSpec | None:
        self._looking.add(fullname)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._looking.discard(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Hooked(spec.loader, self._hooks[fullname])
        return spec


def of_the_script(name: str) -> str | None:
    """Return the file of a module of that name in the folder of the script, where there is one."""
    spec = PathFinder.find_spec(name, sys.path[:1])
    if spec is None or spec.origin is None or "site-packages" in Path(spec.origin).parts:
        return None
    return spec.origin
