"""Plans: deterministic, checked when loaded, and told layer by layer how long they take."""

import json

import numpy as np
import onnx
import pytest
from networks import build

import trtflow.reference as trt
from trtflow.reference.run.plan import KEY, SEAL, read_plan, sealed


def define(network, tensor):
    layer = network.add_convolution(tensor, 4, (3, 3), np.ones((4, 2, 3, 3), np.float32))
    layer.name = "conv"
    relu = network.add_activation(layer.get_output(0), trt.ActivationType.RELU)
    relu.name = "relu"
    softmax = network.add_softmax(relu.get_output(0))
    softmax.name = "prob"
    return softmax.get_output(0)


def load(plan):
    return trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan)


@pytest.fixture
def plan():
    return bytes(build(define, (2, 6, 6)).engine.serialize())


def test_same_network_gives_same_bytes(plan):
    assert plan == bytes(build(define, (2, 6, 6)).engine.serialize())


def test_engine_describes_its_bindings(plan):
    engine = load(plan)
    assert [engine.get_binding_name(index) for index in range(engine.num_bindings)] == ["x", "y"]
    assert [engine.binding_is_input(index) for index in range(2)] == [True, False]
    assert engine.get_binding_shape("y") == (4, 4, 4)
    assert engine.get_binding_index("nothing") == -1
    assert (engine.max_batch_size, engine.num_layers, engine.has_implicit_batch_dimension) == (4, 3, True)


@pytest.mark.parametrize("damage", [lambda plan: plan[: len(plan) // 2], lambda plan: b"", lambda plan: b"\xff" * 100])
def test_cut_off_plan_is_refused(plan, damage):
    with pytest.raises(trt.PlanError, match="not a plan of the reference runtime, or a damaged one"):
        load(damage(plan))


def test_every_bit_counts(plan):
    """Of weights, names, metadata and the checksum alike: 8 bits of each byte of a part, one of each of the others."""
    refused = 0
    for place in range(len(plan)):
        for bit in range(8) if place % 7 == 0 else (place % 8,):
            damaged = bytearray(plan)
            damaged[place] ^= 1 << bit
            with pytest.raises(trt.PlanError, match="Build the engine again"):
                read_plan(bytes(damaged))
            refused += 1
    assert refused > len(plan)


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: plan[1:],
        lambda plan: plan[:-1],
        lambda plan: plan + b"\0",
        lambda plan: plan + plan,
        lambda plan: plan[:100],
    ],
)
def test_nothing_may_be_missing_or_more(plan, change):
    with pytest.raises(trt.PlanError, match="Build the engine again"):
        load(change(plan))


def edited(plan, change):
    """Return a plan with other metadata and a seal that fits."""
    model = onnx.load_from_string(plan)
    kept = [entry for entry in model.metadata_props if entry.key != SEAL]
    (entry,) = [entry for entry in kept if entry.key == KEY]
    metadata = json.loads(entry.value)
    changed = change(metadata)
    entry.value = changed if isinstance(changed, str) else json.dumps(metadata)
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    return sealed(model.SerializeToString())


def test_plan_of_another_version_is_refused(plan):
    def change(metadata):
        metadata["versions"]["onnxruntime"] = "0.1"

    with pytest.raises(trt.PlanError, match=r"built with .*0\.1.* Build the engine again"):
        load(edited(plan, change))


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "{}", '{"versions": 3}', "[" * 100000])
def test_metadata_that_is_none(plan, text):
    with pytest.raises(trt.PlanError, match="Build the engine again"):
        load(edited(plan, lambda metadata: text or "x"))


@pytest.mark.parametrize(
    "field", ["name", "implicit_batch", "max_batch_size", "profiles", "verbosity", "layers", "refit"]
)
def test_metadata_that_lacks_a_part(plan, field):
    with pytest.raises(trt.PlanError, match=f"says nothing of use about {field}. Build the engine again"):
        load(edited(plan, lambda metadata: metadata.__setitem__(field, 1.5)))


def test_a_plan_is_onnx(plan):
    model = onnx.load_from_string(plan)
    assert [entry.key for entry in model.metadata_props] == [KEY, SEAL]
    onnx.checker.check_model(model)


def test_batch_above_the_largest_is_refused(plan, capsys):
    context = load(plan).create_execution_context()
    assert not context.execute(5, [0, 0])
    assert "batch size 5, but the engine was built for 1 to 4" in capsys.readouterr().err


def test_profiler_reports_fused_layers_under_one_name():
    times = {}

    class Recorder(trt.IProfiler):
        def report_layer_time(self, layer_name, ms):
            times[layer_name] = ms

    session = build(define, (2, 6, 6))
    session.context.profiler = Recorder()
    result = session.run({"x": np.ones((1, 2, 6, 6), np.float32)})["y"]
    np.testing.assert_allclose(result, 0.25)
    assert set(times) - {"(reformat)"} == {"conv + relu", "prob"}
    assert all(ms > 0 for ms in times.values())


def test_refit_leaves_the_layers_as_they_are():
    builder = trt.Builder(trt.Logger())
    network, config = builder.create_network(), builder.create_builder_config()
    network.mark_output(define(network, network.add_input("x", trt.float32, (2, 6, 6))))
    config.set_flag(trt.BuilderFlag.REFIT)
    engine = builder.build_engine(network, config)
    layers = engine.layers
    refitter = trt.Refitter(engine, trt.Logger())
    assert refitter.set_weights("conv", trt.WeightsRole.KERNEL, np.zeros((4, 2, 3, 3), np.float32))
    assert refitter.refit_cuda_engine()
    assert load(engine.serialize()).layers == layers


def build_with(**attributes):
    builder = trt.Builder(trt.Logger())
    network, config = builder.create_network(), builder.create_builder_config()
    network.mark_output(define(network, network.add_input("x", trt.float32, (2, 6, 6))))
    for name, value in attributes.items():
        assert hasattr(config, name)
        setattr(config, name, value)
    return builder.build_engine(network, config)


def test_inspector_tells_layers_in_detail():
    engine = build_with(profiling_verbosity=trt.ProfilingVerbosity.DETAILED, flags=1 << int(trt.BuilderFlag.FP16))
    inspector = engine.create_engine_inspector()
    layer = json.loads(inspector.get_layer_information(0, trt.LayerInformationFormat.JSON))
    assert (layer["Name"], layer["LayerType"], layer["Precision"]) == ("conv", "Convolution", "HALF")
    assert layer["Group"] == "conv + relu"
    assert layer["Inputs"] == [
        {"Name": "x", "Location": "Device", "Dimensions": [2, 6, 6], "Format/Datatype": "Row major linear FP32"}
    ]
    assert layer["Outputs"][0]["Dimensions"] == [4, 4, 4]
    assert layer["Outputs"][0]["Format/Datatype"] == "Row major linear FP16 format"
    told = json.loads(inspector.get_engine_information(trt.LayerInformationFormat.JSON))
    assert [entry["Name"] for entry in told["Layers"]] == ["conv", "relu", "prob"]
    assert told["Bindings"] == list(engine)
    assert "Name: conv, LayerType: Convolution" in inspector.get_engine_information(trt.LayerInformationFormat.ONELINE)


def test_inspector_tells_the_layers_of_each_profile():
    """As TensorRT: Polygraphy's tests have the names that it gives them."""
    builder = trt.Builder(trt.Logger())
    network, config = builder.create_network(1), builder.create_builder_config()
    x = network.add_input("x", trt.float32, (1, 2, -1, -1))
    layer = network.add_activation(x, trt.ActivationType.RELU)
    layer.name, layer.get_output(0).name = "relu", "y"
    network.mark_output(layer.get_output(0))
    for size in (3, 4):
        profile = builder.create_optimization_profile()
        profile.set_shape("x", (1, 2, size, size), (1, 2, size, size), (1, 2, 6, 6))
        config.add_optimization_profile(profile)
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    engine = builder.build_engine(network, config)
    inspector = engine.create_engine_inspector()
    inspector.execution_context = engine.create_execution_context()
    assert inspector.execution_context.set_input_shape("x", (1, 2, 3, 5))
    assert engine.num_layers == 2
    first, second = (
        json.loads(inspector.get_layer_information(index, trt.LayerInformationFormat.JSON)) for index in range(2)
    )
    assert (first["Name"], second["Name"]) == ("relu", "relu [profile 1]")
    assert [entry["Name"] for entry in (*second["Inputs"], *second["Outputs"])] == ["x [profile 1]", "y [profile 1]"]
    assert (first["Inputs"][0]["Dimensions"], second["Inputs"][0]["Dimensions"]) == ([1, 2, 3, 5], [1, 2, -1, -1])


def test_inspector_tells_as_much_as_the_engine_holds():
    inspector = build_with().create_engine_inspector()
    assert inspector.get_layer_information(1, trt.LayerInformationFormat.ONELINE) == "relu"
    silent = build_with(profiling_verbosity=trt.ProfilingVerbosity.NONE).create_engine_inspector()
    assert silent.get_layer_information(1, trt.LayerInformationFormat.ONELINE) == ""
    with pytest.raises(trt.PlanError, match="no layer 3: the engine has 3"):
        inspector.get_layer_information(3, trt.LayerInformationFormat.JSON)


def test_settings_of_gpu_kernels_change_no_engine():
    plain = build_with().serialize()
    tuned = build_with(builder_optimization_level=5, avg_timing_iterations=8, max_aux_streams=2, max_workspace_size=1)
    assert tuned.serialize() == plain


def test_configuration_keeps_what_is_set():
    config = trt.Builder(trt.Logger()).create_builder_config()
    config.max_workspace_size = 1 << 20
    assert config.get_memory_pool_limit(trt.MemoryPoolType.WORKSPACE) == 1 << 20
    with pytest.raises(trt.BuildError, match="a limit of -1 bytes for WORKSPACE"):
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, -1)
    config.set_flag(trt.BuilderFlag.FP16)
    config.set_quantization_flag(trt.QuantizationFlag.CALIBRATE_BEFORE_FUSION)
    assert config.get_quantization_flag(trt.QuantizationFlag.CALIBRATE_BEFORE_FUSION)
    config.set_preview_feature(trt.PreviewFeature.PROFILE_SHARING_0806, True)
    assert config.get_preview_feature(trt.PreviewFeature.PROFILE_SHARING_0806)
    config.set_tactic_sources(1 << int(trt.TacticSource.CUDNN))
    assert config.get_tactic_sources() == 4
    assert config.get_timing_cache() is None
    cache = config.create_timing_cache(b"")
    assert config.set_timing_cache(cache, ignore_mismatch=False)
    assert config.get_timing_cache() is cache
    assert cache.combine(trt.ITimingCache(), False)
    assert bytes(config.create_timing_cache(cache.serialize()).serialize()) == bytes(cache.serialize())
    config.reset()
    assert (config.get_flag(trt.BuilderFlag.FP16), config.get_flag(trt.BuilderFlag.TF32)) == (False, True)
    assert config.get_timing_cache() is None


def test_layers_cannot_run_on_a_dla():
    with pytest.raises(trt.BuildError, match="layer 'conv' is to run on a DLA, and there is none"):
        build_with(default_device_type=trt.DeviceType.DLA)
    fallback = 1 << int(trt.BuilderFlag.GPU_FALLBACK)
    assert build_with(default_device_type=trt.DeviceType.DLA, flags=fallback).num_layers == 3


@pytest.mark.answers
def test_support_is_told_before_building(capsys):
    class Unknown(trt.IPluginV2):
        plugin_type = "Unknown_TRT"

        def get_output_shape(self, index, inputs):
            return inputs[0]

    builder = trt.Builder(trt.Logger())
    network, config = builder.create_network(), builder.create_builder_config()
    network.mark_output(define(network, network.add_input("x", trt.float32, (2, 6, 6))))
    assert builder.is_network_supported(network, config)
    network.mark_output(network.add_plugin_v2([network.get_output(0)], Unknown()).get_output(0))
    assert not builder.is_network_supported(network, config)
    assert "Unknown_TRT" in capsys.readouterr().err


def test_with_statements_as_the_guides_scripts_write_them():
    with trt.Builder(trt.Logger()) as builder, builder.create_network() as network:
        network.mark_output(define(network, network.add_input("x", trt.float32, (2, 6, 6))))
        with builder.create_builder_config() as config, builder.build_engine(network, config) as engine:
            x, y = np.ones((1, 2, 6, 6), np.float32), np.empty((1, 4, 4, 4), np.float32)
            with engine.create_execution_context() as context:
                assert context.execute(1, [x.ctypes.data, y.ctypes.data])
    np.testing.assert_allclose(y, 0.25)


def test_plan_of_another_metadata_format_is_refused(plan):
    with pytest.raises(trt.PlanError, match="Build the engine again"):
        load(edited(plan, lambda metadata: metadata["versions"].pop("plan") and None))


def test_a_plan_that_was_not_built_says_where_the_error_is() -> None:
    with pytest.raises(TypeError, match="not None.*the build failed: its error is in the log"):
        trt.Runtime(trt.Logger()).deserialize_cuda_engine(None)
