"""One object of each class of the API, got the way a user gets it."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

import trtflow.reference as trt

EXPLICIT = 1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH)


class Recorder(trt.IErrorRecorder):
    """Keeps errors."""

    def __init__(self) -> None:
        trt.IErrorRecorder.__init__(self)
        self.texts: list[str] = []

    def num_errors(self) -> int:
        return len(self.texts)

    def report_error(self, arg0: trt.ErrorCodeTRT, arg1: str) -> bool:
        self.texts.append(arg1)
        return True


def _ints(network: Any, *values: int) -> Any:
    array = np.array(values if len(values) > 1 else values[0], np.int32)
    return network.add_constant(array.shape, array).get_output(0)


def _truth(network: Any) -> Any:
    return network.add_constant((), np.array(True)).get_output(0)


def _network() -> tuple[Any, Any]:
    network = trt.Builder(trt.Logger()).create_network(EXPLICIT)
    return network, network.add_input("x", trt.float32, (2, 3, 4, 4))


@cache
def _layers() -> dict[str, Any]:
    """Return one layer of each class."""
    n, x = _network()
    ones = np.ones(9 * 9, np.float32)
    scalar = n.add_constant((), np.ones((), np.float32)).get_output(0)
    flat = n.add_constant((3, 4), np.ones((3, 4), np.float32)).get_output(0)
    loop, choice = n.add_loop(), n.add_if_conditional()
    recurrence = loop.add_recurrence(x)
    boxes = n.add_constant((1, 2, 4), np.ones((1, 2, 4), np.float32)).get_output(0)
    scores = n.add_constant((1, 2, 1), np.ones((1, 2, 1), np.float32)).get_output(0)
    grid = n.add_constant((2, 5, 5, 2), np.zeros((2, 5, 5, 2), np.float32)).get_output(0)
    plugin = trt.get_plugin_registry().get_plugin_creator("LReLU_TRT", "1").create_plugin("relu", _fields())
    made = [
        n.add_activation(x, trt.ActivationType.RELU),
        n.add_assertion(_truth(n), "holds"),
        n.add_cast(x, trt.int32),
        n.add_concatenation([x, x]),
        n.add_constant((2,), np.ones(2, np.float32)),
        n.add_convolution_nd(x, 1, (3, 3), ones[:27]),
        n.add_deconvolution_nd(x, 1, (3, 3), ones[:27]),
        n.add_quantize(x, scalar),
        n.add_einsum([flat, flat], "ij,ij->i"),
        n.add_elementwise(x, x, trt.ElementWiseOperation.SUM),
        n.add_fill((2,), trt.FillOperation.LINSPACE),
        n.add_fully_connected(x, 1, ones[:48]),
        n.add_gather(x, _ints(n, 0, 1), 0),
        n.add_grid_sample(x, grid),
        n.add_identity(x),
        n.add_lrn(x, 3, 1.0, 1.0, 1.0),
        n.add_matrix_multiply(x, trt.MatrixOperation.NONE, x, trt.MatrixOperation.TRANSPOSE),
        n.add_nms(boxes, scores, _ints(n, 1)),
        n.add_non_zero(x),
        n.add_normalization(x, x, x, 0b1110),
        n.add_one_hot(_ints(n, 0, 1), n.add_constant((2,), ones[:2]).get_output(0), _ints(n, 3), 0),
        n.add_padding_nd(x, (1, 1), (1, 1)),
        n.add_parametric_relu(x, x),
        n.add_plugin_v2([x], plugin),
        n.add_pooling_nd(x, trt.PoolingType.MAX, (2, 2)),
        n.add_reduce(x, trt.ReduceOperation.SUM, 1, True),
        n.add_resize(x),
        n.add_reverse_sequence(x, _ints(n, 1, 1, 1)),
        n.add_scale(x, trt.ScaleMode.UNIFORM),
        n.add_scatter(x, n.add_cast(x, trt.int32).get_output(0), x, trt.ScatterMode.ELEMENT),
        n.add_select(n.add_cast(x, trt.bool).get_output(0), x, x),
        n.add_shape(x),
        n.add_shuffle(x),
        n.add_slice(x, (0,) * 4, (1,) * 4, (1,) * 4),
        n.add_softmax(x),
        n.add_topk(x, trt.TopKOperation.MAX, 1, 1),
        n.add_unary(x, trt.UnaryOperation.EXP),
        recurrence,
        loop.add_iterator(x),
        loop.add_trip_limit(_ints(n, 2), trt.TripLimit.COUNT),
        loop.add_loop_output(recurrence.get_output(0), trt.LoopOutput.LAST_VALUE),
        choice.set_condition(_truth(n)),
        choice.add_input(x),
        choice.add_output(x, x),
    ]
    made.append(
        n.add_dequantize(next(item for item in made if isinstance(item, trt.IQuantizeLayer)).get_output(0), scalar)
    )
    found = {type(layer).__name__: layer for layer in made}
    implicit = trt.Builder(trt.Logger()).create_network()
    sequence = implicit.add_input("x", trt.float32, (3, 4))
    found["IRNNv2Layer"] = implicit.add_rnn_v2(sequence, 1, 4, 3, trt.RNNOperation.LSTM)
    found["IRaggedSoftMaxLayer"] = implicit.add_ragged_softmax(sequence, implicit.add_input("n", trt.int32, (3, 1)))
    found |= {"ILoop": loop, "IIfConditional": choice, "ILayer": found["IIdentityLayer"]}
    return found | {"ILoopBoundaryLayer": recurrence, "IIfConditionalBoundaryLayer": found["IConditionLayer"]}


def _fields() -> Any:
    trt.init_libnvinfer_plugins(None, "")
    return trt.PluginFieldCollection([trt.PluginField("negSlope", np.ones(1, np.float32), trt.PluginFieldType.FLOAT32)])


class _Selector(trt.IAlgorithmSelector):
    def select_algorithms(self, context: Any, choices: list[Any]) -> list[int]:
        self.seen = (context, choices[0])
        return [0]

    def report_algorithms(self, contexts: list[Any], choices: list[Any]) -> None:
        self.reported = (contexts, choices)


@cache
def _built() -> dict[str, Any]:
    """Return what there is around an engine."""
    builder = trt.Builder(trt.Logger())
    network = builder.create_network(EXPLICIT)
    x = network.add_input("x", trt.float32, (1, 2, 3, 3))
    layer = network.add_convolution_nd(x, 1, (3, 3), np.ones(18, np.float32))
    network.mark_output(layer.get_output(0))
    config, selector = builder.create_builder_config(), _Selector()
    config.set_flag(trt.BuilderFlag.REFIT)
    config.algorithm_selector = selector
    plan = builder.build_serialized_network(network, config)
    runtime = trt.Runtime(builder.logger)
    engine = runtime.deserialize_cuda_engine(plan)
    algorithm_context, algorithm = selector.seen
    trt.init_libnvinfer_plugins(None, "")
    registry = trt.get_plugin_registry()
    creator = registry.get_plugin_creator("LReLU_TRT", "1")
    return {
        "Builder": builder,
        "INetworkDefinition": network,
        "ITensor": x,
        "IBuilderConfig": config,
        "IHostMemory": plan,
        "Runtime": runtime,
        "ICudaEngine": engine,
        "IExecutionContext": engine.create_execution_context(),
        "EngineInspector": engine.create_engine_inspector(),
        "Refitter": trt.Refitter(engine, builder.logger),
        "IOptimizationProfile": builder.create_optimization_profile(),
        "ITimingCache": config.create_timing_cache(b""),
        "IAlgorithmContext": algorithm_context,
        "IAlgorithm": algorithm,
        "IAlgorithmVariant": algorithm.algorithm_variant,
        "IAlgorithmIOInfo": algorithm.get_algorithm_io_info(0),
        "IPluginRegistry": registry,
        "IPluginCreator": creator,
        "IPluginV2": creator.create_plugin("relu", _fields()),
        "OnnxParser": trt.OnnxParser(builder.create_network(EXPLICIT), builder.logger),
    }


def _parser_error() -> Any:
    parser = trt.OnnxParser(trt.Builder(trt.Logger(trt.Logger.INTERNAL_ERROR)).create_network(EXPLICIT), trt.Logger())
    parser.parse(b"no model")
    return parser.get_error(0)


OTHERS: dict[str, Any] = {
    "FallbackString": lambda: trt.FallbackString("x"),
    "FieldMap": lambda: trt.FieldMap("x", None, trt.FieldType.FLOAT),
    "IBlobNameToTensor": trt.IBlobNameToTensor,
    "ParserError": _parser_error,
    "PluginFieldCollection_": trt.PluginFieldCollection_,
    "Weights": lambda: trt.Weights(np.ones(3, np.float32)),
}


def make(name: str) -> Any:
    """Return an object of a class."""
    if name in _built():
        return _built()[name]
    if name in OTHERS:
        return OTHERS[name]()
    return _layers()[name] if name in _layers() else getattr(trt, name)()
