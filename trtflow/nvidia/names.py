"""`with trtflow.nvidia_names():` NVIDIA's packages by name, answered on a CPU."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType

from trtflow.formats import UserError
from trtflow.nvidia import children, dropped, libraries, tensorflow1, torch_cuda
from trtflow.nvidia.finder import OURS, Hook, NameFinder, top
from trtflow.nvidia.patches import Patches

BACKENDS = ("reference", "tensorrt")
ERAS = (5, 6, 7)
PACKAGES = tuple(dict.fromkeys(map(top, OURS)))
OF_THE_GPU = ("tensorrt", "pycuda", "cuda")  # NVIDIA's own where the backend is


@dataclass(frozen=True)
class Names:
    """What a script finds under NVIDIA's names.

    Attributes:
        backend: "reference", or "tensorrt" for NVIDIA's tensorrt, pycuda and cuda.
        era: 5, 6 or 7 for the members that the TensorRT of that time had; None for 8.6 as it is.
        tensorflow1: whether `tensorflow` is version 1's.
        dropped_names: whether NumPy and Pillow have the names that they dropped; None: with an era or TensorFlow 1.
        plugins: files of plugins, see docs/plugins.md.
        children: whether Python processes that are started meanwhile have all this too.
        torch_cuda: whether PyTorch has a CUDA device, which is the host; with the backend reference alone.
        any_table: whether calibration tables of other versions, and such that lack tensors, are taken with warnings.
    """

    backend: str = "reference"
    era: int | None = None
    tensorflow1: bool = False
    dropped_names: bool | None = None
    plugins: tuple[Path, ...] = ()
    children: bool = False
    torch_cuda: bool = True
    any_table: bool = False

    def check(self) -> None:
        """Make sure that this can be.

        Raises:
            UserError: it cannot.
        """
        if self.backend not in BACKENDS:
            raise UserError(f"backend {self.backend!r}. There are {' and '.join(BACKENDS)}.")
        if self.era not in (None, *ERAS):
            raise UserError(f"era {self.era!r}. There are 5, 6 and 7; without one it is TensorRT 8.6.")
        if self.backend == "reference":
            return
        if self.era is not None or self.plugins or self.any_table:
            raise UserError(
                "an era, files of plugins and any table are the reference's. Leave them out, or the backend tensorrt."
            )
        if not is_installed("tensorrt"):
            raise UserError(
                "backend tensorrt, but NVIDIA's tensorrt is not installed in this Python. "
                "Run it with the Python that has it, or with the backend reference."
            )

    @property
    def gives_dropped_names(self) -> bool:
        """Whether NumPy and Pillow have the names that they dropped."""
        wanted = self.dropped_names
        return (self.era is not None or self.tensorflow1) if wanted is None else wanted

    @property
    def packages(self) -> list[str]:
        """The packages that are ours."""
        if self.backend == "reference":
            return list(PACKAGES)
        return [name for name in PACKAGES if name not in OF_THE_GPU and not is_installed(name)]


def is_installed(name: str) -> bool:
    """Tell a package from nothing, and from a mere folder of that name on the path, which Python imports as empty."""
    try:
        spec = importlib.util.find_spec(name)
    except ValueError:  # of a module that has no spec
        return name in sys.modules
    return spec is not None and spec.origin is not None


@contextmanager
def nvidia_names(
    backend: str = "reference",
    era: int | None = None,
    tensorflow1: bool = False,
    dropped_names: bool | None = None,
    plugins: Sequence[str | Path] = (),
    children: bool = False,
    torch_cuda: bool = True,
    any_table: bool = False,
) -> Iterator[None]:
    """Let imports of tensorrt, pycuda, cuda, uff and graphsurgeon give ours meanwhile; all is as before afterwards.

    Args:
        backend: "reference", or "tensorrt" for NVIDIA's tensorrt, pycuda and cuda.
        era: 5, 6 or 7 for the members that the TensorRT of that time had, each with a warning that says today's.
        tensorflow1: whether `import tensorflow` gives version 1's names, in graph mode.
        dropped_names: whether NumPy and Pillow have the names that they dropped; by default with one of the last two.
        plugins: Python files with plugins, see docs/plugins.md.
        children: whether Python processes that are started meanwhile have all this too.
        torch_cuda: whether PyTorch has a CUDA device, which is the host; with the backend reference alone.
        any_table: whether calibration tables are taken as TensorRT takes them: of other versions too, and where tensors
            lack, each with a warning.

    Raises:
        UserError: an argument is wrong, TensorRT is asked for and not installed, or a file of plugins has a fault.
    """
    names = Names(backend, era, tensorflow1, dropped_names, tuple(map(Path, plugins)), children, torch_cuda, any_table)
    with given(names):
        yield


@contextmanager
def given(names: Names) -> Iterator[None]:
    """Let imports give what `names` says meanwhile; all is as before afterwards.

    Raises:
        UserError: it cannot be.
    """
    from trtflow.runtime.own_plugins import plugin_files  # noqa: PLC0415 - children load as little as they can

    names.check()
    packages = set(names.packages)
    patches, finder = Patches(), None
    with plugin_files(names.plugins):
        before = _take_out(packages)
        try:
            finder = _install(names, packages, patches)
            yield
        finally:
            if finder is not None:
                sys.meta_path.remove(finder)
            _take_out(packages)
            sys.modules.update(before)
            patches.undo()


def _take_out(packages: set[str]) -> dict[str, ModuleType]:
    """Take packages out of the loaded modules; return what was there."""
    found = {name: module for name, module in sys.modules.items() if top(name) in packages}
    for name in found:
        del sys.modules[name]
    return found


def _install(names: Names, packages: set[str], patches: Patches) -> NameFinder:
    hooks = _hooks(names, patches)
    if names.tensorflow1:
        tensorflow1.prepare()
    finder = NameFinder(sorted(packages), hooks, tensorflow1.refusal if names.tensorflow1 else None)
    sys.meta_path.insert(0, finder)
    for name, hook in hooks.items():  # of what is loaded already
        if name in sys.modules:
            hook(sys.modules[name])
    if names.backend == "reference":
        libraries.patch_ctypes(patches, names.plugins)
    if names.children:
        children.tell(patches, names)
    return finder


def _hooks(names: Names, patches: Patches) -> dict[str, Hook]:
    """Return what is done to modules when they are loaded."""
    hooks: dict[str, Hook] = {}
    if names.backend == "reference":
        hooks["trtflow.reference.memory"] = partial(_guard_memory, patches)
        if names.torch_cuda:
            hooks |= {name: partial(patch, patches) for name, patch in torch_cuda.HOOKS.items()}
    if names.any_table:
        hooks["trtflow.reference.calibrate"] = lambda calibrate: patches.set(calibrate, "ANY_TABLE", True)
    if names.era is not None:
        from trtflow.nvidia.eras import give_era  # noqa: PLC0415 - children load as little as they can

        hooks["trtflow.reference"] = partial(give_era, patches, names.era)
    if names.gives_dropped_names:
        hooks |= {name: partial(patch, patches) for name, patch in dropped.HOOKS.items()}
    if names.tensorflow1:
        hooks["tensorflow"] = partial(tensorflow1.patch_tensorflow, patches)
    return hooks


def _guard_memory(patches: Patches, memory: ModuleType) -> None:
    """Have the reference look at its bindings: freed memory is an error, and not a fault of the process."""
    from trtflow.nvidia.host import MEMORY  # noqa: PLC0415 - children load as little as they can

    patches.set(memory, "guard", MEMORY.guard)
