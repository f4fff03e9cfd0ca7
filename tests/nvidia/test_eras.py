"""Old members of TensorRT under an era: each does what today's does, warns once and is gone afterwards."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import trtflow.reference as trt
from trtflow.formats import UserError
from trtflow.nvidia import nvidia_names
from trtflow.nvidia.eras.builder import SETTINGS
from trtflow.nvidia.eras.warning import EraWarning

RNG = np.random.default_rng(0)
LOGGER = trt.Logger(trt.Logger.ERROR)
WEIGHTS = RNG.normal(size=(4, 3)).astype(np.float32)


def onnx_model(batch: int | str) -> bytes:
    """Return a model of a matrix product and ReLU, batch first."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Relu", ["m"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 3])],
        [numpy_helper.from_array(WEIGHTS, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6).SerializeToString()


def scaled_network(builder: Any) -> Any:
    """Return a network with an implicit batch that doubles its input."""
    network = builder.create_network()
    tensor = network.add_input("x", trt.float32, (2, 2, 2))
    layer = network.add_scale(tensor, trt.ScaleMode.UNIFORM, np.float32([0]), np.float32([2]), np.float32([1]))
    layer.get_output(0).name = "y"
    network.mark_output(layer.get_output(0))
    return network


def execute(engine: Any, values: np.ndarray, batch: int, outputs: int) -> np.ndarray:
    """Run a batch by `execute`, as scripts of those times did."""
    found = np.zeros((batch, outputs), np.float32)
    context = engine.create_execution_context()
    assert context.execute(batch, [values.ctypes.data, found.ctypes.data])
    return found


@pytest.mark.parametrize("name", [*SETTINGS, "build_cuda_engine", "set_device_type"])
def test_without_an_era_they_are_not_there(name: str) -> None:
    assert not hasattr(trt.Builder, name)
    with nvidia_names(era=7):
        assert hasattr(trt.Builder, name)
    assert not hasattr(trt.Builder, name)


def test_one_warning_each_that_says_todays() -> None:
    with nvidia_names(era=7), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        builder = trt.Builder(LOGGER)
        builder.fp16_mode = True
        builder.fp16_mode = False
        builder.max_workspace_size = 1 << 20
    texts = [str(warning.message) for warning in said]
    assert len(texts) == 2
    assert "Builder.fp16_mode" in texts[0]
    assert "BuilderFlag.FP16" in texts[0]
    assert "set_memory_pool_limit" in texts[1]
    assert all(warning.filename == __file__ and warning.category is EraWarning for warning in said)


@pytest.mark.filterwarnings("ignore::trtflow.nvidia.eras.warning.EraWarning")
@pytest.mark.parametrize(
    ("name", "flag"),
    [
        ("fp16_mode", "FP16"), ("half2_mode", "FP16"), ("int8_mode", "INT8"), ("refittable", "REFIT"),
        ("strict_type_constraints", "OBEY_PRECISION_CONSTRAINTS"), ("debug_sync", "DEBUG"),
        ("allow_gpu_fallback", "GPU_FALLBACK"),
    ],
)  # fmt: skip
def test_modes_are_todays_flags(name: str, flag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    configs: list[Any] = []
    monkeypatch.setattr(trt.Builder, "build_engine", lambda self, network, config: configs.append(config))
    with nvidia_names(era=7):
        for value in (False, True):
            builder = trt.Builder(LOGGER)
            setattr(builder, name, value)
            assert getattr(builder, name) is value
            builder.max_workspace_size = 1 << 22
            builder.build_cuda_engine(None)
    assert [config.get_flag(getattr(trt.BuilderFlag, flag)) for config in configs] == [False, True]
    assert {config.get_memory_pool_limit(trt.MemoryPoolType.WORKSPACE) for config in configs} == {1 << 22}


@pytest.mark.filterwarnings("ignore::trtflow.nvidia.eras.warning.EraWarning")
@pytest.mark.parametrize("era", [5, 6, 7])
def test_engines_of_the_old_ways_compute(era: int) -> None:
    with nvidia_names(era=era):
        assert trt.__version__.startswith(f"{era}.")
        builder = trt.Builder(LOGGER)
        builder.max_batch_size = 3
        engine = builder.build_cuda_engine(scaled_network(builder))
        plan = engine.serialize()
        engine = trt.Runtime(LOGGER).deserialize_cuda_engine(plan, None)
        values = RNG.normal(size=(3, 8)).astype(np.float32)
        assert np.array_equal(execute(engine, values, 3, 8), 2 * values)
    assert trt.__version__.startswith("8.")


@pytest.mark.filterwarnings("ignore::trtflow.nvidia.eras.warning.EraWarning")
@pytest.mark.parametrize("model_batch", [1, 3, "n"])
@pytest.mark.parametrize("batch", [1, 3])
def test_onnx_in_a_network_with_an_implicit_batch(model_batch: int | str, batch: int) -> None:
    data = onnx_model(model_batch)
    values = RNG.normal(size=(batch, 4)).astype(np.float32)
    with nvidia_names(era=6):
        builder = trt.Builder(LOGGER)
        builder.max_batch_size = 3
        network = builder.create_network()
        assert trt.OnnxParser(network, LOGGER).parse(data)
        built = builder.build_cuda_engine(network)
        engine = trt.Runtime(LOGGER).deserialize_cuda_engine(built.serialize())
        assert tuple(engine.get_binding_shape(0)) == (4,)
        assert engine.max_batch_size == 3
        context = engine.create_execution_context()
        found = np.zeros((batch, 3), np.float32)
        done = context.execute_async(batch, [values.ctypes.data, found.ctypes.data], 0)
    if model_batch == 3 and batch == 1:
        assert not done  # what the model fixes for three cannot run for one
        return
    assert done
    feeds = [values] if model_batch in (batch, "n") else np.split(values, batch)
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    expected = np.concatenate([session.run(None, {"x": feed})[0] for feed in feeds])
    assert np.allclose(found, expected, atol=1e-6)


@pytest.mark.filterwarnings("ignore::trtflow.nvidia.eras.warning.EraWarning")
def test_a_batch_beyond_the_largest_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with nvidia_names(era=5):
        builder = trt.Builder(LOGGER)
        builder.max_batch_size = 2
        network = builder.create_network()
        trt.OnnxParser(network, LOGGER).parse(onnx_model(1))
        context = builder.build_cuda_engine(network).create_execution_context()
        assert not context.execute(3, [0, 0])
    assert "built for 1 to 2" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::trtflow.nvidia.eras.warning.EraWarning")
def test_execute_of_an_explicit_batch_warns_and_runs(capsys: pytest.CaptureFixture[str]) -> None:
    values, found = RNG.normal(size=(1, 4)).astype(np.float32), np.zeros((1, 3), np.float32)
    bindings = [values.ctypes.data, found.ctypes.data]
    with nvidia_names(era=7):
        builder = trt.Builder(trt.Logger(trt.Logger.WARNING))
        network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
        trt.OnnxParser(network, LOGGER).parse(onnx_model(1))
        context = builder.build_cuda_engine(network).create_execution_context()
        assert context.execute_async(bindings=bindings, stream_handle=0)
        assert "use enqueue without batch size instead" in capsys.readouterr().err
        assert context.execute(1, bindings)
    assert np.allclose(found, np.maximum(values @ WEIGHTS, 0), atol=1e-6)
    assert not context.execute(1, bindings)  # 8.6 refuses


def test_era_7_leaves_explicit_networks_as_they_are() -> None:
    with nvidia_names(era=7), warnings.catch_warnings():
        warnings.simplefilter("error")
        builder = trt.Builder(LOGGER)
        network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
        assert trt.OnnxParser(network, LOGGER).parse(onnx_model(1))
        assert tuple(network.get_input(0).shape) == (1, 4)


@pytest.mark.filterwarnings("ignore::trtflow.nvidia.eras.warning.EraWarning")
def test_shapes_with_letters() -> None:
    with nvidia_names(era=7):
        assert trt.DimsCHW(1, 28, 30) == (1, 28, 30) == trt.DimsCHW((1, 28, 30))
        assert (trt.DimsNCHW(2, 1, 28, 30).n, trt.DimsNCHW(2, 1, 28, 30).w) == (2, 30)
        with pytest.raises(ValueError, match="3 sizes"):
            trt.DimsCHW(1, 2)
        network = trt.Builder(LOGGER).create_network()
        assert tuple(network.add_input("x", trt.float32, trt.DimsCHW(1, 4, 4)).shape) == (1, 4, 4)
    assert not hasattr(trt, "DimsCHW")


def test_what_no_reference_can_have_is_refused_by_name() -> None:
    with nvidia_names(era=5):
        network = trt.Builder(LOGGER).create_network()
        for call in (
            lambda: network.add_plugin([], None),
            lambda: setattr(network, "pooling_output_dimensions_formula", object()),
            lambda: setattr(trt.UffParser(), "plugin_factory", object()),
            lambda: trt.Runtime(LOGGER).deserialize_cuda_engine(b"", object()),
        ):
            with pytest.raises(UserError, match="cannot be given on a CPU"):
                call()


@pytest.mark.parametrize("wrong", [{"era": 4}, {"backend": "cuda"}, {"backend": "tensorrt", "era": 7}])
def test_wrong_arguments_are_one_line(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="There are|Leave them out"), nvidia_names(**wrong):
        pass


def test_products_and_resizes_in_old_words() -> None:
    with nvidia_names(era=7), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        network = trt.Builder(LOGGER).create_network(1)
        x = network.add_input("x", trt.float32, (2, 3))
        product = network.add_matrix_multiply_deprecated(x, True, x, False)
        assert (product.op0, product.op1) == (trt.MatrixOperation.TRANSPOSE, trt.MatrixOperation.NONE)
        assert product.get_output(0).shape == (3, 3)
        resize = network.add_resize(x)
        assert resize.align_corners is False
        resize.align_corners = True
        assert resize.coordinate_transformation == trt.ResizeCoordinateTransformation.ALIGN_CORNERS
    assert [str(warning.message).split()[0] for warning in said] == [
        "INetworkDefinition.add_matrix_multiply_deprecated",
        "IResizeLayer.align_corners",
    ]
    assert not hasattr(trt.IResizeLayer, "align_corners")
