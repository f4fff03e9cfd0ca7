"""The weights of a TensorFlow checkpoint by name, as NVIDIA's dumpTFWts.py exports them (guide §7.2.2)."""

from __future__ import annotations

import glob
import re
from collections import deque
from collections.abc import Container, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

from trtflow.formats import FormatError
from trtflow.formats.damage import refuse_damage

OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"  # in checkpoints of TensorFlow 2: what object hangs below which
VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"  # the end of their keys
# What trainings of TensorFlow 1 keep: variables named after the one that they are for, such as w/Adam_1, and counters.
SLOT = re.compile(r"(Adam|AdaMax|Adagrad|Adadelta|Momentum|RMSProp|Ftrl|LARS|LAMB)\w*")
COUNTER = re.compile(r"beta[12]_power(_\d+)?|global_step")


def read_checkpoint(prefix: Path, keep_optimizer: bool = False) -> dict[str, np.ndarray]:
    """Return the float variables of a checkpoint as float32, sorted by name; `/` in a name becomes `_`.

    Args:
        prefix: of the checkpoint's files, without .index.
        keep_optimizer: whether to keep what only a training needs.

    Raises:
        FormatError: there is no such checkpoint, it is damaged, or two names become one.
    """
    fault = "not a checkpoint of TensorFlow's, or a damaged one"
    also = (tf.errors.OpError, DecodeError)
    with refuse_damage(prefix, fault, "Give the prefix of its .index and .data files.", also):
        reader = tf.train.load_checkpoint(str(prefix))
        names = _names(reader, keep_optimizer)
        _check_sizes(prefix, reader, [key for _, key in names])
        values = [(name.replace("/", "_"), reader.get_tensor(key).astype(np.float32)) for name, key in names]
    blobs = dict(values)
    if len(blobs) != len(values):
        twice = next(name for name in blobs if sum(name == other for other, _ in values) > 1)
        raise FormatError(prefix, f"two variables would be named {twice!r}", "Rename one of them.")
    return blobs


def _check_sizes(prefix: Path, reader: Any, keys: Sequence[str]) -> None:
    """Hold the sizes that the index says against the bytes of the files: TensorFlow takes the memory first.

    Raises:
        ValueError: they are more.
    """
    shapes, types = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    stated = sum(prod(shapes[key]) * types[key].size for key in keys)
    there = sum(path.stat().st_size for path in prefix.parent.glob(f"{glob.escape(prefix.name)}.data-*"))
    if stated > there:
        raise ValueError(f"{stated} bytes of variables are stated, and the files have {there}")


def _names(reader: Any, keep_optimizer: bool) -> list[tuple[str, str]]:
    """Return the names of the float variables, sorted, and the keys under which the checkpoint has them."""
    types = reader.get_variable_to_dtype_map()
    keys = [key for key in types if types[key].is_floating]
    if OBJECTS in types:
        own = _names_of_objects(TrackableObjectGraph.FromString(reader.get_tensor(OBJECTS)))
    else:
        own = {key: key for key in keys if not _is_of_training(key, types)}
    return sorted((own.get(key, key.removesuffix(VALUE)), key) for key in keys if keep_optimizer or key in own)


def _names_of_objects(objects: Any) -> dict[str, str]:
    """Return the paths to the variables that can be reached past the optimizers, by their keys.

    Keras's optimizer holds the model's weights too. Where it comes first the checkpoint has them under its keys, such
    as optimizer/_trainable_variables/0/...; they are given the names that they have in the model.
    """
    names: dict[str, str] = {}
    pending, seen = deque([(0, "")]), {0}
    while pending:
        index, path = pending.popleft()
        node = objects.nodes[index]
        names.update({attribute.checkpoint_key: path.removeprefix("/") for attribute in node.attributes})
        for child in node.children:
            if child.node_id not in seen and not _is_optimizer(child.local_name, objects.nodes[child.node_id]):
                seen.add(child.node_id)
                pending.append((child.node_id, f"{path}/{child.local_name}"))
    return names


def _is_optimizer(name: str, node: Any) -> bool:
    children = {child.local_name for child in node.children}
    return name == "optimizer" or bool(node.slot_variables) or {"_iterations", "_learning_rate"} <= children


def _is_of_training(name: str, there: Container[str]) -> bool:
    """Whether a variable of TensorFlow 1 is one that only a training needs."""
    *path, last = name.split("/")
    if SLOT.fullmatch(last):  # of w it is w/Adam, or train/w/Adam where the optimizer was made in a scope
        return any("/".join(path[start:]) in there for start in range(len(path)))
    return COUNTER.fullmatch(last) is not None
