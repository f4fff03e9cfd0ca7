"""Layers that make, pick, write or order elements, against NumPy and PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from networks import constant, run_layer
from torch.nn import functional

import trtflow.reference as trt

RNG = np.random.default_rng(0)
DATA = RNG.normal(size=(2, 3, 4)).astype(np.float32)


def own_input(network: Any, name: str, dtype: trt.DataType, shape: tuple[int, ...]) -> Any:
    return network.add_input(name, dtype, shape)


@pytest.mark.parametrize("by_input", [False, True])
def test_fill_is_evenly_spaced(by_input: bool) -> None:
    def add(network: Any, tensor: Any) -> Any:
        layer = network.add_fill((5,), trt.FillOperation.LINSPACE)
        layer.alpha, layer.beta = 2.0, 0.5
        if by_input:
            layer.set_input(0, constant(network, np.array([2, 3], np.int32)))
            layer.set_input(1, constant(network, np.float32(10)))
            layer.set_input(2, constant(network, np.array([100, 1], np.float32)))
        return [layer.get_output(0), network.add_identity(tensor).get_output(0)]

    found, _ = run_layer(add, DATA, explicit=True)
    wanted = [[10, 11, 12], [110, 111, 112]] if by_input else [2, 2.5, 3, 3.5, 4]
    np.testing.assert_allclose(found, wanted)


def test_fill_of_whole_numbers() -> None:
    def add(network: Any, tensor: Any) -> Any:
        layer = network.add_fill((4,), trt.FillOperation.LINSPACE)
        layer.set_output_type(0, trt.int32)
        layer.alpha, layer.beta = 3, 2
        return [layer.get_output(0), network.add_identity(tensor).get_output(0)]

    found, _ = run_layer(add, DATA, explicit=True)
    np.testing.assert_array_equal(found, np.arange(3, 11, 2, dtype=np.int32))


@pytest.mark.parametrize(
    ("operation", "alpha", "beta", "mean", "deviation"),
    [("RANDOM_UNIFORM", -1.0, 3.0, 1.0, 4 / 12**0.5), ("RANDOM_NORMAL", 5.0, 2.0, 5.0, 2.0)],
)
def test_fill_is_random(operation: str, alpha: float, beta: float, mean: float, deviation: float) -> None:
    def add(network: Any, tensor: Any) -> Any:
        layer = network.add_fill((100, 100), trt.FillOperation.__members__[operation])
        layer.alpha, layer.beta = alpha, beta
        return [layer.get_output(0), network.add_identity(tensor).get_output(0)]

    found, _ = run_layer(add, DATA, explicit=True)
    assert abs(found.mean() - mean) < 0.1
    assert abs(found.std() - deviation) < 0.1


def test_scatter_of_elements() -> None:
    places = RNG.permuted(np.tile(np.arange(3), (2, 4, 1)), axis=2).transpose(0, 2, 1)[:, :2].astype(np.int32)
    updates = RNG.normal(size=(2, 2, 4)).astype(np.float32)

    def add(network: Any, *inputs: Any) -> Any:
        layer = network.add_scatter(*inputs, trt.ScatterMode.ELEMENT)
        layer.axis = 1
        return layer

    (found,) = run_layer(add, DATA, places, updates, explicit=True)
    wanted = DATA.copy()
    np.put_along_axis(wanted, places.astype(np.int64), updates, 1)
    np.testing.assert_array_equal(found, wanted)


def test_scatter_by_pointers() -> None:
    places, updates = np.array([[0, 2], [1, 0]], np.int32), RNG.normal(size=(2, 4)).astype(np.float32)
    (found,) = run_layer(lambda n, *i: n.add_scatter(*i, trt.ScatterMode.ND), DATA, places, updates, explicit=True)
    wanted = DATA.copy()
    wanted[[0, 1], [2, 0]] = updates
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("equation", ["bij,bkj->bik", "bij,bij->", "bij,bij", "aij,akj->jai"])
def test_einsum(equation: str) -> None:
    other = RNG.normal(size=(2, 3, 4)).astype(np.float32)
    (found,) = run_layer(lambda n, a, b: n.add_einsum([a, b], equation), DATA, other, explicit=True)
    np.testing.assert_allclose(found, np.einsum(equation, DATA, other), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dynamic", [False, True])
def test_einsum_of_one_input(dynamic: bool) -> None:
    (found,) = run_layer(lambda n, a: n.add_einsum([a], "bij->jb"), DATA, explicit=True, dynamic=dynamic)
    np.testing.assert_allclose(found, DATA.sum(1).T, rtol=1e-5)


@pytest.mark.parametrize("mode", ["LINEAR", "NEAREST", "CUBIC"])
@pytest.mark.parametrize(("outside", "padding"), [("FILL", "zeros"), ("CLAMP", "border"), ("REFLECT", "reflection")])
def test_grid_sample(mode: str, outside: str, padding: str) -> None:
    pictures = RNG.normal(size=(2, 3, 5, 6)).astype(np.float32)
    grid = RNG.uniform(-1.3, 1.3, (2, 4, 3, 2)).astype(np.float32)

    def add(network: Any, *inputs: Any) -> Any:
        layer = network.add_grid_sample(*inputs)
        layer.interpolation_mode = trt.InterpolationMode.__members__[mode]
        layer.sample_mode = trt.SampleMode.__members__[outside]
        layer.align_corners = mode == "NEAREST"
        return layer

    (found,) = run_layer(add, pictures, grid, explicit=True)
    name = {"LINEAR": "bilinear", "NEAREST": "nearest", "CUBIC": "bicubic"}[mode]
    wanted = functional.grid_sample(torch.tensor(pictures), torch.tensor(grid), name, padding, mode == "NEAREST")
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("batch_axis", "sequence_axis"), [(1, 0), (0, 1), (0, 2)])
def test_reverse_sequence(batch_axis: int, sequence_axis: int) -> None:
    lengths = RNG.integers(0, DATA.shape[sequence_axis] + 1, DATA.shape[batch_axis]).astype(np.int32)

    def add(network: Any, *inputs: Any) -> Any:
        layer = network.add_reverse_sequence(*inputs)
        layer.batch_axis, layer.sequence_axis = batch_axis, sequence_axis
        return layer

    (found,) = run_layer(add, DATA, lengths, explicit=True)
    wanted = np.moveaxis(DATA.copy(), (batch_axis, sequence_axis), (0, 1))
    for row, length in zip(wanted, lengths, strict=True):
        row[:length] = row[:length][::-1].copy()
    np.testing.assert_array_equal(found, np.moveaxis(wanted, (0, 1), (batch_axis, sequence_axis)))


class Allocator(trt.IOutputAllocator):
    """Gives memory of as many bytes as are asked for."""

    def __init__(self) -> None:
        trt.IOutputAllocator.__init__(self)
        self.shape: tuple[int, ...] = ()

    def reallocate_output(self, tensor_name: str, memory: int, size: int, alignment: int) -> int:
        self.memory = np.zeros(size, np.uint8)
        return self.memory.ctypes.data

    def notify_shape(self, tensor_name: str, shape: trt.Dims) -> None:
        self.shape = tuple(shape)


def run_to_allocators(define: Any, **feeds: np.ndarray) -> list[np.ndarray]:
    """Return what a network whose sizes its values tell gives for its inputs."""
    logger = trt.Logger()
    builder = trt.Builder(logger)
    network = builder.create_network(1)
    types = {np.dtype(np.float32): trt.float32, np.dtype(np.int32): trt.int32}
    define(network, *(network.add_input(name, types[a.dtype], a.shape) for name, a in feeds.items()))
    engine = trt.Runtime(logger).deserialize_cuda_engine(
        builder.build_serialized_network(network, builder.create_builder_config())
    )
    context, found = engine.create_execution_context(), {}
    for index in range(engine.num_io_tensors):
        name = engine.get_tensor_name(index)
        if name in feeds:
            context.set_tensor_address(name, feeds[name].ctypes.data)
        else:
            found[name] = Allocator()
            context.set_output_allocator(name, found[name])
    assert context.execute_async_v3(0)
    return [
        allocator.memory.view(trt.nptype(engine.get_tensor_dtype(name)))[: int(np.prod(allocator.shape))].reshape(
            allocator.shape
        )
        for name, allocator in found.items()
    ]


def test_non_zero() -> None:
    data = (RNG.random((3, 4)) > 0.5).astype(np.float32)

    def define(network: Any, x: Any) -> None:
        network.mark_output(network.add_non_zero(x).get_output(0))

    (found,) = run_to_allocators(define, x=data)
    np.testing.assert_array_equal(found, np.stack(np.nonzero(data)))


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    shared = np.prod(np.maximum(high - low, 0))
    return float(shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared))


def suppressed(boxes: np.ndarray, scores: np.ndarray, most: int, limit: float, least: float) -> list[tuple[int, ...]]:
    """Return (picture, class, box) of what is kept of corners [N, B, C, 4], by falling score in a picture."""
    rows: list[tuple[int, ...]] = []
    for picture in range(len(scores)):
        kept: list[tuple[float, int, int]] = []
        for kind in range(scores.shape[2]):
            chosen: list[int] = []
            for box in np.argsort(-scores[picture, :, kind]):
                own = boxes[picture, :, kind]
                fits = scores[picture, box, kind] > least and len(chosen) < most
                if fits and all(overlap(own[box], own[other]) <= limit for other in chosen):
                    chosen.append(int(box))
            kept += [(scores[picture, box, kind], kind, box) for box in chosen]
        rows += [(picture, kind, box) for _, kind, box in sorted(kept, reverse=True)]
    return rows


@pytest.mark.parametrize("per_class", [False, True])
@pytest.mark.parametrize("centred", [False, True])
def test_nms(per_class: bool, centred: bool) -> None:
    low = RNG.uniform(0, 0.7, (2, 12, 3 if per_class else 1, 2))
    corners = np.concatenate([low, low + RNG.uniform(0.1, 0.3, low.shape)], axis=3).astype(np.float32)
    scores = RNG.random((2, 12, 3)).astype(np.float32)
    given = corners
    if centred:
        given = np.concatenate([(corners[..., :2] + corners[..., 2:]) / 2, corners[..., 2:] - corners[..., :2]], -1)
    given = given if per_class else given[:, :, 0]

    def define(network: Any, boxes: Any, scores: Any) -> None:
        layer = network.add_nms(boxes, scores, constant(network, np.array(4, np.int32)))
        layer.set_input(3, constant(network, np.array(0.3, np.float32)))
        layer.set_input(4, constant(network, np.array(0.25, np.float32)))
        layer.bounding_box_format = trt.BoundingBoxFormat.__members__["CENTER_SIZES" if centred else "CORNER_PAIRS"]
        for index in range(2):
            network.mark_output(layer.get_output(index))

    rows, count = run_to_allocators(define, boxes=np.ascontiguousarray(given, np.float32), scores=scores)
    wanted = suppressed(np.broadcast_to(corners, (2, 12, 3, 4)), scores, 4, 0.3, 0.25)
    assert (rows.tolist(), int(count)) == ([list(row) for row in wanted], len(wanted))
    assert len(wanted) > 6


def test_nms_considers_the_best_of_a_picture_alone() -> None:
    boxes = np.arange(10, dtype=np.float32)[:, None] * [1, 1, 1, 1] + [0, 0, 0.5, 0.5]
    scores = np.linspace(0.1, 1, 10, dtype=np.float32)

    def define(network: Any, boxes: Any, scores: Any) -> None:
        layer = network.add_nms(boxes, scores, constant(network, np.array(9, np.int32)))
        layer.topk_box_limit = 3
        network.mark_output(layer.get_output(0))

    (rows,) = run_to_allocators(define, boxes=boxes[None].astype(np.float32), scores=scores[None, :, None])
    assert rows[:, 2].tolist() == [9, 8, 7]


@pytest.mark.answers
def test_assertion_fails_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    logger = trt.Logger()
    builder = trt.Builder(logger)
    network = builder.create_network(1)
    x = network.add_input("x", trt.int32, (3,))
    least = constant(network, np.array([0, 0, 0], np.int32))
    holds = network.add_elementwise(x, least, trt.ElementWiseOperation.GREATER).get_output(0)
    network.add_assertion(holds, "all sizes are positive")
    network.mark_output(network.add_identity(x).get_output(0))
    plan = builder.build_serialized_network(network, builder.create_builder_config())
    context = trt.Runtime(logger).deserialize_cuda_engine(plan).create_execution_context()
    y = np.zeros(3, np.int32)
    for values, wanted in (([1, 2, 3], True), ([1, 0, 3], False)):
        given = np.array(values, np.int32)
        assert context.execute_v2([given.ctypes.data, y.ctypes.data]) is wanted
    assert y.tolist() == [1, 2, 3]
    assert "an assertion of the network does not hold: all sizes are positive" in capsys.readouterr().err
    network.add_assertion(constant(network, np.array([True, False])), "never")
    assert builder.build_serialized_network(network, builder.create_builder_config()) is None
    assert "its condition is false: never" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("add", "message"),
    [
        (lambda n, x: n.add_einsum([x], "...ij->ij"), "takes the letters a to z alone"),
        (lambda n, x: n.add_einsum([x, x, x], "bij,bij,bij->b"), "3 inputs. TensorRT takes one or two"),
        (lambda n, x: n.add_einsum([x], "bii->b"), "repeats a letter in one term"),
        (lambda n, x: n.add_einsum([x], "ij->i"), r"for inputs of \[3\] dimensions"),
        (lambda n, x: n.add_fill((2, 3), trt.FillOperation.LINSPACE), "Give input 1 a scalar and input 2 a step"),
        (lambda n, x: n.add_grid_sample(x, x), "an input .* and a grid .* They are"),
        (
            lambda n, x: n.add_nms(x, constant(n, np.zeros((2, 9), np.float32)), constant(n, np.array(1, np.int32))),
            "boxes of",
        ),
        (lambda n, x: n.add_scatter(x, constant(n, np.zeros((2, 9), np.int32)), x, trt.ScatterMode.ND), "do not fit"),
    ],
)
def test_what_does_not_fit_is_named(add: Any, message: str) -> None:
    network = trt.Builder(trt.Logger()).create_network(1)
    x = network.add_input("x", trt.float32, (2, 3, 4))
    with pytest.raises(trt.NetworkError, match=message):
        _ = add(network, x).get_output(0).shape
