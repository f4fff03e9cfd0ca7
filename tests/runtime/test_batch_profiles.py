"""Which optimization profile `build_plan` gives a network."""

import pytest

import trtflow.reference as trt
from trtflow.runtime.build import build_plan


@pytest.mark.parametrize(
    ("shape", "depends", "profiles"),
    [((2, 3), False, 0), ((2, 3), True, 1), ((-1, 3), False, 1), ((-1, 3), True, 1)],
    ids=["fixed", "fixed, by values", "open batch", "open batch, by values"],
)
def test_what_is_open_or_depends_on_values_has_a_profile(shape, depends, profiles, monkeypatch):
    made = []

    class Config(trt.IBuilderConfig):
        def add_optimization_profile(self, profile):
            made.append(profile)
            return super().add_optimization_profile(profile)

    monkeypatch.setattr(trt.Builder, "create_builder_config", lambda self: Config())

    def define(trt, network):
        x = network.add_input("x", trt.float32, shape)
        layer = network.add_non_zero(x) if depends else network.add_activation(x, trt.ActivationType.RELU)
        network.mark_output(layer.get_output(0))

    assert build_plan(trt, define, "fp32", 4, explicit_batch=True)
    assert len(made) == profiles
    bounds = [tuple(map(tuple, profile.get_shape("x"))) for profile in made]
    assert bounds == ([((1, 3), (4, 3), (4, 3))] if shape[0] < 0 else [((2, 3),) * 3])[:profiles]
