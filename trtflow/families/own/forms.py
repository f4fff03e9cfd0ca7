"""A model of the user's own in the form of TensorRT's parsers, from whatever it was saved as."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trtflow.converters.model_file import import_model
from trtflow.runtime.model_file import ModelFile


def take_model(own: Mapping[str, Any], folder: Path) -> ModelFile:
    """Write the files of a model into a folder.

    Args:
        own: what the sample's YAML file says: `model`, and perhaps `inputs` and `outputs`.
        folder: to write to.

    Raises:
        UserError: a file is damaged, or there is no such input or output.
    """
    settings = own["model"]
    path = Path(settings["file"])
    inputs = {name: told["shape"] for name, told in own.get("inputs", {}).items() if "shape" in told}
    optional: dict[str, Any] = {key: Path(settings[key]) for key in ("deploy", "preprocessor") if key in settings}
    outputs = list(own.get("outputs", {}))
    return import_model(path, folder, inputs=inputs, outputs=outputs, **optional, input_shape=settings.get("input"))
