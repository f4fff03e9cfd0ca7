"""TensorFlow 1 for a script: `import tensorflow as tf` gives `tensorflow.compat.v1`, in graph mode.

Packages that were loaded before keep TensorFlow 2. Of Keras it is the one of TensorFlow 1, from the package
tf_keras, where that is installed; Keras 3 knows neither graphs nor sessions.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from functools import partial
from types import ModuleType
from typing import Any

from trtflow.nvidia.patches import Patches

_REAL_PARTS = ("compat", "python", "core")  # which TensorFlow itself goes on importing by these names
_CONTRIB = (
    "tensorflow.contrib ended with TensorFlow 1 and is in no later one, so {name} cannot be given. "
    "Its slim is the package tf_slim; for the rest take what TensorFlow's migration guide names."
)
_KERAS = (
    "tf.keras.backend.{name} is of TensorFlow 1's Keras, and Keras 3 has no sessions: install the package tf_keras "
    "of TensorFlow's version (pip install tf_keras)"
)


class TensorFlow1(ModuleType):
    """TensorFlow 1's names, and behind them those of TensorFlow 2.

    Args:
        real: the package.
    """

    def __init__(self, real: ModuleType) -> None:
        super().__init__("tensorflow", real.__doc__)
        self.__dict__.update(
            {name: value for name, value in vars(real).items() if name.startswith("__") or name in _REAL_PARTS}
        )
        self._real, self._v1 = real, real.compat.v1
        self.contrib = _Contrib("tensorflow.contrib")

    def __getattr__(self, name: str) -> Any:
        for module in (self._v1, self._real):
            try:
                return getattr(module, name)
            except AttributeError:
                continue
        raise AttributeError(f"module 'tensorflow' has no attribute {name!r}, in version 1 nor in version 2")

    def __dir__(self) -> list[str]:
        return sorted({*dir(self._v1), *dir(self._real)})


def prepare() -> None:
    """Choose the Keras of TensorFlow 1 where it is installed, before TensorFlow is loaded."""
    if importlib.util.find_spec("tf_keras") is not None:
        os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")


def patch_tensorflow(patches: Patches, real: ModuleType) -> None:
    """Put TensorFlow 1 in the place of TensorFlow, which has just been loaded."""
    _load_keras(patches)
    real.compat.v1.disable_v2_behavior()
    inner = importlib.import_module("tensorflow.python.framework.graph_util")
    for name in dir(real.compat.v1.graph_util):  # scripts take them from there, where they were until 2.16
        if not name.startswith("_"):
            patches.add(inner, name, getattr(real.compat.v1.graph_util, name))
    shown = TensorFlow1(real)
    sys.modules["tensorflow"] = shown
    patches.later(partial(_restore, real))


def _restore(real: ModuleType) -> None:
    """Give TensorFlow its eager mode of version 2 back."""
    sys.modules["tensorflow"] = real
    real.compat.v1.reset_default_graph()
    real.compat.v1.enable_v2_behavior()


def _load_keras(patches: Patches) -> None:
    """Load Keras while `tensorflow` is version 2, which it is written for."""
    if os.environ.get("TF_USE_LEGACY_KERAS") == "1" or importlib.util.find_spec("keras") is None:
        return
    backend = importlib.import_module("keras").backend
    for name in ("get_session", "set_session"):
        patches.add(backend, name, _refuse(name))


def _refuse(name: str) -> Any:
    def refused(*arguments: Any, **named: Any) -> None:
        raise NotImplementedError(_KERAS.format(name=name))

    return refused


class _Contrib(ModuleType):
    """`tf.contrib`: each of its names is refused."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(_CONTRIB.format(name=f"tf.contrib.{name}"))


def refusal(fullname: str) -> str | None:
    """Return why a module cannot be imported, where it is one that ended with TensorFlow 1."""
    if fullname.startswith("tensorflow.contrib"):
        return _CONTRIB.format(name=fullname)
    if fullname.startswith("tensorflow.examples"):
        return f"{fullname} came with TensorFlow 1 and is in no later one. Read the data with a library of your own."
    return None
