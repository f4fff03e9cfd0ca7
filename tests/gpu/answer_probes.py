"""Questions to the API of TensorRT 8.6, each a function of `trt` that returns what JSON can hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

import numpy as np
from answer_parts import Parts, plain

from trtflow.runtime.session import Session

Probe = Callable[[ModuleType], Any]
PROBES: dict[str, Probe] = {}
RAMP = np.arange(12, dtype=np.float32).reshape(1, 1, 3, 4)


def probe(function: Probe) -> Probe:
    """Put a function among the probes, by its name."""
    PROBES[function.__name__] = function
    return function


def each(name: str, cases: Iterable[Any], function: Callable[[ModuleType, Any], Any]) -> None:
    """Put a function among the probes, once for each case."""
    for case in cases:
        PROBES[f"{name} {case}"] = lambda trt, case=case: function(trt, case)


def bytes_of(parts: Parts) -> bytes:
    """Return a plan."""
    return bytes(parts.builder.build_serialized_network(parts.network, parts.config))


# --- resizes by the network API


def resize(trt: ModuleType, case: str) -> Any:
    """Resize a ramp; `case` names the mode and what is set."""
    mode, *settings = case.split()
    parts = Parts(trt)
    layer = parts.network.add_resize(parts.input("x", RAMP.shape))
    layer.resize_mode = getattr(trt.ResizeMode, mode)
    sizes = (1, 1, 5, 9) if "sizes" in settings else None
    if sizes:
        layer.shape = sizes
    else:
        layer.scales = [1, 1, 2, 2]
    if "align_corners" in settings:
        layer.align_corners = True
    if "align_corners_off" in settings:
        layer.align_corners = False
    for setting in settings:
        if setting in ("ALIGN_CORNERS", "ASYMMETRIC", "HALF_PIXEL"):
            layer.coordinate_transformation = getattr(trt.ResizeCoordinateTransformation, setting)
        if setting in ("CEIL", "FLOOR", "HALF_DOWN", "HALF_UP"):
            layer.nearest_rounding = getattr(trt.ResizeRoundMode, setting)
        if setting == "UPPER":
            layer.selector_for_single_pixel = trt.ResizeSelector.UPPER
    defaults = [layer.coordinate_transformation.name, layer.nearest_rounding.name, layer.selector_for_single_pixel.name]
    parts.mark(layer.get_output(0))
    return {"set": defaults, **parts.run({"x": RAMP})}


RESIZES = ["LINEAR", "NEAREST", "LINEAR sizes", "NEAREST sizes", "CUBIC"]
RESIZES += ["LINEAR align_corners", "LINEAR sizes align_corners", "NEAREST align_corners", "LINEAR align_corners_off"]
RESIZES += [f"LINEAR {name}" for name in ("ALIGN_CORNERS", "ASYMMETRIC", "HALF_PIXEL")]
RESIZES += [f"NEAREST {name} {mode}" for name in ("ASYMMETRIC", "HALF_PIXEL") for mode in ("CEIL", "FLOOR", "HALF_UP")]
each("resize", RESIZES, resize)


# --- recurrent layers in a network with an explicit batch

STEPS, INPUTS, UNITS = 3, 2, 4


def weights(rows: int, columns: int, seed: int) -> np.ndarray:
    """Return a matrix that both runtimes draw alike."""
    return (np.random.default_rng(seed).integers(-8, 9, (rows, columns)) / 16).astype(np.float32)


def recurrent(trt: ModuleType, case: str) -> Any:
    """Run RNNv2 over [batch, steps, inputs]."""
    kind, form, *more = case.split()
    explicit = form == "explicit"
    parts = Parts(trt, explicit)
    sizes = (STEPS, INPUTS)
    shape = ((2, *sizes) if "batch2" in more else (1, *sizes)) if explicit else sizes
    if "rank2" in more:
        shape = sizes
    op = getattr(trt.RNNOperation, kind)
    layer = parts.network.add_rnn_v2(parts.input("x", shape), 1, UNITS, STEPS, op)
    if layer is None:
        return {"layer": None, **parts.errors()}
    gates = {"LSTM": ("INPUT", "OUTPUT", "FORGET", "CELL"), "GRU": ("UPDATE", "RESET", "HIDDEN")}
    kept = []
    for index, name in enumerate(gates.get(kind, ("INPUT",))):
        gate = getattr(trt.RNNGateType, name)
        for place, size in ((True, INPUTS), (False, UNITS)):
            kept += [weights(UNITS, size, 10 * index + place), weights(1, UNITS, 10 * index + 2 + place)[0].copy()]
            layer.set_weights_for_gate(0, gate, place, kept[-2])
            layer.set_bias_for_gate(0, gate, place, kept[-1])
    for index in range(layer.num_outputs):
        parts.mark(layer.get_output(index), f"y{index}")
    told = {"shapes": [list(layer.get_output(index).shape) for index in range(layer.num_outputs)]}
    feed = weights(2 * STEPS, INPUTS, 99).reshape(2, STEPS, INPUTS)
    x = feed if not explicit else feed[0] if "rank2" in more else feed[: shape[0]]
    if not explicit:
        parts.builder.max_batch_size = 2
    return {**told, **parts.run({"x": np.ascontiguousarray(x)})}


KINDS = ("RELU", "TANH", "LSTM", "GRU")
each("rnn_v2", [f"{kind} {form}" for kind in KINDS for form in ("explicit", "explicit batch2", "implicit")], recurrent)
each("rnn_v2", ["RELU explicit rank2", "LSTM explicit rank2"], recurrent)


# --- slices, identities, INT8 outputs


def slice_of(trt: ModuleType, case: str) -> Any:
    """Slice a ramp along its last axis: start, size, stride, and the mode."""
    start, size, stride, mode = case.split()
    parts = Parts(trt)
    layer = parts.network.add_slice(
        parts.input("x", RAMP.shape), (0, 0, 0, int(start)), (1, 1, 3, int(size)), (1, 1, 1, int(stride))
    )
    if mode != "default":
        layer.mode = getattr(trt.SampleMode, mode)
    parts.mark(layer.get_output(0))
    return parts.run({"x": RAMP})


SLICES = ["1 4 0 default", "0 4 0 default", "3 2 0 default", "3 4 -1 default", "2 4 1 CLAMP", "2 4 1 REFLECT"]
SLICES += ["2 6 1 WRAP", "-1 4 1 CLAMP", "2 4 1 default", "0 0 1 default", "0 6 0 WRAP", "2 3 0 CLAMP", "2 4 1 FILL"]
each("slice", SLICES, slice_of)


@probe
def int8_output(trt: ModuleType) -> Any:
    """An output in INT8 with a range."""
    parts = Parts(trt)
    x = parts.input("x", (1, 1, 1, 12))
    x.set_dynamic_range(-12.7, 12.7)
    y = parts.mark(parts.network.add_elementwise(x, x, trt.ElementWiseOperation.SUM).get_output(0))
    y.set_dynamic_range(-12.7, 12.7)
    y.dtype = trt.int8
    parts.config.set_flag(trt.BuilderFlag.INT8)
    values = np.array([0, 0.04, 0.05, 0.1, 0.24, 0.25, 0.26, -0.05, -0.25, 5, 7, -9], np.float32).reshape(1, 1, 1, 12)
    return parts.run({"x": values})


def int8_identity(trt: ModuleType, case: str) -> Any:
    """An identity to INT8, by its output type or by the output's dtype."""
    parts = Parts(trt)
    x = parts.input("x", (1, 1, 1, 12))
    x.set_dynamic_range(-12.7, 12.7)
    layer = parts.network.add_identity(x)
    y = parts.mark(layer.get_output(0))
    if "range" in case:
        y.set_dynamic_range(-12.7, 12.7)
    if "type" in case:
        layer.set_output_type(0, trt.int8)
    if "dtype" in case:
        y.dtype = trt.int8
    parts.config.set_flag(trt.BuilderFlag.INT8)
    values = np.array([0, 0.04, 0.05, 0.1, 0.24, 0.25, 0.26, -0.05, -0.25, 5, 70, -90], np.float32)
    return parts.run({"x": values.reshape(1, 1, 1, 12)})


each("int8_identity", ["range type", "range dtype", "type", "range type dtype"], int8_identity)


def cast_of(trt: ModuleType, case: str) -> Any:
    """Casts to a type and back."""
    kind, target = case.split()
    parts = Parts(trt)
    x = parts.input("x", (1, 8))
    dtype = getattr(trt, target)
    if kind == "cast":
        layer = parts.network.add_cast(x, dtype)
    else:
        layer = parts.network.add_identity(x)
        layer.set_output_type(0, dtype)
    parts.mark(layer.get_output(0)).dtype = dtype
    values = np.array([[0, 0.5, 1.5, -1.5, 2.7, -2.7, 300, -300]], np.float32)
    return parts.run({"x": values})


each(
    "cast",
    [f"{kind} {name}" for kind in ("cast", "identity") for name in ("int32", "float16", "bool", "int8")],
    cast_of,
)


# --- what an error recorder is told


def simple(trt: ModuleType, shape: tuple[int, ...] = (2, 3), flag: Any = None) -> Parts:
    """Return a network of one sum with a constant."""
    parts = Parts(trt)
    x = parts.input("x", shape)
    one = parts.constant(np.ones((1,) * len(shape), np.float32))
    parts.mark(parts.network.add_elementwise(x, one, trt.ElementWiseOperation.SUM).get_output(0))
    if flag is not None:
        parts.config.set_flag(flag)
    return parts


@probe
def error_no_outputs(trt: ModuleType) -> Any:
    parts = Parts(trt)
    parts.network.add_identity(parts.input("x", (2, 3)))
    return {"built": parts.engine() is not None, **parts.errors()}


@probe
def error_no_profile(trt: ModuleType) -> Any:
    parts = simple(trt, (-1, 3))
    return {"built": parts.engine() is not None, **parts.errors()}


@probe
def error_elementwise_shapes(trt: ModuleType) -> Any:
    parts = Parts(trt)
    layer = parts.network.add_elementwise(
        parts.input("x", (2, 3)), parts.input("z", (2, 4)), trt.ElementWiseOperation.SUM
    )
    if layer is not None:
        parts.mark(layer.get_output(0))
    return {"layer": layer is not None, "built": parts.engine() is not None, **parts.errors()}


@probe
def error_elementwise_ranks(trt: ModuleType) -> Any:
    parts = Parts(trt)
    layer = parts.network.add_elementwise(
        parts.input("x", (2, 3)), parts.input("z", (2, 3, 1)), trt.ElementWiseOperation.SUM
    )
    return {"layer": layer is not None, **parts.errors()}


@probe
def error_reshape_volume(trt: ModuleType) -> Any:
    parts = Parts(trt)
    layer = parts.network.add_shuffle(parts.input("x", (2, 3)))
    layer.reshape_dims = (4, 2)
    parts.mark(layer.get_output(0))
    return {"built": parts.engine() is not None, **parts.errors()}


@probe
def error_convolution_weights(trt: ModuleType) -> Any:
    parts = Parts(trt)
    layer = parts.network.add_convolution_nd(
        parts.input("x", (1, 3, 8, 8)), 4, (3, 3), np.ones(7, np.float32), np.ones(4, np.float32)
    )
    if layer is not None:
        parts.mark(layer.get_output(0))
    return {"layer": layer is not None, "built": parts.engine() is not None, **parts.errors()}


@probe
def error_int8_without_scales(trt: ModuleType) -> Any:
    parts = Parts(trt)
    layer = parts.network.add_convolution_nd(
        parts.input("x", (1, 4, 8, 8)), 4, (3, 3), np.ones(144, np.float32), np.ones(4, np.float32)
    )
    parts.mark(layer.get_output(0))
    parts.config.set_flag(trt.BuilderFlag.INT8)
    return {"built": parts.engine() is not None, **parts.errors()}


@probe
def error_bad_plan(trt: ModuleType) -> Any:
    parts = Parts(trt)
    runtime = trt.Runtime(parts.logger)
    runtime.error_recorder = parts.recorder
    return {"engine": runtime.deserialize_cuda_engine(b"not a plan" * 20) is not None, **parts.errors()}


@probe
def error_cut_plan(trt: ModuleType) -> Any:
    parts = simple(trt)
    plan = bytes_of(parts)
    runtime = trt.Runtime(parts.logger)
    runtime.error_recorder = parts.recorder
    return {"engine": runtime.deserialize_cuda_engine(plan[: len(plan) // 2]) is not None, **parts.errors()}


@probe
def error_flipped_plan(trt: ModuleType) -> Any:
    parts = simple(trt)
    plan = bytearray(bytes_of(parts))
    plan[4] ^= 0xFF
    runtime = trt.Runtime(parts.logger)
    runtime.error_recorder = parts.recorder
    return {"engine": runtime.deserialize_cuda_engine(bytes(plan)) is not None, **parts.errors()}


def with_profile(trt: ModuleType) -> tuple[Parts, Any, Any]:
    """Return an engine of [1 to 4, 3] and its context."""
    parts = simple(trt, (-1, 3))
    profile = parts.builder.create_optimization_profile()
    profile.set_shape("x", (1, 3), (2, 3), (4, 3))
    parts.config.add_optimization_profile(profile)
    engine = parts.engine()
    engine.error_recorder = parts.recorder
    context = engine.create_execution_context()
    context.error_recorder = parts.recorder
    return parts, engine, context


def context_fault(trt: ModuleType, case: str) -> Any:
    """What a context says to a wrong call."""
    parts, _engine, context = with_profile(trt)
    calls: dict[str, Callable[[], Any]] = {
        "shape over": lambda: context.set_input_shape("x", (9, 3)),
        "shape column": lambda: context.set_input_shape("x", (2, 5)),
        "shape rank": lambda: context.set_input_shape("x", (2, 3, 1)),
        "shape name": lambda: context.set_input_shape("nothing", (2, 3)),
        "shape of output": lambda: context.set_input_shape("y", (2, 3)),
        "shape negative": lambda: context.set_input_shape("x", (-1, 3)),
        "binding shape over": lambda: context.set_binding_shape(0, (9, 3)),
        "binding shape index": lambda: context.set_binding_shape(7, (2, 3)),
        "address name": lambda: context.set_tensor_address("nothing", 256),
        "execute unset": lambda: context.execute_async_v3(0),
        "execute shapes unset": lambda: context.execute_v2([0, 0]),
        "profile index": lambda: context.set_optimization_profile_async(3, 0),
        "tensor shape name": lambda: list(context.get_tensor_shape("nothing")),
        "infer shapes": context.infer_shapes,
    }
    try:
        answer = calls[case]()
    except Exception as error:  # part of the answer
        answer = f"{type(error).__name__}: {error}"
    return {
        "answer": answer if isinstance(answer, (bool, int, str, list, type(None))) else str(answer),
        **parts.errors(),
    }


CONTEXT_FAULTS = ["shape over", "shape column", "shape rank", "shape name", "shape of output", "shape negative"]
CONTEXT_FAULTS += ["binding shape over", "binding shape index", "address name", "execute unset", "profile index"]
each("context", [*CONTEXT_FAULTS, "tensor shape name", "infer shapes"], context_fault)


def refit_fault(trt: ModuleType, case: str) -> Any:
    """What a refitter says to wrong weights."""
    parts = Parts(trt)
    layer = parts.network.add_convolution_nd(
        parts.input("x", (1, 3, 8, 8)), 4, (3, 3), np.ones(108, np.float32), np.ones(4, np.float32)
    )
    layer.name = "conv"
    parts.mark(layer.get_output(0))
    if case != "engine without the flag":
        parts.config.set_flag(trt.BuilderFlag.REFIT)
    engine = parts.engine()
    try:
        refitter = trt.Refitter(engine, parts.logger)
        refitter.error_recorder = parts.recorder
        kernel = trt.WeightsRole.KERNEL
        calls: dict[str, Callable[[], Any]] = {
            "size": lambda: refitter.set_weights("conv", kernel, np.ones(7, np.float32)),
            "type": lambda: refitter.set_weights("conv", kernel, np.ones(108, np.int32)),
            "half": lambda: refitter.set_weights("conv", kernel, np.ones(108, np.float16)),
            "layer": lambda: refitter.set_weights("nothing", kernel, np.ones(108, np.float32)),
            "role": lambda: refitter.set_weights("conv", trt.WeightsRole.SCALE, np.ones(4, np.float32)),
            "named": lambda: refitter.set_named_weights("nothing", np.ones(108, np.float32)),
            "nothing set": refitter.refit_cuda_engine,
            "kernel alone": lambda: (
                refitter.set_weights("conv", kernel, np.ones(108, np.float32)),
                [list(map(str, part)) for part in refitter.get_missing()],
                refitter.refit_cuda_engine(),
            ),
            "all": lambda: [[str(item) for item in part] for part in refitter.get_all()],
        }
        answer = calls[case]() if case in calls else "made"
    except Exception as error:  # part of the answer
        answer = f"{type(error).__name__}: {error}"
    return {
        "answer": answer if isinstance(answer, (bool, int, str, list, type(None))) else str(answer),
        **parts.errors(),
    }


REFITS = ["size", "type", "half", "layer", "role", "named", "nothing set", "kernel alone", "all"]
each("refit", [*REFITS, "engine without the flag"], refit_fault)


def profile_fault(trt: ModuleType, case: str) -> Any:
    """What profiles say to wrong ranges."""
    parts = simple(trt, (-1, 3))
    profile = parts.builder.create_optimization_profile()
    ranges = {
        "order": ("x", (4, 3), (2, 3), (1, 3)),
        "column": ("x", (1, 5), (2, 5), (4, 5)),
        "rank": ("x", (1,), (2,), (4,)),
        "name": ("nothing", (1, 3), (2, 3), (4, 3)),
        "negative": ("x", (-1, 3), (2, 3), (4, 3)),
        "zero": ("x", (0, 3), (2, 3), (4, 3)),
    }
    told: dict[str, Any] = {}
    if case != "empty":
        try:
            told["set"] = profile.set_shape(*ranges[case])
        except Exception as error:  # part of the answer
            told["set"] = f"{type(error).__name__}: {error}"
    try:
        told["index"] = parts.config.add_optimization_profile(profile)
        told["built"] = parts.engine() is not None
    except Exception as error:  # part of the answer
        told["add"] = f"{type(error).__name__}: {error}"
    return {**told, **parts.errors()}


each("profile", ["order", "column", "rank", "name", "negative", "zero", "empty"], profile_fault)


# --- which layers a calibrated INT8 engine computes in INT8


def implicit_int8(trt: ModuleType, case: str) -> Any:
    """A product with constant weights in INT8 by ranges: what the engine has become, and what it gives."""
    kind, channels = case.split()
    width, network_outputs = int(channels), 8
    parts = Parts(trt)
    shape = (2, width, 16, 16) if kind != "matmul" else (2, 16, width)
    x = parts.input("x", shape)
    count = width * network_outputs * (9 if kind != "matmul" else 1)
    kernel = (np.random.default_rng(1).integers(-99, 100, count) / 256).astype(np.float32)
    if kind == "matmul":
        wanted = parts.constant(kernel.reshape(1, width, network_outputs))
        none = trt.MatrixOperation.NONE
        y = parts.network.add_matrix_multiply(x, none, wanted, none).get_output(0)
    else:
        add = parts.network.add_deconvolution_nd if kind == "deconvolution" else parts.network.add_convolution_nd
        y = add(x, network_outputs, (3, 3), kernel, np.zeros(network_outputs, np.float32)).get_output(0)
    relu = parts.network.add_activation(y, trt.ActivationType.RELU).get_output(0)
    for tensor in (x, y, parts.mark(relu)):
        tensor.set_dynamic_range(-12.7, 12.7)
    parts.config.set_flag(trt.BuilderFlag.INT8)
    parts.config.builder_optimization_level = 3
    parts.config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    engine = parts.engine()
    if engine is None:
        return parts.errors()
    told = engine.create_engine_inspector().get_engine_information(trt.LayerInformationFormat.JSON)
    values = (np.random.default_rng(2).integers(-99, 100, shape) / 128).astype(np.float32)
    with Session(trt, engine) as session:
        found = session.run({"x": values})["y"]
    return {"engine": str(told)[:4000], "y": plain(found)}


INT8_KINDS = ("convolution", "deconvolution", "matmul")
each("implicit_int8", [f"{kind} {count}" for kind in INT8_KINDS for count in (16, 64)], implicit_int8)


# --- outputs with as many rows as values say, of inputs whose sizes are fixed


def rows_by_values(trt: ModuleType, case: str) -> Any:
    """Whether an engine of such a network gives a context, with an optimization profile and without any."""
    kind, _, profile = case.partition(", ")
    parts = Parts(trt)
    boxes, scores = parts.input("boxes", (1, 6, 4)), parts.input("scores", (1, 6, 2))
    if kind == "non zero":
        found = parts.network.add_non_zero(scores).get_output(0)
    else:
        most = parts.constant(np.array(3, np.int32))
        found = parts.network.add_nms(boxes, scores, most).get_output(0)
    if kind.endswith("gathered"):
        rows = parts.network.add_gather_v2(found, parts.constant(np.array([2], np.int32)), trt.GatherMode.DEFAULT)
        rows.axis = 1
        flat = parts.network.add_shuffle(rows.get_output(0))
        flat.reshape_dims = (-1,)
        whole = parts.network.add_shuffle(boxes)
        whole.reshape_dims = (6, 4)
        found = parts.network.add_gather(whole.get_output(0), flat.get_output(0), 0).get_output(0)
    parts.mark(found)
    if profile == "profile":
        made = parts.builder.create_optimization_profile()
        for tensor in (boxes, scores):
            made.set_shape(tensor.name, *[tuple(tensor.shape)] * 3)
        parts.config.add_optimization_profile(made)
    engine = parts.engine()
    if engine is None:
        return parts.errors()
    context = engine.create_execution_context()
    return {"profiles": engine.num_optimization_profiles, "context": context is not None, **parts.errors()}


ROWS = ("non zero", "suppression", "suppression gathered")
each("rows by values", [f"{kind}, {profile}" for kind in ROWS for profile in ("profile", "none")], rows_by_values)
