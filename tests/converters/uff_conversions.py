"""Graphs of a few operations, converted to UFF."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import tensorflow as tf
from tensorflow_graphs import frozen, v1

from trtflow.converters.uff import from_tensorflow
from trtflow.formats.uff import MetaGraph, array_of, value_of

FLOAT, INT = np.dtype(np.float32), np.dtype(np.int32)


class Converted:
    """A UFF graph with its nodes by name."""

    def __init__(self, data):
        self.graph = MetaGraph.FromString(data)
        self.nodes = {node.id: node for node in self.graph.graphs[0].nodes}

    def fields(self, name):
        fields = {key: value_of(data) for key, data in self.nodes[name].fields.items()}
        return {key: value for key, value in fields.items() if key != "values"}

    def array(self, name):
        fields = self.nodes[name].fields
        return array_of(self.graph, fields["values"], value_of(fields["dtype"]), value_of(fields["shape"]))


def convert(build, outputs=("out",), **options):
    return Converted(from_tensorflow(frozen(build), list(outputs), quiet=True, **options))


def picture(*shape, dtype=tf.float32, name="in"):
    return v1.placeholder(dtype, shape or (None, 8, 8, 4), name=name)
