"""UFF's functions of single numbers, and softmax."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from trtflow.reference.record.enums import (
    ActivationType,
    ElementWiseOperation,
    UnaryOperation,
)
from trtflow.reference.record.layers import ILayer
from trtflow.reference.record.uff_registry import parses
from trtflow.reference.record.uff_values import Constant, Operand, Value

if TYPE_CHECKING:
    from trtflow.reference.record.uff_parser import Parse

BINARY = {
    "add": (ElementWiseOperation.SUM, np.add),
    "sub": (ElementWiseOperation.SUB, np.subtract),
    "mul": (ElementWiseOperation.PROD, np.multiply),
    "div": (ElementWiseOperation.DIV, np.divide),
    "min": (ElementWiseOperation.MIN, np.minimum),
    "max": (ElementWiseOperation.MAX, np.maximum),
    "pow": (ElementWiseOperation.POW, np.power),
}
UNARY: dict[str, tuple[UnaryOperation | None, Callable[[np.ndarray], np.ndarray]]] = {
    "neg": (UnaryOperation.NEG, np.negative),
    "exp": (UnaryOperation.EXP, np.exp),
    "log": (UnaryOperation.LOG, np.log),
    "abs": (UnaryOperation.ABS, np.abs),
    "sqrt": (UnaryOperation.SQRT, np.sqrt),
    "sin": (UnaryOperation.SIN, np.sin),
    "cos": (UnaryOperation.COS, np.cos),
    "tan": (UnaryOperation.TAN, np.tan),
    "sinh": (UnaryOperation.SINH, np.sinh),
    "cosh": (UnaryOperation.COSH, np.cosh),
    "asin": (UnaryOperation.ASIN, np.arcsin),
    "acos": (UnaryOperation.ACOS, np.arccos),
    "atan": (UnaryOperation.ATAN, np.arctan),
    "asinh": (UnaryOperation.ASINH, np.arcsinh),
    "acosh": (UnaryOperation.ACOSH, np.arccosh),
    "atanh": (UnaryOperation.ATANH, np.arctanh),
    "ceil": (UnaryOperation.CEIL, np.ceil),
    "floor": (UnaryOperation.FLOOR, np.floor),
    "square": (None, np.square),  # two that TensorRT puts together
    "rsqrt": (None, lambda array: 1 / np.sqrt(array)),
}
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805  # Klambauer et al., arXiv:1706.02515
ACTIVATIONS = {  # with alpha and beta
    "relu": (ActivationType.RELU, 0.0, 0.0),
    "relu6": (ActivationType.CLIP, 0.0, 6.0),
    "sigmoid": (ActivationType.SIGMOID, 0.0, 0.0),
    "tanh": (ActivationType.TANH, 0.0, 0.0),
    "elu": (ActivationType.ELU, 1.0, 0.0),
    "selu": (ActivationType.SELU, SELU_ALPHA, SELU_SCALE),
    "softsign": (ActivationType.SOFTSIGN, 0.0, 0.0),
    "softplus": (ActivationType.SOFTPLUS, 1.0, 1.0),
}


@parses("Binary", inputs=2)
def _binary(parse: Parse, node: Any, operands: list[Operand]) -> Operand:
    function, fold = parse.function(node, BINARY)
    first, second = operands
    if isinstance(first, Constant) and isinstance(second, Constant):
        return Constant(fold(first.array, second.array).astype(first.array.dtype))
    values = parse.axes.alike([operand for operand in operands if isinstance(operand, Value)])
    value = max(values, key=lambda value: (value.rank, bool(value.logical)))
    tensors = [value.tensor for value in values]
    for place, operand in enumerate(operands):
        if isinstance(operand, Constant):
            tensors.insert(place, parse.axes.aligned(operand, value, f"{node.id}_{place}"))
    layer = parse.network.add_elementwise(tensors[0], tensors[1], function)
    return replace(value, tensor=layer.outputs[0])


@parses("Unary")
def _unary(parse: Parse, node: Any, operands: list[Operand]) -> Operand:
    value = operands[0]
    function, fold = parse.function(node, UNARY)
    if isinstance(value, Constant):
        return Constant(fold(value.array).astype(value.array.dtype))
    name = parse.field(node, "func")
    if name == "square":
        layer: ILayer = parse.network.add_elementwise(value.tensor, value.tensor, ElementWiseOperation.PROD)
    elif name == "rsqrt":
        root = parse.network.add_unary(value.tensor, UnaryOperation.SQRT)
        root.name = f"{node.id}_sqrt"
        layer = parse.network.add_unary(root.outputs[0], UnaryOperation.RECIP)
    else:
        assert function is not None
        layer = parse.network.add_unary(value.tensor, function)
    return replace(value, tensor=layer.outputs[0])


@parses("Activation")
def _activation(parse: Parse, node: Any, operands: list[Operand]) -> Value:
    value, (function, *constants) = parse.need_value(node, operands[0]), parse.function(node, ACTIVATIONS)
    layer = parse.network.add_activation(value.tensor, function)
    layer.alpha, layer.beta = constants
    return replace(value, tensor=layer.outputs[0])


@parses("LeakyRelu")
def _leaky_relu(parse: Parse, node: Any, operands: list[Operand]) -> Value:
    value = parse.need_value(node, operands[0])
    layer = parse.network.add_activation(value.tensor, ActivationType.LEAKY_RELU)
    layer.alpha = parse.need_field(node, "alpha")
    return replace(value, tensor=layer.outputs[0])


@parses("Softmax")
def _softmax(parse: Parse, node: Any, operands: list[Operand]) -> Value:
    """Softmax over the channels; the parser ignores the field axis."""
    value = parse.need_value(node, operands[0])
    (order,) = parse.orders(node, ["N+C"])
    value = parse.axes.channels_first(value, order) if value.rank == 4 else value
    channel = value.rank - 1 if order == "N+C" else 1
    layer = parse.network.add_softmax(value.tensor)
    layer.axes = 1 << value.place(channel)
    return replace(value, tensor=layer.outputs[0])
