"""Loops and conditionals, against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from networks import constant, run_layer

import trtflow.reference as trt

RNG = np.random.default_rng(1)
DATA = RNG.normal(size=(4, 3)).astype(np.float32)
ADD, MULTIPLY, LESS = (trt.ElementWiseOperation.__members__[name] for name in ("SUM", "PROD", "LESS"))


def number(network: Any, value: int) -> Any:
    return constant(network, np.array(value, np.int32))


def scalar(network: Any, tensor: Any) -> Any:
    layer = network.add_shuffle(tensor)
    layer.reshape_dims = ()
    return layer.get_output(0)


def summed(network: Any, a: Any, b: Any, operation: Any = ADD) -> Any:
    return network.add_elementwise(a, b, operation).get_output(0)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_value_that_is_carried(precision: str) -> None:
    def add(network: Any, x: Any) -> Any:
        loop = network.add_loop()
        loop.add_trip_limit(number(network, 5), trt.TripLimit.COUNT)
        value = loop.add_recurrence(x)
        half = constant(network, np.full((1, 1), 0.5, np.float32))
        value.set_input(1, summed(network, summed(network, value.get_output(0), half, MULTIPLY), x))
        return loop.add_loop_output(value.get_output(0), trt.LoopOutput.LAST_VALUE)

    (found,) = run_layer(add, DATA, explicit=True, precision=precision)
    wanted = DATA
    for _ in range(5):
        wanted = wanted * 0.5 + DATA
    np.testing.assert_allclose(found, wanted, rtol=1e-5 if precision == "fp32" else 1e-2)


@pytest.mark.parametrize("kind", ["CONCATENATE", "REVERSE"])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("reverse", [False, True])
def test_slices_one_after_the_other(kind: str, axis: int, reverse: bool) -> None:
    def add(network: Any, x: Any) -> Any:
        loop, count = network.add_loop(), number(network, 4)
        loop.add_trip_limit(count, trt.TripLimit.COUNT)
        row = loop.add_iterator(x, 0, reverse).get_output(0)
        total = loop.add_recurrence(constant(network, np.zeros(3, np.float32)))
        total.set_input(1, summed(network, total.get_output(0), row))
        output = loop.add_loop_output(summed(network, total.get_output(0), row), trt.LoopOutput.__members__[kind], axis)
        output.set_input(1, count)
        return output

    (found,) = run_layer(add, DATA, explicit=True)
    wanted = np.cumsum(DATA[::-1] if reverse else DATA, axis=0)
    wanted = wanted[::-1] if kind == "REVERSE" else wanted
    np.testing.assert_allclose(found, np.moveaxis(wanted, 0, axis), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("first", [1, 3, 200])
def test_condition_is_asked_before_each_run(first: int) -> None:
    """Doubled while it is less than 100, and no more than 5 times; a first value that is not stays as it is."""

    def add(network: Any, x: Any) -> Any:
        loop = network.add_loop()
        value = loop.add_recurrence(x)
        going = network.add_elementwise(
            value.get_output(0), constant(network, np.array([100], np.int32)), LESS
        ).get_output(0)
        loop.add_trip_limit(scalar(network, going), trt.TripLimit.WHILE)
        loop.add_trip_limit(number(network, 5), trt.TripLimit.COUNT)
        value.set_input(1, summed(network, value.get_output(0), value.get_output(0)))
        every = loop.add_loop_output(value.get_output(0), trt.LoopOutput.CONCATENATE)
        every.set_input(1, number(network, 6))
        return [loop.add_loop_output(value.get_output(0), trt.LoopOutput.LAST_VALUE).get_output(0), every.get_output(0)]

    given = np.array([first], np.int32)
    last, every = run_layer(add, given, explicit=True)
    value, seen = first, []
    while value < 100 and len(seen) < 5:
        seen.append(value)
        value *= 2
    assert last.tolist() == [value]
    assert every.ravel().tolist() == seen + [0] * (6 - len(seen))


def test_loop_in_a_loop() -> None:
    """Each row is added to itself as often as its place says: the count of the inner loop comes from the outer one."""

    def add(network: Any, x: Any, counts: Any) -> Any:
        outer, rows = network.add_loop(), number(network, 4)
        outer.add_trip_limit(rows, trt.TripLimit.COUNT)
        row = outer.add_iterator(x).get_output(0)
        count = outer.add_iterator(counts).get_output(0)
        inner = network.add_loop()
        inner.add_trip_limit(count, trt.TripLimit.COUNT)
        total = inner.add_recurrence(row)
        total.set_input(1, summed(network, total.get_output(0), row))
        last = inner.add_loop_output(total.get_output(0), trt.LoopOutput.LAST_VALUE).get_output(0)
        output = outer.add_loop_output(last, trt.LoopOutput.CONCATENATE)
        output.set_input(1, rows)
        return output

    counts = np.array([0, 2, 1, 5], np.int32)
    (found,) = run_layer(add, DATA, counts, explicit=True)
    np.testing.assert_allclose(found, DATA * (1 + counts[:, None]), rtol=1e-5)


@pytest.mark.parametrize("chosen", [False, True])
def test_one_of_two_parts_is_run(chosen: bool) -> None:
    def add(network: Any, x: Any, flag: Any) -> Any:
        choice = network.add_if_conditional()
        choice.set_condition(flag)
        inside = choice.add_input(x).get_output(0)
        grown = network.add_unary(inside, trt.UnaryOperation.EXP).get_output(0)
        less = network.add_unary(inside, trt.UnaryOperation.NEG).get_output(0)
        first = choice.add_output(grown, less).get_output(0)
        return [first, choice.add_output(inside, summed(network, less, inside)).get_output(0)]

    first, second = run_layer(add, DATA, np.array(chosen), explicit=True)
    np.testing.assert_allclose(first, np.exp(DATA) if chosen else -DATA, rtol=1e-5)
    np.testing.assert_allclose(second, DATA if chosen else 0 * DATA, atol=1e-6)


def test_conditional_in_a_loop() -> None:
    def add(network: Any, x: Any) -> Any:
        loop, count = network.add_loop(), number(network, 4)
        loop.add_trip_limit(count, trt.TripLimit.COUNT)
        row = loop.add_iterator(x).get_output(0)
        total = network.add_reduce(row, trt.ReduceOperation.SUM, 1, False).get_output(0)
        zero = constant(network, np.zeros((), np.float32))
        choice = network.add_if_conditional()
        choice.set_condition(network.add_elementwise(total, zero, LESS).get_output(0))
        inside = choice.add_input(row).get_output(0)
        part = choice.add_output(network.add_unary(inside, trt.UnaryOperation.ABS).get_output(0), inside)
        output = loop.add_loop_output(part.get_output(0), trt.LoopOutput.CONCATENATE)
        output.set_input(1, count)
        return output

    (found,) = run_layer(add, DATA, explicit=True)
    np.testing.assert_allclose(found, np.where(DATA.sum(1, keepdims=True) < 0, np.abs(DATA), DATA), rtol=1e-5)


def test_number_of_runs_that_is_fed() -> None:
    def add(network: Any, x: Any, count: Any) -> Any:
        loop = network.add_loop()
        loop.add_trip_limit(count, trt.TripLimit.COUNT)
        value = loop.add_recurrence(x)
        value.set_input(1, summed(network, value.get_output(0), x))
        assert count.is_shape_tensor
        return loop.add_loop_output(value.get_output(0), trt.LoopOutput.LAST_VALUE)

    (found,) = run_layer(add, DATA, np.array(3, np.int32), explicit=True)
    np.testing.assert_allclose(found, DATA * 4, rtol=1e-5)


def endless(network: Any, x: Any) -> Any:
    loop = network.add_loop()
    value = loop.add_recurrence(x)
    value.set_input(1, x)
    return loop.add_loop_output(value.get_output(0), trt.LoopOutput.LAST_VALUE)


def without_next(network: Any, x: Any) -> Any:
    loop = network.add_loop()
    loop.add_trip_limit(number(network, 1), trt.TripLimit.COUNT)
    return loop.add_loop_output(loop.add_recurrence(x).get_output(0), trt.LoopOutput.LAST_VALUE)


def last_of_no_recurrence(network: Any, x: Any) -> Any:
    loop = network.add_loop()
    loop.add_trip_limit(number(network, 1), trt.TripLimit.COUNT)
    return loop.add_loop_output(loop.add_iterator(x).get_output(0), trt.LoopOutput.LAST_VALUE)


def without_condition(network: Any, x: Any) -> Any:
    return network.add_if_conditional().add_output(x, x)


@pytest.mark.parametrize(
    ("add", "message"),
    [
        (endless, "a loop without an end. Call add_trip_limit"),
        (without_next, "a recurrence without its next value"),
        (last_of_no_recurrence, "LAST_VALUE of .*, which is no recurrence of the loop"),
        (without_condition, "a conditional of 0 conditions and 1 outputs"),
    ],
)
def test_what_is_incomplete_is_named(add: Any, message: str) -> None:
    with pytest.raises(trt.NetworkError, match=message):
        run_layer(add, DATA, explicit=True)


def test_an_output_that_collects_without_a_length_is_refused_where_nobody_asked_for_its_shape() -> None:
    builder = trt.Builder(trt.Logger(trt.Logger.INTERNAL_ERROR))
    network = builder.create_network(1)
    tensor = network.add_input("x", trt.float32, (2, 3))
    loop = network.add_loop()
    loop.add_trip_limit(number(network, 2), trt.TripLimit.COUNT)
    state = loop.add_recurrence(tensor)
    state.set_input(1, summed(network, state.get_output(0), tensor))
    network.mark_output(loop.add_loop_output(state.get_output(0), trt.LoopOutput.CONCATENATE, 0).get_output(0))
    with pytest.raises(trt.NetworkError, match=r"set_input\(1, length\)"):
        builder.build_serialized_network(network, builder.create_builder_config())
