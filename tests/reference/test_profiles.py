"""Explicit batch: fixed and dynamic shapes, optimization profiles, the shapes of outputs."""

import numpy as np
import onnx
import pytest
import torch
from torch.nn import functional

import trtflow.reference as trt
from trtflow.formats.calibration_table import CalibrationTable
from trtflow.reference.run.shapes import OutputShapes

RNG = np.random.default_rng(6)
KERNEL = RNG.normal(size=(4, 2, 3, 3)).astype(np.float32)
EXPLICIT = 1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH)


def draw(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def convolution(network, x):
    layer = network.add_convolution_nd(x, 4, (3, 3), KERNEL)
    layer.padding = (1, 1)
    return layer.get_output(0)


def expected(x):
    return functional.conv2d(torch.tensor(x), torch.tensor(KERNEL), padding=1).numpy()


def build(define, shape, *ranges, calibrator=None, calibration=None):
    """Return the engine of a network with an explicit batch, one profile for each (min, opt, max)."""
    builder = trt.Builder(trt.Logger())
    network, config = builder.create_network(EXPLICIT), builder.create_builder_config()
    output = define(network, network.add_input("x", trt.float32, shape))
    output.name = "y"
    network.mark_output(output)
    for found in ranges:
        profile = builder.create_optimization_profile()
        profile.set_shape("x", *found)
        config.add_optimization_profile(profile)
    if calibrator is not None:
        config.set_flag(trt.BuilderFlag.INT8)
        config.int8_calibrator = calibrator
    if calibration is not None:
        profile = builder.create_optimization_profile()
        profile.set_shape("x", *[calibration] * 3)
        assert config.set_calibration_profile(profile)
    return builder.build_engine(network, config)


def batches(least, best, most):
    return tuple((count, 2, 6, 6) for count in (least, best, most))


def run(context, x, index=0):
    """Run with the bindings of one profile; return the output."""
    engine = context.engine
    y = np.empty(context.get_binding_shape(index * 2 + 1), np.float32)
    bindings = [0] * engine.num_bindings
    bindings[index * 2 : index * 2 + 2] = [x.ctypes.data, y.ctypes.data]
    assert context.execute_v2(bindings)
    return y


def test_fixed_explicit_batch():
    engine, x = build(convolution, (2, 2, 6, 6)), draw(2, 2, 6, 6)
    assert (engine.has_implicit_batch_dimension, engine.max_batch_size, engine.num_optimization_profiles) == (
        False,
        1,
        1,
    )
    assert engine.get_profile_shape(0, "x") == [(2, 2, 6, 6)] * 3
    context = engine.create_execution_context()
    assert context.all_binding_shapes_specified
    assert context.get_tensor_shape("y") == (2, 4, 6, 6)
    np.testing.assert_allclose(run(context, x), expected(x), atol=1e-5)


def test_dynamic_batch_within_its_profile():
    engine = build(convolution, (-1, 2, 6, 6), batches(1, 4, 8))
    assert engine.get_binding_shape("y") == (-1, 4, 6, 6)
    assert engine.get_tensor_profile_shape("x", 0) == list(batches(1, 4, 8))
    context = engine.create_execution_context()
    assert context.infer_shapes() == ["x"]
    assert context.get_binding_shape(1) == (-1, 4, 6, 6)
    for count in (1, 8, 3):
        x = draw(count, 2, 6, 6)
        assert context.set_binding_shape(0, x.shape)
        assert context.all_binding_shapes_specified
        assert (context.get_binding_shape(0), context.get_binding_shape(1)) == (x.shape, (count, 4, 6, 6))
        np.testing.assert_allclose(run(context, x), expected(x), atol=1e-5)


def test_dynamic_height_and_width():
    def define(network, x):
        pool = network.add_pooling(convolution(network, x), trt.PoolingType.MAX, (2, 2))
        pool.stride = (2, 2)
        return pool.get_output(0)

    engine = build(define, (1, 2, -1, -1), ((1, 2, 4, 4), (1, 2, 8, 8), (1, 2, 16, 16)))
    context, x = engine.create_execution_context(), draw(1, 2, 9, 12)
    assert context.set_input_shape("x", x.shape)
    assert context.get_tensor_shape("y") == (1, 4, 4, 6)
    np.testing.assert_allclose(run(context, x), functional.max_pool2d(torch.tensor(expected(x)), 2), atol=1e-5)


@pytest.mark.parametrize(
    ("dims", "shape"), [((0, -1), (-1, 72)), ((-1, 72), (-1, 72)), ((0, 0, 36), (-1, 2, 36)), ((-1,), (-1,))]
)
def test_reshape_of_a_dynamic_batch(dims, shape):
    def define(network, x):
        layer = network.add_shuffle(x)
        layer.reshape_dims = dims
        return layer.get_output(0)

    engine = build(define, (-1, 2, 6, 6), batches(1, 1, 4))
    assert engine.get_binding_shape("y") == shape
    context, x = engine.create_execution_context(), draw(3, 2, 6, 6)
    assert context.set_input_shape("x", x.shape)
    np.testing.assert_array_equal(run(context, x), x.reshape(3 if len(shape) > 1 else -1, *shape[1:]))


def test_reshape_of_a_dynamic_batch_that_cannot_be_is_named():
    def define(network, x):
        layer = network.add_shuffle(x)
        layer.name, layer.reshape_dims = "flat", (0, 71)
        return layer.get_output(0)

    with pytest.raises(trt.NetworkError, match=r"layer 'flat': .* \(-1, 2, 6, 6\) cannot take the shape \(0, 71\)"):
        build(define, (-1, 2, 6, 6), batches(1, 1, 4))


def test_lenet_with_a_dynamic_batch_agrees_with_each_picture_alone():
    kernel = draw(3, 144)

    def define(network, x):
        relu = network.add_activation(convolution(network, x), trt.ActivationType.RELU)
        product = network.add_fully_connected(relu.get_output(0), 3, kernel)
        return network.add_softmax(product.get_output(0)).get_output(0)

    context, x = build(define, (-1, 2, 6, 6), batches(1, 2, 4)).create_execution_context(), draw(4, 2, 6, 6)
    assert context.set_input_shape("x", x.shape)
    together, alone = run(context, x), []
    for index in range(4):
        assert context.set_input_shape("x", (1, 2, 6, 6))
        alone.append(run(context, x[index : index + 1]))
    assert together.shape == (4, 3, 1, 1)
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-6)
    np.testing.assert_allclose(together.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((9, 2, 6, 6), r"cannot take the shape (9, 2, 6, 6): profile 0 allows (2, 2, 6, 6) to (8, 2, 6, 6)"),
        ((1, 2, 6, 6), r"cannot take the shape (1, 2, 6, 6): profile 0 allows"),
        ((2, 3, 6, 6), r"input 'x' has the shape (-1, 2, 6, 6); (2, 3, 6, 6) does not fit it"),
        ((2, 2, 6), r"(2, 2, 6) does not fit it"),
    ],
)
def test_shape_outside_the_profile_is_refused(capsys, shape, message):
    context = build(convolution, (-1, 2, 6, 6), batches(2, 4, 8)).create_execution_context()
    assert not context.set_binding_shape(0, shape)
    assert message in capsys.readouterr().err
    assert not context.all_binding_shapes_specified
    assert not context.execute_v2([0, 0])
    assert "the shape of input 'x' is not set" in capsys.readouterr().err


def test_output_shape_cannot_be_set(capsys):
    context = build(convolution, (-1, 2, 6, 6), batches(2, 4, 8)).create_execution_context()
    assert not context.set_binding_shape(1, (2, 4, 6, 6))
    assert "'y' is an output" in capsys.readouterr().err


def test_each_profile_has_bindings_of_its_own(capsys):
    engine = build(convolution, (-1, 2, 6, 6), batches(1, 1, 2), batches(3, 4, 8))
    assert (engine.num_bindings, engine.num_io_tensors, engine.num_optimization_profiles) == (4, 2, 2)
    assert list(engine) == ["x", "y", "x [profile 1]", "y [profile 1]"]
    assert engine.get_binding_index("x [profile 1]") == 2
    assert engine.binding_is_input(2)
    assert engine.get_profile_shape(1, 2) == list(batches(3, 4, 8))
    context, x = engine.create_execution_context(), draw(5, 2, 6, 6)
    assert context.active_optimization_profile == 0
    assert not context.set_binding_shape(2, x.shape)
    assert "binding 2 is one of profile 1, but profile 0 is active" in capsys.readouterr().err
    assert not context.set_binding_shape(0, x.shape)
    assert context.set_optimization_profile_async(1, 0)
    assert context.set_binding_shape(2, x.shape)
    np.testing.assert_allclose(run(context, x, 1), expected(x), atol=1e-5)
    context.active_optimization_profile = 0
    assert not context.all_binding_shapes_specified


def test_tensor_addresses():
    context, x = build(convolution, (2, 2, 6, 6)).create_execution_context(), draw(2, 2, 6, 6)
    y = np.empty((2, 4, 6, 6), np.float32)
    assert context.set_tensor_address("x", x.ctypes.data)
    assert not context.execute_async_v3(0)
    assert context.set_tensor_address("y", y.ctypes.data)
    assert context.get_tensor_address("y") == y.ctypes.data
    assert context.execute_async_v3(0)
    np.testing.assert_allclose(y, expected(x), atol=1e-5)


def test_memory_by_profile_as_nvidias_samples_allocate_it():
    """samples/python/common.py of 8.6: sizes by the largest shape of a profile, bindings up to those of the profile."""

    def define(network, x):
        return network.add_reduce(x, trt.ReduceOperation.SUM, 1 << 1, False).get_output(0)

    engine = build(define, (-1, 4), [(1, 4), (2, 4), (3, 4)], [(1, 4), (3, 4), (5, 4)])
    x_name, y_name = (engine.get_tensor_name(index) for index in range(2))
    assert engine.get_tensor_profile_shape(y_name, 1) == [engine.get_tensor_shape(y_name)] * 3
    for profile, most in ((0, 3), (1, 5)):
        assert engine.get_tensor_profile_shape(x_name, profile)[-1] == (most, 4)
        x, y = draw(most, 4), np.empty(most, np.float32)
        context = engine.create_execution_context()
        assert context.set_optimization_profile_async(profile, 0)
        assert context.set_input_shape(x_name, (most, 4))
        here = [x.ctypes.data, y.ctypes.data]
        assert context.execute_v2([0, 0] * profile + here)
        np.testing.assert_allclose(y, x.sum(1), atol=1e-5)
        assert not context.execute_v2([0, 0] * profile + here[:1])
        assert not context.execute_v2([0, 0] * 2 + here)


def test_wrong_questions_are_errors():
    engine = build(convolution, (-1, 2, 6, 6), batches(1, 1, 2))
    with pytest.raises(trt.PlanError, match="no optimization profile 1: the engine has 1"):
        engine.create_execution_context().set_optimization_profile_async(1, 0)
    with pytest.raises(trt.PlanError, match="no input or output 'z'. The engine has x, y"):
        engine.get_tensor_shape("z")


def test_old_call_on_an_explicit_batch_and_new_on_an_implicit_one(capsys):
    context = build(convolution, (2, 2, 6, 6)).create_execution_context()
    assert not context.execute(1, [0, 0])
    assert "use execute_v2" in capsys.readouterr().err
    builder = trt.Builder(trt.Logger())
    network = builder.create_network()
    network.mark_output(convolution(network, network.add_input("x", trt.float32, (2, 6, 6))))
    implicit = builder.build_engine(network, builder.create_builder_config())
    assert not implicit.create_execution_context().execute_v2([0, 0])
    assert "use execute\n" in capsys.readouterr().err


def test_dynamic_input_without_a_profile_is_an_error():
    with pytest.raises(
        trt.BuildError, match=r"input 'x' has the shape \(-1, 2, 6, 6\), and there is no optimization pro"
    ):
        build(convolution, (-1, 2, 6, 6))


def test_dynamic_input_of_an_implicit_batch_is_an_error():
    builder = trt.Builder(trt.Logger())
    network = builder.create_network()
    network.mark_output(convolution(network, network.add_input("x", trt.float32, (2, -1, 6))))
    with pytest.raises(trt.BuildError, match=r"implicit batch has no dynamic shapes. .*EXPLICIT_BATCH"):
        builder.build_serialized_network(network, builder.create_builder_config())


def test_profile_that_contradicts_the_network_is_an_error():
    with pytest.raises(
        trt.BuildError, match=r"profile 0 gives the input 'x' of shape \(-1, 2, 6, 6\) the shape \(1, 3,"
    ):
        build(convolution, (-1, 2, 6, 6), [(1, 3, 6, 6)] * 3)


def test_profile_without_an_input_is_an_error():
    def define(network, x):
        other = network.add_input("other", trt.float32, (-1, 2, 6, 6))
        return network.add_elementwise(x, other, trt.ElementWiseOperation.SUM).get_output(0)

    with pytest.raises(trt.BuildError, match="profile 0 has no shapes of the input 'other'"):
        build(define, (-1, 2, 6, 6), batches(1, 1, 2))


@pytest.mark.parametrize("shapes", [((2,), (1,), (3,)), ((1,), (4,), (3,)), ((1,), (1, 1), (2,)), ((-1,), (1,), (2,))])
def test_profile_out_of_order_is_an_error(shapes):
    profile = trt.Builder(trt.Logger()).create_optimization_profile()
    with pytest.raises(trt.BuildError, match=r"input 'x': min .*, opt .*, max"):
        profile.set_shape("x", *shapes)
    assert profile.get_shape("x") == []


def test_shape_values_are_kept():
    profile = trt.Builder(trt.Logger()).create_optimization_profile()
    profile.set_shape_input("size", (-1, 1), (2, 2), (4, 4))
    assert profile.get_shape_input("size") == [[-1, 1], [2, 2], [4, 4]]


class Calibrator(trt.IInt8MinMaxCalibrator):
    """One batch of ones; keeps the table."""

    def __init__(self, *shape):
        super().__init__()
        self.batch, self.left = np.ones(shape, np.float32), 1

    def get_batch_size(self):
        return len(self.batch)

    def get_batch(self, names):
        self.left -= 1
        return [self.batch.ctypes.data] if self.left == 0 else None

    def write_calibration_cache(self, cache):
        self.table = CalibrationTable.from_bytes(bytes(cache), "table")


@pytest.mark.parametrize(("calibration", "count"), [(None, 4), ((5, 2, 6, 6), 5)])
def test_calibration_takes_the_profiles_best_shape(calibration, count):
    calibrator = Calibrator(count, 2, 6, 6)
    engine = build(convolution, (-1, 2, 6, 6), batches(1, 4, 8), calibrator=calibrator, calibration=calibration)
    assert calibrator.table.scales["x"] == np.float32(1) / np.float32(127)
    context, x = engine.create_execution_context(), np.ones((7, 2, 6, 6), np.float32)
    assert context.set_input_shape("x", x.shape)
    np.testing.assert_allclose(run(context, x), expected(x), atol=0.1)


def non_zero():
    """Return an ONNX model whose output's shape depends on the values of its input."""
    value = onnx.helper.make_tensor_value_info
    node = onnx.helper.make_node("NonZero", ["x"], ["y"])
    x, y = value("x", onnx.TensorProto.FLOAT, ["n", 2]), value("y", onnx.TensorProto.INT64, [2, "m"])
    return onnx.helper.make_model(onnx.helper.make_graph([node], "network", [x], [y]))


def test_shape_that_inference_does_not_tell_is_run_for_once():
    shapes, asked = OutputShapes(non_zero()), []

    def run_on_zeros(inputs):
        asked.append(dict(inputs))
        return [(2, 0)]

    for _ in range(2):
        assert shapes.of("y", {"x": trt.Dims((3, 2))}, {}, run_on_zeros) == (2, 0)
    assert asked == [{"x": (3, 2)}]


def test_output_of_another_shape_than_was_told_is_not_written(monkeypatch, capsys):
    context, x = build(convolution, (-1, 2, 6, 6), batches(1, 1, 2)).create_execution_context(), draw(2, 2, 6, 6)
    assert context.set_input_shape("x", x.shape)
    monkeypatch.setattr(context.engine.output_shapes, "of", lambda output, *_: trt.Dims((1, 4, 6, 6)))
    y = np.full((1, 4, 6, 6), 7, np.float32)
    assert not context.execute_v2([x.ctypes.data, y.ctypes.data])
    assert "output 'y' came out as (2, 4, 6, 6), not (1, 4, 6, 6)" in capsys.readouterr().err
    assert (y == 7).all()


def sizes_apart():
    """Return the context of an engine of two outputs, of which one has the sizes that an input says."""
    builder = trt.Builder(trt.Logger())
    network, config = builder.create_network(EXPLICIT), builder.create_builder_config()
    x, sizes = network.add_input("x", trt.float32, (-1, 2)), network.add_input("sizes", trt.int32, (2,))
    network.mark_output(network.add_elementwise(x, x, trt.ElementWiseOperation.SUM).get_output(0))
    resize = network.add_resize(x)
    resize.set_input(1, sizes)
    network.mark_output(resize.get_output(0))
    network.get_output(0).name, network.get_output(1).name = "twice", "resized"
    profile = builder.create_optimization_profile()
    profile.set_shape("x", (1, 2), (2, 2), (4, 2))
    profile.set_shape_input("sizes", (1, 1), (4, 4), (9, 9))
    config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(network, config)
    return trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan).create_execution_context()


def test_shapes_of_outputs_do_not_wait_for_sizes_that_are_others():
    context = sizes_apart()
    assert context.set_input_shape("x", (3, 2))
    assert tuple(context.get_tensor_shape("twice")) == (3, 2)
    assert tuple(context.get_tensor_shape("resized")) == (-1, -1)
    assert context.set_shape_input(context.engine.get_binding_index("sizes"), [6, 5])
    assert tuple(context.get_tensor_shape("resized")) == (6, 5)


@pytest.mark.answers
def test_shapes_that_do_not_fit_one_another_are_told(capsys):
    builder = trt.Builder(trt.Logger())
    network, config = builder.create_network(EXPLICIT), builder.create_builder_config()
    x, y = (network.add_input(name, trt.float32, (-1, -1)) for name in "xy")
    product = network.add_matrix_multiply(x, trt.MatrixOperation.NONE, y, trt.MatrixOperation.NONE)
    network.mark_output(product.get_output(0))
    profile = builder.create_optimization_profile()
    for name in "xy":
        profile.set_shape(name, (1, 1), (3, 3), (4, 4))
    config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(network, config)
    context = trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan).create_execution_context()
    assert context.set_input_shape("x", (2, 3))
    assert context.set_input_shape("y", (2, 3))
    name = context.engine.get_tensor_name(2)
    with pytest.raises(ValueError, match=r"__len__"):  # TensorRT's answer is a shape that has no length
        len(context.get_tensor_shape(name))
    assert "x (2, 3), y (2, 3)" in capsys.readouterr().err
    assert context.set_input_shape("y", (3, 4))
    assert tuple(context.get_tensor_shape(name)) == (2, 4)
