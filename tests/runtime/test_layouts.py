"""Layouts of inputs and outputs against addresses computed element by element, and in sessions."""

import argparse
import itertools
from types import SimpleNamespace

import numpy as np
import pytest

import trtflow.reference as trt
from trtflow.formats import UserError
from trtflow.formats.calibration_table import CalibrationTable, table_version, write_table
from trtflow.formats.layouts import FORMATS, Layout
from trtflow.runtime.backend import describe
from trtflow.runtime.build import build_plan
from trtflow.runtime.entry import engine_of
from trtflow.runtime.io_form import form_of, give_form
from trtflow.runtime.layouts import layout_of
from trtflow.runtime.origin import write_engine
from trtflow.runtime.session import Session


def in_elements(size):
    """Return where an element (n, c, h, w) lies when so many channels are one element."""

    def place(shape, n, c, h, w):
        _, channels, height, width = shape
        return (((n * -(-channels // size) + c // size) * height + h) * width + w) * size + c % size

    return place


def channels_last(size):
    """Return where an element (n, c, h, w) lies when channels come last, rounded up to a multiple."""

    def place(shape, n, c, h, w):
        _, channels, height, width = shape
        return ((n * height + h) * width + w) * (-(-channels // size) * size) + c

    return place


# NvInferRuntimeBase.h, TensorFormat
ADDRESSES = {
    "LINEAR": in_elements(1),
    **{f"CHW{size}": in_elements(size) for size in (2, 4, 16, 32)},
    "HWC": channels_last(1),
    **{f"HWC{size}": channels_last(size) for size in (8, 16)},
}


@pytest.mark.parametrize("name", ADDRESSES)
@pytest.mark.parametrize("channels", [1, 3, 4, 33])
def test_each_element_lies_where_tensorrt_has_it(name, channels):
    layout, shape = Layout(np.dtype(np.int16), *FORMATS[name]), (2, channels, 3, 5)
    values = 1 + np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    memory = np.ascontiguousarray(layout.to_memory(values)).reshape(-1)
    assert memory.nbytes == layout.nbytes(shape)
    for place in itertools.product(*map(range, shape)):
        assert memory[ADDRESSES[name](shape, *place)] == values[place]
    assert np.count_nonzero(memory) == values.size  # what is added is zero
    np.testing.assert_array_equal(layout.from_memory(memory.reshape(layout.memory_shape(shape)), shape), values)


def test_volumes_in_elements_of_32_channels():
    layout, shape = Layout(np.dtype(np.int8), *FORMATS["CDHW32"]), (1, 33, 2, 3, 4)
    assert layout.memory_shape(shape) == (1, 2, 2, 3, 4, 32)
    values = np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)
    np.testing.assert_array_equal(layout.from_memory(layout.to_memory(values), shape), values)


def test_formats_of_a_dla_alone_are_refused():
    engine = SimpleNamespace(
        get_binding_dtype=lambda index: trt.float32,
        get_binding_format=lambda index: trt.TensorFormat.DLA_LINEAR,
        get_binding_name=lambda index: "data",
    )
    with pytest.raises(UserError, match="'data' has the format DLA_LINEAR"):
        layout_of(trt, engine, 0)


def definition(form=None):
    def define(trt_module, network):
        data = network.add_input("data", trt_module.float32, (2, 3, 4, 5))
        layer = network.add_elementwise(data, data, trt_module.ElementWiseOperation.SUM)
        layer.get_output(0).name = "twice"
        network.mark_output(layer.get_output(0))
        if form:
            give_form(trt_module, network, *form)

    return define


FORMS = [
    ("linear", "fp32"), ("linear", "fp16"), ("hwc", "fp32"), ("chw2", "fp16"), ("chw4", "fp16"), ("chw16", "fp16"),
    ("chw32", "fp32"), ("chw32", "fp16"), ("hwc8", "fp16"), ("hwc16", "fp16"),
]  # fmt: skip


@pytest.mark.parametrize(("layout", "kind"), FORMS)
def test_a_session_takes_arrays_as_they_are_whatever_form_the_engine_has(layout, kind):
    plan = build_plan(trt, definition((layout, kind)), "fp16", 2, explicit_batch=True)
    engine = engine_of(trt, plan)
    assert engine.get_binding_format(0).name == layout.upper()
    assert np.dtype(trt.nptype(engine.get_binding_dtype(0))) == {"fp32": np.float32, "fp16": np.float16}[kind]
    given = np.random.default_rng(1).integers(-9, 9, (2, 3, 4, 5)).astype(np.float32)
    with Session(trt, engine) as session:
        np.testing.assert_array_equal(session.run({"data": given})["twice"], 2 * given)


@pytest.mark.parametrize("layout", ["linear", "chw4", "chw32"])
def test_an_int8_input_takes_steps_of_its_range(layout):
    def define(trt_module, network):
        definition()(trt_module, network)
        network.get_input(0).set_dynamic_range(-12.7, 12.7)
        give_form(trt_module, network, layout, "int8")

    plan = build_plan(trt, define, "int8", 2, explicit_batch=True)
    engine = engine_of(trt, plan)
    steps = np.random.default_rng(2).integers(-128, 128, (2, 3, 4, 5)).astype(np.int8)
    with Session(trt, engine) as session:
        np.testing.assert_allclose(session.run({"data": steps})["twice"], 0.2 * steps.astype(np.float32), rtol=1e-6)
    vectors = {"linear": 1, "chw4": 4, "chw32": 32}[layout]
    assert engine.get_binding_components_per_element(0) == vectors
    assert engine.get_binding_vectorized_dim(0) == (1 if vectors > 1 else -1)


def test_an_int8_input_needs_a_builder_that_may_use_int8():
    def define(trt_module, network):
        definition()(trt_module, network)
        network.get_input(0).set_dynamic_range(-1, 1)
        give_form(trt_module, network, "linear", "int8")

    with pytest.raises(UserError, match="int8 is not configured|INT8 is not configured in the builder"):
        build_plan(trt, define, "fp16", 2, explicit_batch=True)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (("chw4", "fp32"), "TensorRT has no chw4 of fp32. Give io.type fp16 or int8"),
        (("hwc8", "int8"), "TensorRT has no hwc8 of int8. Give io.type fp16"),
        (("linear", "int8"), "input 'data' has no range and cannot be int8"),
    ],
)
def test_forms_that_tensorrt_lacks_are_refused(form, message):
    with pytest.raises(UserError, match=message):
        build_plan(trt, definition(form), "fp16", 2, explicit_batch=True)


def test_the_reference_refuses_formats_that_a_type_does_not_have():
    def define(trt_module, network):
        definition()(trt_module, network)
        network.get_input(0).allowed_formats = 1 << int(trt_module.TensorFormat.CHW4)

    with pytest.raises(UserError, match="'data', FLOAT of shape .* can have none of the formats CHW4"):
        build_plan(trt, define, "fp32", 2, explicit_batch=True)


def test_a_network_without_inputs_of_floats_has_no_form():
    def define(trt_module, network):
        words = network.add_input("words", trt_module.int32, (4,))
        network.mark_output(network.add_identity(words).get_output(0))
        give_form(trt_module, network, "linear", "fp16")

    with pytest.raises(UserError, match=r"no input holds floats .* words \(INT32\)\. Leave io out"):
        build_plan(trt, define, "fp16", 1, explicit_batch=True)


def options(tmp_path, precision, kind="int8"):
    table = tmp_path / "CalibrationTable"
    write_table(table, CalibrationTable(table_version("8.6.0"), "EntropyCalibration2", {"data": np.float32(0.1)}))
    return argparse.Namespace(precision=precision, io_format="chw4", io_type=kind, calibration_table=table)


def test_the_calibration_table_has_the_steps_that_data_are_rounded_to(tmp_path):
    scales: dict[str, float] = {}

    def define(trt_module, network):
        definition()(trt_module, network)
        scales.update(form_of(options(tmp_path, "int8"))(trt_module, network))

    plan = build_plan(trt, define, "int8", 2, explicit_batch=True)
    backend = describe("reference")
    write_engine(tmp_path / "engine.int8.plan", plan, {"backend": backend, "io": {"scales": scales}})
    given = np.array([-99, -0.26, -0.25, -0.15, 0.0, 0.04, 0.06, 12.7, 99, 1] * 12, np.float32).reshape(2, 3, 4, 5)
    with Session.load(tmp_path / "engine.int8.plan", backend) as session:
        found = session.run({"data": given})["twice"]
        np.testing.assert_array_equal(session.run({"data": np.full((2, 3, 4, 5), 5, np.int8)})["twice"], np.float32(1))
    steps = [-128, -3, -2, -2, 0, 0, 1, 127, 127, 10]  # -2.5 and -1.5 to even, and no further than 8 bits go
    np.testing.assert_allclose(found, 0.2 * np.array(steps * 12).reshape(given.shape), rtol=1e-5)


@pytest.mark.parametrize(("precision", "kind"), [("fp16", "int8"), ("int8", "fp16"), ("fp32", "fp16")])
def test_precisions_that_cannot_have_such_inputs_keep_their_own(tmp_path, precision, kind):
    assert form_of(options(tmp_path, precision, kind))(trt, None) == {}
