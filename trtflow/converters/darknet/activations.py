"""Darknet's activations as ONNX nodes (github.com/AlexeyAB/darknet, src/activations.h)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from trtflow.converters.darknet.graph import Graph

LEAKY, RELIE, RAMP = 0.1, 0.01, 0.1  # slopes


def activate(graph: Graph, name: str, value: str, activation: str) -> str:
    """Append the activation of a layer called `name`; a linear one is none."""
    return value if activation == "linear" else ACTIVATIONS[activation](graph, name, value)


def _one(operator: str, suffix: str, **attributes: float) -> Callable[[Graph, str, str], str]:
    def append(graph: Graph, name: str, value: str) -> str:
        return graph.node(operator, f"{name}_{suffix}", [value], **attributes)

    return append


def _clip(suffix: str, low: float, high: float) -> Callable[[Graph, str, str], str]:
    def append(graph: Graph, name: str, value: str) -> str:
        bounds = [graph.number(f"{name}_{suffix}_{end}", bound) for end, bound in (("low", low), ("high", high))]
        return graph.node("Clip", f"{name}_{suffix}", [value, *bounds])

    return append


def _swish(graph: Graph, name: str, value: str) -> str:
    gate = graph.node("Sigmoid", f"{name}_swish_sigmoid", [value])
    return graph.node("Mul", f"{name}_swish", [value, gate])


def _mish(graph: Graph, name: str, value: str) -> str:
    # Mish itself came with opset 18, which TensorRT 8.6 does not read
    soft = graph.node("Softplus", f"{name}_mish_softplus", [value])
    return graph.node("Mul", f"{name}_mish", [value, graph.node("Tanh", f"{name}_mish_tanh", [soft])])


def _hard_mish(graph: Graph, name: str, value: str) -> str:
    # x from 0 on; below, x * x / 2 + x down to -2, where it is 0: that is x times (x + 2) / 2, held between 0 and 1
    shifted = graph.node("Add", f"{name}_hard_mish_shifted", [value, graph.number(f"{name}_hard_mish_two", 2)])
    gate = _clip("hard_mish_gate", 0, 1)(graph, name, graph.times(f"{name}_hard_mish_half", shifted, 0.5))
    return graph.node("Mul", f"{name}_hard_mish", [value, gate])


def _ramp(graph: Graph, name: str, value: str) -> str:
    positive = graph.node("Relu", f"{name}_ramp_relu", [value])
    return graph.node("Add", f"{name}_ramp", [positive, graph.times(f"{name}_ramp_slope", value, RAMP)])


def _loggy(graph: Graph, name: str, value: str) -> str:
    return graph.node("Tanh", f"{name}_loggy", [graph.times(f"{name}_loggy_half", value, 0.5)])


def _gelu(graph: Graph, name: str, value: str) -> str:
    def term(suffix: str, operator: str, first: str, second: str | float) -> str:
        other = second if isinstance(second, str) else graph.number(f"{name}_gelu_{suffix}_value", second)
        return graph.node(operator, f"{name}_gelu_{suffix}", [first, other])

    square = term("square", "Mul", value, value)
    inner = term("sum", "Add", term("scaled", "Mul", square, 0.035677), 0.797885)  # Darknet's own rounding
    bent = graph.node("Tanh", f"{name}_gelu_tanh", [term("inner", "Mul", value, inner)])
    return graph.node("Mul", f"{name}_gelu", [term("half", "Mul", value, 0.5), term("gate", "Add", bent, 1)])


ACTIVATIONS: dict[str, Callable[[Graph, str, str], str]] = {
    "leaky": _one("LeakyRelu", "lrelu", alpha=LEAKY),
    "relu": _one("Relu", "relu"),
    "logistic": _one("Sigmoid", "logistic"),
    "tanh": _one("Tanh", "tanh"),
    "elu": _one("Elu", "elu", alpha=1.0),
    "selu": _one("Selu", "selu", alpha=1.6732, gamma=1.0507),
    "relie": _one("LeakyRelu", "relie", alpha=RELIE),
    "relu6": _clip("relu6", 0, 6),
    "hardtan": _clip("hardtan", -1, 1),
    "swish": _swish,
    "silu": _swish,
    "mish": _mish,
    "hard_mish": _hard_mish,
    "ramp": _ramp,
    "loggy": _loggy,
    "gelu": _gelu,
}


def constant_of(values: np.ndarray) -> np.ndarray:
    """Return one number a channel as it meets maps [N, C, H, W]."""
    return np.asarray(values, np.float32).reshape(-1, 1, 1)
