"""A frozen TensorFlow graph in TensorFlow itself, fed as TensorRT's UFF parser has its input."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from trtflow.formats import FormatError
from trtflow.graphsurgeon.graph_file import first_line, read_graph_def
from trtflow.graphsurgeon.harmless import REMEDY, without_saving


class FrozenGraph:
    """A graph that runs.

    Args:
        path: the file.
        outputs: names of nodes.

    Raises:
        FormatError: it is no graph, has operations that TensorFlow does not know, or TensorFlow does not survive it; or
            an output waits for what saves or restores.
    """

    def __init__(self, path: Path, outputs: Sequence[str]) -> None:
        whole = read_graph_def(path)
        graphdef = without_saving(whole)
        left_out = {node.name for node in whole.node} - {node.name for node in graphdef.node}
        for name in outputs:
            if name in left_out:
                raise FormatError(path, f"its output {name!r} waits for what saves or restores variables", REMEDY)
        try:
            self._path, self._graph, self._outputs = path, tf.Graph(), list(outputs)
            with self._graph.as_default():
                tf.import_graph_def(graphdef, name="")
        except (ValueError, TypeError, KeyError, tf.errors.OpError) as error:
            raise FormatError(path, f"not a graph that TensorFlow runs ({first_line(error)})") from error

    def run(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the outputs for inputs [N, C, H, W], which go in as the graph has them, channels last or first.

        Raises:
            FormatError: TensorFlow cannot run it on this machine.
        """
        return self.run_from({f"{name}:0": values for name, values in feeds.items()}, self._outputs)

    @property
    def nodes(self) -> dict[str, tf.Operation]:
        """The graph's nodes by name."""
        return {node.name: node for node in self._graph.get_operations()}

    def run_from(self, feeds: dict[str, np.ndarray], outputs: Sequence[str]) -> dict[str, np.ndarray]:
        """Return what nodes give where any tensors of the graph are given.

        Args:
            feeds: values [N, C, H, W] by the tensor's name, as NODE:0.
            outputs: names of nodes.

        Raises:
            FormatError: TensorFlow cannot run it on this machine.
        """
        tensors = {name: self._graph.get_tensor_by_name(name) for name in feeds}
        turned = {tensors[name]: _as_declared(values, tensors[name]) for name, values in feeds.items()}
        names = [f"{name}:0" for name in outputs]
        with tf.compat.v1.Session(graph=self._graph) as session:
            try:
                return dict(zip(outputs, session.run(names, turned), strict=True))
            except tf.errors.OpError as error:
                raise FormatError(self._path, f"TensorFlow cannot run it here ({first_line(error)})") from error


def _as_declared(values: np.ndarray, tensor: tf.Tensor) -> np.ndarray:
    """Return an input in the order and the number of dimensions that a placeholder declares."""
    if tensor.shape.rank is None:  # channels last, as all that TensorFlow convolves on a CPU
        return values.transpose(0, 2, 3, 1) if values.ndim == 4 else values
    declared = [size or -1 for size in tensor.shape.as_list()][1:]
    if len(declared) != values.ndim - 1:  # TensorRT has three dimensions where the graph has fewer
        rows = len(values) if values[0].size == abs(int(np.prod(declared))) else -1  # rows of a picture may be a batch
        return values.reshape(rows, *declared)
    fits = all(size in (-1, given) for size, given in zip(declared, values.shape[1:], strict=True))
    return values if fits or values.ndim != 4 else values.transpose(0, 2, 3, 1)
