"""What TensorFlow trainings share: repeatable settings, and files of Keras without times."""

from __future__ import annotations

import json
import re
import tempfile
import zipfile
from pathlib import Path

from trtflow.families.common import environment  # noqa: F401  # isort: skip - of TensorFlow, before it is loaded

import keras
import tensorflow as tf

from trtflow.formats.damage import refuse_damage
from trtflow.formats.files import atomic_path

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can hold


def prepare_tensorflow(seed: int, threads: int) -> None:
    """Seed TensorFlow and make it repeatable: one seed and one number of threads give one result on one machine."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)


def save_keras(model: keras.Model, path: Path) -> None:
    """Write a model in Keras's format; the same weights give the same bytes: no time, no addresses in memory."""
    with tempfile.TemporaryDirectory() as folder:
        dated = Path(folder) / "model.keras"
        keras.saving.save_model(model, dated)
        with zipfile.ZipFile(dated) as archive:
            files = {name: archive.read(name) for name in sorted(archive.namelist())}
    files["config.json"] = _renumbered(files["config.json"].decode()).encode()
    files["metadata.json"] = json.dumps({**json.loads(files["metadata.json"]), "date_saved": ""}).encode()
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), data)


def _renumbered(config: str) -> str:
    """Return a model's configuration with its objects numbered from 0 in place of their addresses in memory."""
    key = r'"shared_object_id": '
    addresses = dict.fromkeys(re.findall(rf"{key}(\d+)", config))
    numbers = {address: str(number) for number, address in enumerate(addresses)}
    return re.sub(rf"({key})(\d+)", lambda match: match[1] + numbers[match[2]], config)


def load_keras(path: Path) -> keras.Model:
    """Read a model that `save_keras` wrote.

    Raises:
        FormatError: the file is no Keras model.
    """
    if not path.exists():
        raise FileNotFoundError(2, "no such file", str(path))
    with refuse_damage(path, "not a Keras model", "Train again with scripts/train.py."):
        return keras.saving.load_model(path, compile=False)
