"""More questions to the API of TensorRT 8.6, of layers at their limits; importing this puts them among PROBES."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from answer_parts import Parts
from answer_probes import RAMP, each

ROW = np.arange(-3, 3, dtype=np.float32).reshape(1, 6)


def unary_of_int32(trt: ModuleType, case: str) -> Any:
    """Compute a unary operation of whole numbers."""
    parts = Parts(trt)
    x = parts.input("x", (1, 6), trt.int32)
    parts.mark(parts.network.add_unary(x, getattr(trt.UnaryOperation, case)).get_output(0))
    return parts.run({"x": ROW.astype(np.int32)})


each("unary int32", ["ABS", "NEG", "SIGN", "SQRT", "CEIL", "NOT"], unary_of_int32)


def slice_beyond(trt: ModuleType, case: str) -> Any:
    """Take more of a ramp than there is, from a start and by a step; `case` is the mode and these."""
    mode, start, size, stride = case.split()
    parts = Parts(trt)
    x = parts.input("x", (1, 6))
    layer = parts.network.add_slice(x, (0, int(start)), (1, int(size)), (1, int(stride)))
    layer.mode = getattr(trt.SliceMode, mode)
    if mode == "FILL":
        layer.set_input(4, parts.constant(np.float32([7])))
    parts.mark(layer.get_output(0))
    return parts.run({"x": ROW})


PLACES = ("-2 9 1", "4 9 1", "-9 14 2", "7 5 -3")
each("slice", [f"{mode} {place}" for mode in ("CLAMP", "WRAP", "REFLECT", "FILL") for place in PLACES], slice_beyond)


def top_k_of(trt: ModuleType, case: str) -> Any:
    """Ask for many of a row of 5,000."""
    parts = Parts(trt)
    x = parts.input("x", (1, 5000))
    layer = parts.network.add_topk(x, trt.TopKOperation.MAX, int(case), 2)
    if layer is None:
        return parts.errors()
    parts.mark(layer.get_output(0))
    engine = parts.engine()
    return {"built": engine is not None, **parts.errors()}


each("top k", ["3840", "3841"], top_k_of)


def clipped_average(trt: ModuleType, case: str) -> Any:
    """Average windows that go over the border by a size that is rounded up; `case` is the mode and what counts."""
    mode, counted = case.split(" ", 1)
    parts = Parts(trt)
    x = parts.input("x", RAMP.shape)
    layer = parts.network.add_pooling_nd(x, trt.PoolingType.AVERAGE, (2, 3))
    layer.stride_nd, layer.padding_nd = (2, 2), (1, 1)
    layer.padding_mode = getattr(trt.PaddingMode, mode)
    layer.average_count_excludes_padding = counted == "without padding"
    parts.mark(layer.get_output(0))
    return parts.run({"x": RAMP})


MODES = ("EXPLICIT_ROUND_UP", "EXPLICIT_ROUND_DOWN", "CAFFE_ROUND_UP", "SAME_UPPER")
each(
    "average", [f"{mode} {counted}" for mode in MODES for counted in ("with padding", "without padding")],
    clipped_average,
)  # fmt: skip


def activation_of(trt: ModuleType, case: str) -> Any:
    """Compute an activation whose alpha and beta nobody set."""
    parts = Parts(trt)
    layer = parts.network.add_activation(parts.input("x", (1, 6)), getattr(trt.ActivationType, case))
    told = {"alpha": round(float(layer.alpha), 6), "beta": round(float(layer.beta), 6)}
    parts.mark(layer.get_output(0))
    return {**told, **parts.run({"x": ROW})}


KINDS = ("LEAKY_RELU", "ELU", "SELU", "SOFTPLUS", "CLIP", "HARD_SIGMOID", "SCALED_TANH", "THRESHOLDED_RELU", "SOFTSIGN")
each("activation unset", KINDS, activation_of)


def loop_of(trt: ModuleType, case: str) -> Any:
    """Add a row to a state as often as a limit says; the sum and each one."""
    parts = Parts(trt)
    x = parts.input("x", (1, 6))
    loop = parts.network.add_loop()
    loop.add_trip_limit(parts.constant(np.array(int(case), np.int32)), trt.TripLimit.COUNT)
    state = loop.add_recurrence(x)
    total = parts.network.add_elementwise(state.get_output(0), x, trt.ElementWiseOperation.SUM).get_output(0)
    state.set_input(1, total)
    parts.mark(loop.add_loop_output(state.get_output(0), trt.LoopOutput.LAST_VALUE).get_output(0))
    each_of = loop.add_loop_output(total, trt.LoopOutput.CONCATENATE, 0)
    each_of.set_input(1, parts.constant(np.array(int(case), np.int32)))
    parts.mark(each_of.get_output(0), "all")
    return parts.run({"x": ROW})


each("loop", ["0", "1", "3"], loop_of)


def branches_of(trt: ModuleType, case: str) -> Any:
    """Choose between two branches of the same or of other shapes by a condition."""
    parts = Parts(trt)
    x, wanted = parts.input("x", (1, 6)), parts.input("wanted", (1,))
    greater = parts.network.add_elementwise(
        wanted, parts.constant(np.float32([0])), trt.ElementWiseOperation.GREATER
    ).get_output(0)
    scalar = parts.network.add_shuffle(greater)
    scalar.reshape_dims = ()
    choice = parts.network.add_if_conditional()
    choice.set_condition(scalar.get_output(0))
    inside = choice.add_input(x).get_output(0)
    other: Any = parts.network.add_unary(inside, trt.UnaryOperation.NEG).get_output(0)
    if case == "of other shapes":
        shuffled = parts.network.add_shuffle(other)
        shuffled.reshape_dims = (2, 3)
        other = shuffled.get_output(0)
    twice = parts.network.add_elementwise(inside, inside, trt.ElementWiseOperation.SUM).get_output(0)
    parts.mark(choice.add_output(twice, other).get_output(0))
    return parts.run({"x": ROW, "wanted": np.float32([-1])})


each("branches", ["of one shape", "of other shapes"], branches_of)


def shapes_outside(trt: ModuleType, case: str) -> Any:
    """Give a context a shape outside of its profile, or a wrong rank, or a name that is none."""
    parts = Parts(trt)
    x = parts.network.add_input("x", trt.float32, (-1, 6))
    parts.mark(parts.network.add_unary(x, trt.UnaryOperation.NEG).get_output(0))
    profile = parts.builder.create_optimization_profile()
    profile.set_shape("x", (1, 6), (2, 6), (4, 6))
    parts.config.add_optimization_profile(profile)
    engine = parts.engine()
    if engine is None:
        return parts.errors()
    context = engine.create_execution_context()
    shape = {"too large": (5, 6), "too small": (0, 6), "of another rank": (6,), "of another size": (2, 5)}[case]
    taken = context.set_input_shape("x", shape)
    return {"taken": bool(taken), "known": [*context.get_tensor_shape("y")], **parts.errors()}


each("context shape", ["too large", "too small", "of another rank", "of another size"], shapes_outside)


def dilated(trt: ModuleType, case: str) -> Any:
    """Convolve with groups, dilation and padding of unlike sides."""
    kind, groups = case.split()
    parts = Parts(trt)
    values = (np.arange(2 * 5 * 5, dtype=np.float32) / 10).reshape(1, 2, 5, 5)
    x = parts.input("x", values.shape)
    kernel = (np.arange(4 * (2 // int(groups)) * 9, dtype=np.float32) / 20).reshape(-1)
    add = parts.network.add_deconvolution_nd if kind == "deconvolution" else parts.network.add_convolution_nd
    layer = add(x, 4, (3, 3), kernel, np.float32([0, 1, 2, 3]))
    layer.num_groups, layer.dilation_nd, layer.pre_padding, layer.post_padding = int(groups), (2, 1), (2, 0), (1, 1)
    parts.mark(layer.get_output(0))
    return parts.run({"x": values})


each("dilated", ["convolution 1", "convolution 2", "deconvolution 1", "deconvolution 2"], dilated)
