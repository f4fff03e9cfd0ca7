"""Refit: an engine with new weights equals one that was built with them; what does not fit changes nothing."""

import numpy as np
import pytest

import trtflow.reference as trt
from trtflow.formats.calibration_table import CalibrationTable
from trtflow.runtime.build import build_plan
from trtflow.runtime.session import Session

RNG = np.random.default_rng(5)
SHAPES = {
    ("mean", trt.WeightsRole.CONSTANT): (1, 12, 12),
    ("conv", trt.WeightsRole.KERNEL): (20, 1, 5, 5),
    ("conv", trt.WeightsRole.BIAS): (20,),
    ("norm", trt.WeightsRole.SCALE): (20,),
    ("norm", trt.WeightsRole.SHIFT): (20,),
    ("conv2", trt.WeightsRole.KERNEL): (16, 20, 3, 3),
    ("fc", trt.WeightsRole.KERNEL): (10, 64),
    ("fc", trt.WeightsRole.BIAS): (10,),
}
KERNEL, BIAS = trt.WeightsRole.KERNEL, trt.WeightsRole.BIAS
X = RNG.normal(size=(3, 1, 12, 12)).astype(np.float32)


def draw():
    return {key: RNG.normal(size=shape).astype(np.float32) for key, shape in SHAPES.items()}


OLD, NEW = draw(), draw()


def lenet(weights, named=False):
    """Return a definition of a small LeNet with every kind of weights."""

    def define(trt_module, network):
        w = {f"{layer}.{role.name.lower()}": array for (layer, role), array in weights.items()}
        x = network.add_input("x", trt_module.float32, (1, 12, 12))
        mean = network.add_constant((1, 12, 12), w["mean.constant"])
        centred = network.add_elementwise(x, mean.get_output(0), trt_module.ElementWiseOperation.SUB)
        conv = network.add_convolution(centred.get_output(0), 20, (5, 5), w["conv.kernel"], w["conv.bias"])
        norm = network.add_scale(
            conv.get_output(0), trt_module.ScaleMode.CHANNEL, w["norm.shift"], w["norm.scale"], np.ones(20, np.float32)
        )
        pool = network.add_pooling(norm.get_output(0), trt_module.PoolingType.MAX, (2, 2))
        pool.stride = (2, 2)
        conv2 = network.add_convolution(pool.get_output(0), 16, (3, 3), w["conv2.kernel"])
        relu = network.add_activation(conv2.get_output(0), trt_module.ActivationType.RELU)
        fc = network.add_fully_connected(relu.get_output(0), 10, w["fc.kernel"], w["fc.bias"])
        layers = {"mean": mean, "centred": centred, "conv": conv, "norm": norm, "pool": pool, "conv2": conv2, "fc": fc}
        for name, layer in layers.items():
            layer.name, layer.get_output(0).name = name, f"{name}_output"
        if named:
            for name, array in w.items():
                assert network.set_weights_name(array, name)
        fc.get_output(0).name = "y"
        network.mark_output(fc.get_output(0))

    return define


class Ranges(trt.IInt8MinMaxCalibrator):
    """Serves one table for old and new weights alike."""

    def read_calibration_cache(self):
        names = ["x", "centred_output", "norm_output", "pool_output", "(Unnamed Layer* 6) [Activation]_output"]
        return CalibrationTable("8600", "MinMaxCalibration", dict.fromkeys(names, np.float32(0.5))).to_bytes()


def engine(weights=OLD, precision="fp32", refit=True, named=False):
    calibrator = Ranges() if precision == "int8" else None
    plan = build_plan(trt, lenet(weights, named), precision, 4, calibrator, refit=refit)
    return trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan)


def refitter(made):
    return trt.Refitter(made, trt.Logger())


def predict(made):
    return Session(trt, made).run({"x": X})["y"]


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_refitted_engine_equals_one_built_with_the_weights(precision):
    made, expected = engine(OLD, precision), predict(engine(NEW, precision))
    session = Session(trt, made)
    assert np.abs(session.run({"x": X})["y"] - expected).max() > 1
    with refitter(made) as refit:
        for (layer, role), array in NEW.items():
            assert refit.set_weights(layer, role, array)
        assert refit.refit_cuda_engine()
    np.testing.assert_array_equal(session.run({"x": X})["y"], expected)  # a context that was there before
    loaded = trt.Runtime(trt.Logger()).deserialize_cuda_engine(made.serialize())
    np.testing.assert_array_equal(predict(loaded), expected)
    assert made.serialize() == engine(NEW, precision).serialize()


def test_all_weights_are_listed_with_their_roles():
    layers, roles = refitter(engine()).get_all()
    assert set(zip(layers, roles, strict=True)) == set(SHAPES)
    assert layers[:3] == ["mean", "conv", "conv"]
    assert refitter(engine()).get_all_weights() == []


def test_kernel_and_bias_belong_together(capsys):
    made = engine()
    before, plan, refit = predict(made), made.serialize(), refitter(made)
    assert refit.get_missing() == ([], [])
    assert refit.set_weights("conv", KERNEL, NEW["conv", KERNEL])
    assert refit.get_missing() == (["conv"], [BIAS])
    assert not refit.refit_cuda_engine()
    assert "not refitted: set BIAS of layer 'conv' too" in capsys.readouterr().err
    np.testing.assert_array_equal(predict(made), before)
    assert made.serialize() == plan
    assert refit.set_weights("conv", BIAS, NEW["conv", BIAS])
    assert refit.get_missing() == ([], [])
    assert refit.refit_cuda_engine()
    np.testing.assert_array_equal(
        predict(made), predict(engine({**OLD, **{key: NEW[key] for key in NEW if key[0] == "conv"}}))
    )


def test_layer_without_bias_needs_its_kernel_only():
    refit = refitter(engine())
    assert refit.set_weights("conv2", KERNEL, NEW["conv2", KERNEL])
    assert refit.get_missing() == ([], [])


@pytest.mark.parametrize(
    ("layer", "role", "weights", "message"),
    [
        ("conv_1", KERNEL, NEW["conv", KERNEL], "no layer 'conv_1' has weights to refit; there are mean, conv, norm"),
        ("conv2", BIAS, np.zeros(16, np.float32), "layer 'conv2' has no BIAS to refit; it has KERNEL"),
        ("conv", trt.WeightsRole.SCALE, NEW["conv", BIAS], "layer 'conv' has no SCALE to refit; it has KERNEL, BIAS"),
        ("conv", BIAS, np.zeros(19, np.float32), "BIAS of layer 'conv': 19 weights, but the engine was built with 20"),
        (
            "conv",
            BIAS,
            np.zeros(20, np.int32),
            "BIAS of layer 'conv': weights of type INT32, but the engine has FLOAT",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused(capsys, layer, role, weights, message):
    refit = refitter(engine())
    assert not refit.set_weights(layer, role, weights)
    assert message in capsys.readouterr().err
    assert refit.get_missing() == ([], [])


def test_weights_that_are_no_numbers_are_counted(capsys):
    spoilt = NEW["conv", BIAS].copy()
    spoilt[:2] = np.nan, np.inf
    assert refitter(engine()).set_weights("conv", BIAS, spoilt)
    assert "BIAS of layer 'conv': 2 of 20 values are no numbers" in capsys.readouterr().err
    kernel = NEW["conv", KERNEL].copy()
    kernel[0] = np.nan
    assert not refitter(engine(precision="int8")).set_weights("conv", KERNEL, kernel)
    assert "are no numbers (NaN or infinite), which INT8 does not know" in capsys.readouterr().err


def test_weights_are_copied_when_they_are_set():
    made, weights = engine(), {key: array.copy() for key, array in NEW.items()}
    refit = refitter(made)
    for (layer, role), array in weights.items():
        refit.set_weights(layer, role, trt.Weights(array))
        array[...] = 0
    assert refit.refit_cuda_engine()
    np.testing.assert_array_equal(predict(made), predict(engine(NEW)))


def test_named_weights(capsys):
    refit = refitter(engine(named=True))
    assert refit.get_all_weights()[:3] == ["mean.constant", "conv.kernel", "conv.bias"]
    assert refit.set_named_weights("conv.kernel", NEW["conv", KERNEL])
    assert refit.get_missing_weights() == ["conv.bias"]
    assert not refit.set_named_weights("conv.scale", NEW["conv", BIAS])
    assert "no weights are named 'conv.scale'; there are mean.constant, conv.kernel" in capsys.readouterr().err
    assert not refit.set_named_weights("conv.bias", np.zeros(3, np.float32))
    assert refit.set_named_weights("conv.bias", NEW["conv", BIAS])
    assert refit.refit_cuda_engine()


def test_dynamic_ranges_can_be_set():
    made = engine(precision="int8")
    before, refit = predict(made), refitter(made)
    assert refit.get_tensors_with_dynamic_range()[:3] == ["centred_output", "norm_output", "pool_output"]
    assert refit.get_dynamic_range("norm_output") == (-63.5, 63.5)
    assert refit.set_dynamic_range("norm_output", (-2, 1))
    assert refit.get_dynamic_range("norm_output") == pytest.approx((-2, 2))
    np.testing.assert_array_equal(predict(made), before)
    assert refit.refit_cuda_engine()
    assert np.abs(predict(made) - before).max() > 1
    assert refitter(made).get_dynamic_range("norm_output") == pytest.approx((-2, 2))


def test_dynamic_range_that_does_not_fit_is_refused(capsys):
    refit = refitter(engine(precision="int8"))
    assert not refit.set_dynamic_range("other", (-1, 1))
    assert "tensor 'other' has no dynamic range; those that have are" in capsys.readouterr().err
    assert not refit.set_dynamic_range("norm_output", (1, -1))
    assert np.isnan(refit.get_dynamic_range("other")).all()


def test_engine_built_without_the_flag_cannot_be_refitted():
    made = engine(refit=False)
    assert not made.refittable
    with pytest.raises(trt.PlanError, match=r"built without BuilderFlag.REFIT. Call config.set_flag"):
        refitter(made)


def test_two_layers_of_one_name_cannot_be_refitted():
    def define(trt_module, network):
        tensor = network.add_input("x", trt_module.float32, (1, 2, 2))
        for _ in range(2):
            layer = network.add_convolution(tensor, 1, (1, 1), np.ones(1, np.float32))
            layer.name, tensor = "conv", layer.get_output(0)
        network.mark_output(tensor)

    with pytest.raises(trt.NetworkError, match="layer 'conv': a second layer has this name"):
        build_plan(trt, define, "fp32", 1, refit=True)


def test_nothing_set_is_nothing_changed():
    made = engine()
    plan = made.serialize()
    assert refitter(made).refit_cuda_engine()
    assert made.serialize() == plan
