"""Command-line options that scripts which build engines share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from trtflow.runtime.build import VERBOSITIES, Settings


def add_builder_options(arguments: argparse.ArgumentParser) -> None:
    """Add an option for each of `Settings`."""
    usual = Settings()
    group = arguments.add_argument_group("builder")
    group.add_argument("--workspace-mb", type=int, default=usual.workspace_mb, help="scratch memory of a layer, MiB")
    group.add_argument("--tf32", action="store_true", help="allow TensorFloat-32 in float32 layers")
    group.add_argument(
        "--optimization-level", type=int, choices=range(6), default=usual.optimization_level, help="effort of the build"
    )
    group.add_argument(
        "--timing-cache", type=Path, help="kernel times that builds share: a file, or auto, the one of this GPU"
    )
    group.add_argument(
        "--profiling-verbosity", choices=VERBOSITIES, default=VERBOSITIES[0], help="what is kept of layers to be told"
    )


def builder_settings(options: argparse.Namespace) -> Settings:
    """Return the settings of a command line that has these options."""
    return Settings(
        options.workspace_mb,
        options.tf32,
        options.optimization_level,
        options.timing_cache,
        options.profiling_verbosity,
    )


def builder_origin(options: argparse.Namespace) -> dict[str, Any]:
    """Return those settings as `engine.<precision>.json` tells them."""
    names = ("workspace_mb", "tf32", "optimization_level", "profiling_verbosity")
    return {name: getattr(options, name) for name in names}
