"""The weights of a TensorFlow checkpoint by name, as NVIDIA's dumpTFWts.py exports them (guide §7.2.2)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from trtflow.formats import FormatError

SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"  # of an object-based checkpoint's keys, those of TensorFlow 2
BOOKKEEPING = ("_CHECKPOINTABLE_OBJECT_GRAPH", "global_step", "save_counter")
SLOTS = (".OPTIMIZER_SLOT", "optimizer/", "/Adam", "/Momentum", "/RMSProp", "/Adagrad", "beta1_power", "beta2_power")


def read_checkpoint(prefix: Path, keep_optimizer: bool = False) -> dict[str, np.ndarray]:
    """Return the float variables of a checkpoint as float32, sorted by name; `/` in a name becomes `_`.

    Args:
        prefix: of the checkpoint's files, without .index.
        keep_optimizer: whether to keep what only a training needs.

    Raises:
        FormatError: there is no such checkpoint, it is damaged, or two names become one.
    """
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        types = reader.get_variable_to_dtype_map()
        wanted = [name for name in sorted(types) if types[name].is_floating and not _is_bookkeeping(name)]
        kept = [name for name in wanted if keep_optimizer or not any(slot in name for slot in SLOTS)]
        values = [(_exported(name), reader.get_tensor(name).astype(np.float32)) for name in kept]
    except (ValueError, tf.errors.OpError) as error:
        fault = f"not a checkpoint of TensorFlow's, or a damaged one ({str(error).splitlines()[0]})"
        raise FormatError(prefix, fault, "Give the prefix of its .index and .data files.") from error
    names = [name for name, _ in values]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise FormatError(prefix, f"two variables would be named {twice[0]!r}", "Rename one of them.")
    return dict(values)


def _exported(name: str) -> str:
    return name.removesuffix(SUFFIX).replace("/", "_")


def _is_bookkeeping(name: str) -> bool:
    return name.removesuffix(SUFFIX).split("/")[0] in BOOKKEEPING
