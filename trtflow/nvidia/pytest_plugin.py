"""A pytest plugin: tests that import NVIDIA's packages run on a CPU.

    pytest -p trtflow.nvidia.pytest_plugin --trtflow-era 7

or in the configuration of pytest: `addopts = "-p trtflow.nvidia.pytest_plugin"` and `trtflow_era = "7"`.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from trtflow.formats import UserError
from trtflow.nvidia.names import BACKENDS, ERAS, Names, given

_ACTIVE = ExitStack()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add an option and a setting of the same name for each choice."""
    group = parser.getgroup("trtflow", "NVIDIA's packages on a CPU")
    group.addoption("--trtflow-backend", choices=BACKENDS, help="what `tensorrt` is")
    group.addoption("--trtflow-era", choices=list(map(str, ERAS)), help="members that TensorRT of that time had")
    group.addoption("--trtflow-tensorflow1", action="store_true", default=None, help="`tensorflow` is version 1's")
    group.addoption("--trtflow-dropped-names", action="store_true", default=None, help="old names of NumPy and Pillow")
    group.addoption("--trtflow-plugins", action="append", metavar="FILE.py", help="plugins (docs/plugins.md)")
    group.addoption("--trtflow-any-table", action="store_true", default=None, help="calibration tables as in TensorRT")
    parser.addini("trtflow_any_table", "whether any calibration table is taken", type="bool", default=False)
    group.addoption(
        "--trtflow-no-torch-cuda",
        dest="trtflow_torch_cuda",
        action="store_false",
        default=None,
        help="PyTorch is as it is",
    )
    parser.addini("trtflow_backend", "what `tensorrt` is: reference or tensorrt", default="reference")
    parser.addini("trtflow_era", "5, 6 or 7: members that TensorRT of that time had", default="")
    parser.addini("trtflow_tensorflow1", "whether `tensorflow` is version 1's", type="bool", default=False)
    parser.addini("trtflow_dropped_names", "whether old names of NumPy and Pillow are there", default="")
    parser.addini("trtflow_torch_cuda", "whether PyTorch has a CUDA device, the host", type="bool", default=True)
    parser.addini("trtflow_plugins", "files of plugins", type="linelist", default=[])


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Give the names before the first conftest.py is imported."""
    try:
        _ACTIVE.enter_context(given(_names(early_config)))
    except UserError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_unconfigure() -> None:
    """Take the names away."""
    _ACTIVE.close()


def _names(config: pytest.Config) -> Names:
    def setting(name: str) -> Any:
        found = getattr(config.known_args_namespace, f"trtflow_{name}")
        return config.getini(f"trtflow_{name}") if found is None else found

    era, dropped = setting("era"), setting("dropped_names")
    if era not in ("", *map(str, ERAS)):
        raise UserError(f"trtflow_era = {era}. There are 5, 6 and 7; without one it is TensorRT 8.6.")
    if isinstance(dropped, str):
        dropped = {"": None, "true": True, "false": False}.get(dropped.lower(), True)
    return Names(
        backend=setting("backend"),
        era=int(era) if era else None,
        tensorflow1=setting("tensorflow1"),
        dropped_names=dropped,
        plugins=tuple(map(Path, setting("plugins"))),
        children=True,
        any_table=setting("any_table"),
        torch_cuda=setting("torch_cuda"),
    )
