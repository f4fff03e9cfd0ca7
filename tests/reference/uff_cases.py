"""What the tests of the UFF parser share: pictures, a convolution, LeNet."""

import numpy as np
import torch
from torch.nn import functional
from uff_graphs import UffGraph

import trtflow.reference as trt

NCHW, NHWC, NC = trt.UffInputOrder.NCHW, trt.UffInputOrder.NHWC, trt.UffInputOrder.NC
RNG = np.random.default_rng(0)
PICTURES = (-1, 6, 7, 3)  # the input of most graphs here, channels last as in TensorFlow


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def first(array):
    """N, H, W, C to N, C, H, W."""
    return np.ascontiguousarray(array.transpose(0, 3, 1, 2))


def last(array):
    """N, C, H, W to N, H, W, C."""
    return np.asarray(array).transpose(0, 2, 3, 1)


def convolved(x, kernel, **arguments):
    """Convolve pictures N, H, W, C with a kernel H, W, C, K."""
    weights = torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
    return last(functional.conv2d(torch.from_numpy(first(x)), weights, **arguments))


def behind_convolution(shape=PICTURES, maps=4):
    """Return a graph with a convolution c, whose channels TensorRT has first, with its input and its value."""
    graph, kernel, x = UffGraph(), normal(1, 1, shape[-1], maps), normal(2, *shape[1:])
    graph.input("x", shape)
    graph.convolution("c", "x", kernel)
    return graph, first(x), convolved(x, kernel)


def check(found, wanted):
    np.testing.assert_allclose(found.reshape(np.shape(wanted)), wanted, rtol=1e-4, atol=1e-5)


def lenet():
    """TensorRT's own lenet5.uff: channels last, and a first input without a shape."""
    graph = UffGraph()
    weights = {"wc1": normal(5, 5, 1, 20), "bc1": normal(20), "wc2": normal(5, 5, 20, 50) / 20, "bc2": normal(50)}
    weights |= {"wd1": normal(800, 500) / 30, "bd1": normal(500), "wout": normal(500, 10) / 20, "bout": normal(10)}
    for name, values in weights.items():
        graph.const(name, values)
    graph.const("reshape1/shape", [-1, 800])
    value = graph.input("in")
    for index, (activation, pool) in enumerate((("Relu", "maxpool1"), ("Relu_1", "maxpool2")), start=1):
        graph.node(f"conv{index}", "Conv", [value, f"wc{index}"], ["N+C", "+CK"], strides=[1, 1])
        graph.binary(f"conv{index}_bias", "add", f"conv{index}", f"bc{index}")
        graph.node(activation, "Activation", [f"conv{index}_bias"], func="relu")
        value = graph.node(pool, "Pool", [activation], ["N+C"], func="max", kernel=[2, 2], strides=[2, 2])
    graph.node("reshape1", "Reshape", [value, "reshape1/shape"])
    graph.node("matmul1", "FullyConnected", ["reshape1", "wd1"], ["NC", "CK"])
    graph.binary("add1", "add", "matmul1", "bd1")
    graph.node("relu", "Activation", ["add1"], func="relu")
    graph.node("matmul2", "FullyConnected", ["relu", "wout"], ["NC", "CK"])
    graph.binary("out", "add", "matmul2", "bout")
    graph.node("MarkOutput_0", "MarkOutput", ["out"])
    return graph, weights


def lenet_value(x, weights):
    for index in (1, 2):
        x = np.maximum(convolved(x, weights[f"wc{index}"]) + weights[f"bc{index}"], 0)
        x = last(functional.max_pool2d(torch.from_numpy(first(x)), 2))
    hidden = np.maximum(x.reshape(len(x), -1) @ weights["wd1"] + weights["bd1"], 0)
    return hidden @ weights["wout"] + weights["bout"]
