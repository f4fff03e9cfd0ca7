"""What is kept in float32 with a layer, and what of a network can be an output."""

from __future__ import annotations

import json

import numpy as np

import trtflow.reference as trt
from trtflow.calibration.kept import fused_behind, keep_in_float
from trtflow.calibration.tensors import inside_bodies, layers_of, ranged_tensors
from trtflow.losses import Precise, losses_text, tensor_losses
from trtflow.runtime import build
from trtflow.runtime.build import build_plan

MOST = 12.7


def network():
    """Return a builder, which must live as long, and its network."""
    builder = trt.Builder(trt.Logger(trt.Logger.INTERNAL_ERROR))
    return builder, builder.create_network(1)


def convolution(net, tensor, name):
    """Add a 1 x 1 convolution of two channels."""
    layer = net.add_convolution_nd(
        tensor, 2, (1, 1), np.eye(2, dtype=np.float32).ravel().copy(), np.zeros(2, np.float32)
    )
    layer.name = name
    return layer


def named(layer, name):
    """Name a layer and return its output."""
    layer.name = name
    return layer.get_output(0)


def test_a_swish_behind_a_kept_convolution_is_kept_with_it():
    """TensorRT computes the three as one, "No implementation of layer … obeys the requested constraints" else."""
    _builder, net = network()
    x = net.add_input("x", trt.float32, (1, 2, 4, 4))
    first = convolution(net, x, "first")
    gate = named(net.add_activation(first.get_output(0), trt.ActivationType.SIGMOID), "gate")
    swish = named(net.add_elementwise(first.get_output(0), gate, trt.ElementWiseOperation.PROD), "swish")
    second = convolution(net, swish, "second")
    net.mark_output(named(net.add_activation(second.get_output(0), trt.ActivationType.RELU), "relu"))
    keep_in_float(trt, net, {"first"})
    kept = {layer.name for layer in layers_of(net) if layer.precision_is_set}
    assert kept == {"first", "gate", "swish"}
    assert all(layer.get_output_type(0) == trt.float32 for layer in layers_of(net) if layer.name in kept)


def test_what_others_read_too_ends_what_is_kept():
    """Of a residual network the sum and its ReLU go with the convolution in front of them, the next sum does not."""
    _builder, net = network()
    x = net.add_input("x", trt.float32, (1, 2, 4, 4))
    first = convolution(net, x, "first")
    total = named(net.add_elementwise(first.get_output(0), x, trt.ElementWiseOperation.SUM), "sum")
    relu = named(net.add_activation(total, trt.ActivationType.RELU), "relu")
    second = convolution(net, relu, "second")
    net.mark_output(named(net.add_elementwise(second.get_output(0), relu, trt.ElementWiseOperation.SUM), "next sum"))
    layers = layers_of(net)
    assert {layer.name for layer in fused_behind(trt, layers, [first])} == {"sum", "relu"}
    assert {layer.name for layer in fused_behind(trt, layers, [second])} == {"next sum"}
    shape = named(net.add_shape(first.get_output(0)), "shape")  # a reader that computes no values
    net.mark_output(shape)
    assert fused_behind(trt, layers_of(net), [first]) == []


def looping(net):
    """Add a loop that sums the rows of an input; return the tensors inside, and what comes out."""
    x = net.add_input("x", trt.float32, (4, 3))
    count = net.add_constant((), np.array([4], np.int32)).get_output(0)
    loop = net.add_loop()
    loop.add_trip_limit(count, trt.TripLimit.COUNT)
    row = named(loop.add_iterator(x), "row")
    state = loop.add_recurrence(net.add_constant((3,), np.zeros(3, np.float32)).get_output(0))
    state.name = "state"
    total = named(net.add_elementwise(state.get_output(0), row, trt.ElementWiseOperation.SUM), "total")
    state.set_input(1, total)
    found = named(loop.add_loop_output(state.get_output(0), trt.LoopOutput.LAST_VALUE), "found")
    net.mark_output(named(net.add_activation(found, trt.ActivationType.TANH), "tanh"))
    return [row, state.get_output(0), total], found


def test_what_a_loop_computes_inside_is_no_output():
    """As TensorRT says: "network output not allowed to be in a loop"."""
    builder, net = network()
    inside, found = looping(net)
    assert inside_bodies(trt, layers_of(net)) == {tensor.name for tensor in inside}
    told = []

    class Recorder(trt.IErrorRecorder):
        def report_error(self, code, text):
            told.append(text)
            return True

    builder.error_recorder = Recorder()
    net.mark_output(found)
    assert builder.build_serialized_network(net, builder.create_builder_config()) is not None
    net.mark_output(inside[2])
    assert builder.build_serialized_network(net, builder.create_builder_config()) is None
    assert "network output not allowed to be in a loop or a conditional" in told[0]


def test_a_conditional_is_a_body_too():
    _builder, net = network()
    condition = net.add_input("condition", trt.bool, ())
    x = net.add_input("x", trt.float32, (3,))
    choice = net.add_if_conditional()
    choice.set_condition(condition)
    entered = named(choice.add_input(x), "entered")
    twice = named(net.add_elementwise(entered, entered, trt.ElementWiseOperation.SUM), "twice")
    net.mark_output(named(choice.add_output(twice, entered), "chosen"))
    inside = inside_bodies(trt, layers_of(net))
    assert inside == {entered.name, twice.name}


def test_losses_of_a_network_with_a_loop_and_of_one_with_infinite_values():
    """What masks an attention is infinite: it has no SNR and no largest value, and JSON can hold what is told of it."""

    def define(trt, net):
        _, found = looping(net)
        mask = net.add_constant((3,), np.array([0, -np.inf, 0], np.float32)).get_output(0)
        masked = named(net.add_elementwise(found, mask, trt.ElementWiseOperation.SUM), "masked")
        net.mark_output(named(net.add_elementwise(masked, found, trt.ElementWiseOperation.MAX), "whole"))

    def ranged(trt, net):
        define(trt, net)
        for tensor in ranged_tensors(trt, net):
            tensor.set_dynamic_range(-MOST, MOST)

    x = np.arange(12, dtype=np.float32).reshape(4, 3) / 8
    losses = tensor_losses(trt, define, Precise(ranged, None), [{"x": x}], {}, explicit_batch=True)
    told = {loss.layer: loss for loss in losses}
    assert told["found"].largest == x.sum(axis=0).max()
    assert told["masked"].largest is None
    assert told["masked"].snr_db is None
    assert not {"row", "total", "state"} & told.keys()
    json.dumps([loss.to_json() for loss in losses], allow_nan=False)
    assert "SNR dB" in losses_text(losses)


def test_a_plan_with_kept_layers_is_built():
    def define(trt, net):
        x = net.add_input("x", trt.float32, (1, 2, 4, 4))
        first = convolution(net, x, "first")
        net.mark_output(named(net.add_activation(first.get_output(0), trt.ActivationType.RELU), "relu"))
        for tensor in (x, first.get_output(0), net.get_output(0)):
            tensor.set_dynamic_range(-MOST, MOST)
        keep_in_float(trt, net, {"first"})

    assert build_plan(trt, define, "int8", 1, explicit_batch=True)


def test_losses_are_looked_at_where_the_builder_is_asked_for_int8(monkeypatch):
    """With every tensor an output in float32, TensorRT finds float32 faster, and there would be no loss to see."""
    wanted, heed = {}, build._heed_precisions

    def seen(trt, network, config):
        heed(trt, network, config)
        flags = "INT8", "PREFER_PRECISION_CONSTRAINTS"
        wanted["flags"] = [config.get_flag(getattr(trt.BuilderFlag, flag)) for flag in flags]

    monkeypatch.setattr("trtflow.runtime.build._heed_precisions", seen)

    def define(trt, net):
        x = net.add_input("x", trt.float32, (1, 2, 4, 4))
        second = convolution(net, named(convolution(net, x, "first"), "first"), "second")
        net.mark_output(named(net.add_activation(second.get_output(0), trt.ActivationType.RELU), "relu"))
        wanted["layers"] = layers_of(net)

    def ranged(trt, net):
        define(trt, net)
        for tensor in ranged_tensors(trt, net):
            tensor.set_dynamic_range(-MOST, MOST)
        keep_in_float(trt, net, {"second"})

    x = np.arange(32, dtype=np.float32).reshape(1, 2, 4, 4) / 32 + 0.03
    scales = {"x": 0.1, "(Unnamed Layer* 0) [Convolution]_output": 0.1}
    tensor_losses(trt, define, Precise(ranged, None), [{"x": x}], scales, explicit_batch=True)
    assert wanted["flags"] == [True, True]
    precisions = {layer.name: layer.precision for layer in wanted["layers"] if layer.precision_is_set}
    assert precisions == {"first": trt.int8, "second": trt.float32, "relu": trt.float32}
