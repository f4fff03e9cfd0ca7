"""Operators of ONNX's domain ai.onnx.ml as plain ones: what skl2onnx makes of scikit-learn's linear models and scalers.

TensorRT has none of this domain. Trees, kernels and text have no plain form and stay, for the parser to refuse.
Meanings are those of https://github.com/onnx/onnx/blob/main/docs/Operators-ml.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

DOMAIN = "ai.onnx.ml"


class _Writer:
    """The nodes and weights that take a node's place.

    Args:
        node: of the domain; its name and outputs name what is made.
    """

    def __init__(self, node: onnx.NodeProto) -> None:
        self.node = node
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.attributes = {item.name: helper.get_attribute_value(item) for item in node.attribute}
        self.prefix = node.name or node.output[-1]

    def add(self, operator: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        """Add a node and return its output's name."""
        name = output or f"{self.prefix}/{operator}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(operator, inputs, [name], name=f"{self.prefix}/{len(self.nodes)}", **attributes)
        )
        return name

    def weight(self, values: Any, dtype: type = np.float32) -> str:
        """Add a weight and return its name."""
        name = f"{self.prefix}/weight_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def number(self, name: str) -> str:
        """Return an input as float32, which these operators compute in."""
        return self.add("Cast", [name], to=TensorProto.FLOAT)

    def text(self, name: str, default: str) -> str:
        """Return an attribute that is text."""
        return bytes(self.attributes.get(name, default.encode())).decode()


def _scaler(writer: _Writer) -> bool:
    """(x - offset) * scale."""
    moved = writer.add(
        "Sub", [writer.number(writer.node.input[0]), writer.weight(writer.attributes.get("offset", [0]))]
    )
    writer.add("Mul", [moved, writer.weight(writer.attributes.get("scale", [1]))], writer.node.output[0])
    return True


def _linear(writer: _Writer, rows: int, transform: str, output: str) -> bool:
    transforms = {"NONE": "Identity", "SOFTMAX": "Softmax", "LOGISTIC": "Sigmoid"}
    if transform not in transforms:
        return False
    kernel = np.array(writer.attributes["coefficients"], np.float32).reshape(rows, -1).T
    found = writer.add("MatMul", [writer.number(writer.node.input[0]), writer.weight(kernel)])
    if writer.attributes.get("intercepts"):
        found = writer.add("Add", [found, writer.weight(writer.attributes["intercepts"])])
    writer.add(transforms[transform], [found], output, **({"axis": 1} if transform == "SOFTMAX" else {}))
    return True


def _linear_regressor(writer: _Writer) -> bool:
    """x W + b of each target."""
    rows = writer.attributes.get("targets", 1)
    return _linear(writer, rows, writer.text("post_transform", "NONE"), writer.node.output[0])


def _linear_classifier(writer: _Writer) -> bool:
    """x W + b of each class, and what makes probabilities of it; the class itself is for who reads the outputs."""
    labels = writer.attributes.get("classlabels_ints") or writer.attributes.get("classlabels_strings") or []
    rows = len(writer.attributes.get("intercepts") or labels)
    if rows != len(labels):  # one row for two classes, of which ONNX Runtime makes two
        return False
    return _linear(writer, rows, writer.text("post_transform", "NONE"), writer.node.output[1])


def _normalizer(writer: _Writer) -> bool:
    """Each row over its sum of magnitudes (L1) or its length (L2)."""
    reduced = {"L1": "ReduceL1", "L2": "ReduceL2"}.get(writer.text("norm", "MAX"))
    if reduced is None:
        return False
    values = writer.number(writer.node.input[0])
    size = writer.add(reduced, [values], axes=[1], keepdims=1)
    writer.add("Div", [values, size], writer.node.output[0])
    return True


def _feature_vectorizer(writer: _Writer) -> bool:
    """All inputs side by side."""
    writer.add("Concat", [writer.number(name) for name in writer.node.input], writer.node.output[0], axis=1)
    return True


def _array_feature_extractor(writer: _Writer) -> bool:
    """Columns by their places."""
    writer.add("Gather", list(writer.node.input), writer.node.output[0], axis=-1)
    return True


PLAIN: dict[str, Callable[[_Writer], bool]] = {
    "ArrayFeatureExtractor": _array_feature_extractor,
    "FeatureVectorizer": _feature_vectorizer,
    "LinearClassifier": _linear_classifier,
    "LinearRegressor": _linear_regressor,
    "Normalizer": _normalizer,
    "Scaler": _scaler,
}


def plain(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model with plain operators for those of ai.onnx.ml that have such a form; others stay.

    Args:
        model: cut down to what is needed; it is left as it is.
    """
    found = onnx.ModelProto()
    found.CopyFrom(model)
    graph = found.graph
    read = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        writer = _Writer(node)
        labelled = node.op_type == "LinearClassifier" and node.output[0] in read
        if node.domain == DOMAIN and node.op_type in PLAIN and not labelled and PLAIN[node.op_type](writer):
            nodes += writer.nodes
            graph.initializer.extend(writer.weights)
        else:
            nodes.append(node)
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
    if not any(node.domain == DOMAIN for node in graph.node):
        versions = [item for item in found.opset_import if item.domain != DOMAIN]
        copied = [(item.domain, item.version) for item in versions]
        del found.opset_import[:]
        found.opset_import.extend(helper.make_opsetid(*item) for item in copied)
    return found
