"""A table that lacks tensors: what reads them is computed in float32, by name, and all else in INT8."""

import numpy as np
import pytest

import trtflow.reference as trt
from trtflow.calibration.calibrators import make_calibrator
from trtflow.calibration.fallback import fall_back
from trtflow.formats import UserError
from trtflow.formats.calibration_table import CalibrationTable, read_table, write_table
from trtflow.runtime.build import build_plan
from trtflow.runtime.devices import HostBuffer
from trtflow.runtime.entry import engine_of
from trtflow.runtime.session import Session

SCALES = {"data": 0.01, "one": 0.03, "one_relu": 0.03, "pool": 0.03, "two": 0.05, "three": 0.08}


def define(trt, network):
    """data - one - ReLU - pool - two - three, three convolutions."""
    rng = np.random.default_rng(0)
    tensor = network.add_input("data", trt.float32, (4, 8, 8))

    def named(layer, name):
        layer.name, layer.get_output(0).name = name, name
        return layer.get_output(0)

    def convolution(tensor, name):
        kernel = rng.normal(0, 0.2, (4, 4, 3, 3)).astype(np.float32)
        return named(network.add_convolution_nd(tensor, 4, (3, 3), kernel, np.zeros(4, np.float32)), name)

    tensor = named(network.add_activation(convolution(tensor, "one"), trt.ActivationType.RELU), "one_relu")
    tensor = named(network.add_pooling_nd(tensor, trt.PoolingType.MAX, (2, 2)), "pool")
    network.mark_output(convolution(convolution(tensor, "two"), "three"))


def build(folder, lacking, fallback):
    table = folder / "CalibrationTable"
    scales = {name: np.float32(scale) for name, scale in SCALES.items() if name not in lacking}
    write_table(table, CalibrationTable("8600", "EntropyCalibration2", scales))
    kept = []

    def define_with_fallback(trt, network):
        define(trt, network)
        if fallback:
            kept.extend(fall_back(trt, network, read_table(table).scales, str(table)))

    calibrator = make_calibrator(trt, "entropy2", None, table, HostBuffer)
    return build_plan(trt, define_with_fallback, "int8", 1, calibrator), kept


def run(plan):
    data = np.random.default_rng(1).normal(size=(1, 4, 8, 8)).astype(np.float32)
    (found,) = Session(trt, engine_of(trt, plan)).run({"data": data}).values()
    return found


@pytest.mark.parametrize(
    ("lacking", "kept"),
    [
        ((), []),
        (("two",), ["three"]),
        (("one_relu",), ["two"]),  # through the pool, which moves values
        (("data",), ["one"]),
        (("one",), []),  # nothing but the ReLU reads it, and the two are one
        (("three",), []),
        (("data", "two"), ["one", "three"]),
    ],
)
def test_layers_that_read_what_is_lacking_are_float32(tmp_path, caplog, lacking, kept):
    plan, found = build(tmp_path, lacking, fallback=True)
    assert found == kept
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == [
        f"{name} is computed in float32" for name in kept
    ]
    whole, _ = build(tmp_path, (), fallback=False)
    exact = build_plan(trt, define, "fp32", 1)
    assert np.abs(run(plan) - run(exact)).max() <= 2 * np.abs(run(whole) - run(exact)).max()
    assert (run(plan) == run(whole)).all() == (not kept)


def test_without_it_such_a_table_is_refused(tmp_path):
    with pytest.raises(UserError, match="INT8 needs the range of 1 tensors that have none, first 'two'"):
        build(tmp_path, ("two",), fallback=False)


def test_warning_names_table_tensor_and_layer(tmp_path, caplog):
    build(tmp_path, ("two",), fallback=True)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage().endswith("CalibrationTable has no scale of two: three is computed in float32")


def test_own_range_of_a_tensor_counts(tmp_path):
    builder = trt.Builder(trt.Logger())
    network = builder.create_network()
    define(trt, network)
    network.get_layer(3).get_output(0).set_dynamic_range(-5, 5)
    scales = {name: 1.0 for name in SCALES if name != "two"}
    assert fall_back(trt, network, scales, "table") == []
