"""Functions of single numbers, and softmax."""

from __future__ import annotations

from typing import Any

import numpy as np

from trtflow.converters.uff.custom import add_custom
from trtflow.converters.uff.graph import Conversion, converts, numpy_type

ACTIVATIONS = {
    "Relu": "relu",
    "Relu6": "relu6",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Elu": "elu",
    "Selu": "selu",
    "Softsign": "softsign",
    "Softplus": "softplus",
}
BINARY = {
    "Add": "add",
    "AddV2": "add",
    "Sub": "sub",
    "Mul": "mul",
    "Div": "div",
    "RealDiv": "div",
    "Pow": "pow",
}
UNARY = (
    *("Neg", "Exp", "Log", "Abs", "Sqrt", "Rsqrt", "Square", "Ceil", "Floor"),
    *("Sin", "Cos", "Tan", "Sinh", "Cosh", "Asin", "Acos", "Atan", "Asinh", "Acosh", "Atanh"),
)


@converts(*BINARY)
def convert_binary(conversion: Conversion, node: Any) -> None:
    """Binary; c - x and c / x with a constant c, which TensorRT's parser refuses, turned round."""
    first, second = conversion.inputs_of(node)
    function = BINARY[node.op]
    if function not in ("sub", "div") or first not in conversion.constants:
        conversion.add(node, "Binary", [first, second], func=function)
        return
    turned = f"{node.name}/turned"
    conversion.add(node, "Binary", [turned, first], func="add" if function == "sub" else "mul")
    if function == "sub":
        conversion.add(node, "Unary", [second], as_name=turned, func="neg")
    else:
        conversion.add(node, "Binary", [second, f"{node.name}/exponent"], as_name=turned, func="pow")
        conversion.add_constant(f"{node.name}/exponent", np.array([-1], np.float32))


@converts("AddN")
def convert_sum_of_many(conversion: Conversion, node: Any) -> None:
    """Binary add, one for each value but the first."""
    first, *others = conversion.inputs_of(node)
    if not others:
        conversion.add(node, "Identity", [first])
        return
    names = [*(f"{node.name}/sum_{index}" for index in range(1, len(others))), node.name]
    for name, left, right in zip(names, [first, *names], others, strict=False):
        conversion.add(node, "Binary", [left, right], as_name=name, func="add")


@converts("Maximum", "Minimum")
def convert_extremum(conversion: Conversion, node: Any) -> None:
    """Binary min or max of two tensors; with a constant c, which TensorRT's parser refuses there, by way of ReLU.

    max(x, c) is relu(x - c) + c, and min(x, c) is c - relu(c - x).
    """
    first, second = conversion.inputs_of(node)
    known = [name in conversion.constants for name in (first, second)]
    if not any(known):
        conversion.add(node, "Binary", [first, second], func=node.op[:3].lower())
        return
    data, bound = (second, first) if known[0] else (first, second)
    steps = (
        [("relu", "Activation", "relu"), ("less", "Binary", "sub")]
        if node.op == "Maximum"
        else [
            ("back", "Unary", "neg"),
            ("relu", "Activation", "relu"),
            ("less", "Binary", "add"),
            ("turned", "Unary", "neg"),
        ]
    )
    names = [f"{node.name}/{name}" for name, _, _ in steps]
    conversion.add(node, "Binary", [names[0], bound], func="add")
    for name, source, (_, operation, function) in zip(names, [*names[1:], data], steps, strict=True):
        others = [bound] if operation == "Binary" else []
        conversion.add(node, operation, [source, *others], as_name=name, func=function)


@converts("SquaredDifference")
def convert_squared_difference(conversion: Conversion, node: Any) -> None:
    """A difference and its square."""
    difference = f"{node.name}/difference"
    conversion.add(node, "Unary", [difference], func="square")
    conversion.add(node, "Binary", conversion.inputs_of(node), as_name=difference, func="sub")


@converts("Reciprocal", "Inv")
def convert_reciprocal(conversion: Conversion, node: Any) -> None:
    """The power of -1."""
    exponent = f"{node.name}/exponent"
    conversion.add(node, "Binary", [*conversion.inputs_of(node), exponent], func="pow")
    conversion.add_constant(exponent, np.array([-1], np.float32))


@converts(*UNARY)
def convert_unary(conversion: Conversion, node: Any) -> None:
    """Unary."""
    conversion.add(node, "Unary", conversion.inputs_of(node), func=node.op.lower())


@converts(*ACTIVATIONS)
def convert_activation(conversion: Conversion, node: Any) -> None:
    """Activation."""
    conversion.add(node, "Activation", conversion.inputs_of(node), func=ACTIVATIONS[node.op])


@converts("LeakyRelu")
def convert_leaky_relu(conversion: Conversion, node: Any) -> None:
    """LeakyRelu with its slope, an operation of its own in TensorRT's parser."""
    conversion.add(node, "LeakyRelu", conversion.inputs_of(node), alpha=float(node.attr["alpha"].f))


@converts("Softmax")
def convert_softmax(conversion: Conversion, node: Any) -> None:
    """Softmax over the last axis, which is TensorFlow's only one."""
    _add_softmax(conversion, node, node.name)


@converts("LogSoftmax")
def convert_log_softmax(conversion: Conversion, node: Any) -> None:
    """A softmax and its logarithm."""
    softmax = f"{node.name}/softmax"
    conversion.add(node, "Unary", [softmax], func="log")
    _add_softmax(conversion, node, softmax)


def _add_softmax(conversion: Conversion, node: Any, name: str) -> None:
    data = conversion.inputs_of(node)[0]
    # The channels are the last axis of a picture; for a matrix NVIDIA's converter says NC+, and both mean the same.
    order = "N+C" if len(conversion.shapes.get(data, [])) > 2 else "NC+"
    orders = conversion.orders(order)
    conversion.add(node, "Softmax", [data], as_name=name, axis=conversion.axis(-1, data), inputs_orders=orders)


@converts("Cast")
def convert_cast(conversion: Conversion, node: Any) -> None:
    """Identity, for TensorRT computes in a type of its own choice; to integers, which rounds, a custom node."""
    source, target = (numpy_type(node, key) for key in ("SrcT", "DstT"))
    if source.kind == "f" and target.kind != "f":
        add_custom(conversion, node)
    else:
        conversion.add(node, "Identity", conversion.inputs_of(node))
