"""TensorFlow to UFF: what each operation becomes."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_graphs import constant, v1
from uff_conversions import FLOAT, INT, convert, picture

from trtflow.formats import UserError


def pool(kind, **options):
    return lambda: getattr(v1.nn, kind)(picture(), (3, 2), (2, 1), "SAME", name="out", **options)


def with_axis(function, axis):
    return lambda: function(picture(), axis=axis, name="out")


POOL = {"kernel": [3, 2], "strides": [2, 1], "implicit_padding": "same", "inputs_orders": "orders_N+C"}
GATHER = {"indices_dtype": INT, "params_dtype": FLOAT}
CASES = {
    "max_pool": (pool("max_pool"), "Pool", {"func": "max", **POOL}),
    "avg_pool": (pool("avg_pool"), "Pool", {"func": "avg", **POOL}),
    "relu6": (lambda: tf.nn.relu6(picture(), name="out"), "Activation", {"func": "relu6"}),
    "leaky_relu": (
        lambda: tf.nn.leaky_relu(picture(), 0.25, name="out"),
        "LeakyRelu",
        {"alpha": 0.25},
    ),
    "arg_max": (with_axis(tf.argmax, -1), "ArgMax", {"axis": 3}),
    "arg_min": (with_axis(tf.argmin, 1), "ArgMin", {"axis": 1}),
    "expand_dims": (with_axis(tf.expand_dims, -1), "ExpandDims", {"axis": 4}),
    "mean": (with_axis(tf.reduce_mean, (1, 2)), "Reduce", {"func": "mean", "axes": [1, 2], "keepdims": False}),
    "sum": (with_axis(v1.reduce_sum, -1), "Reduce", {"func": "sum", "axes": [3], "keepdims": False}),
    "prod": (with_axis(tf.reduce_prod, 1), "Reduce", {"func": "prod", "axes": [1], "keepdims": False}),
    "reduce_max": (
        lambda: tf.reduce_max(picture(), 2, keepdims=True, name="out"),
        "Reduce",
        {"func": "max", "axes": [2], "keepdims": True},
    ),
    "reduce_min": (with_axis(tf.reduce_min, 2), "Reduce", {"func": "min", "axes": [2], "keepdims": False}),
    "concat": (lambda: tf.concat([picture(), picture(name="more")], -1, name="out"), "Concat", {"axis": 3}),
    "old_concat": (
        lambda: tf.raw_ops.Concat(concat_dim=1, values=[picture(), picture(name="more")], name="out"),
        "Concat",
        {"axis": 1},
    ),
    "stack": (lambda: tf.stack([picture(), picture(name="more")], -1, name="out"), "Stack", {"axis": 4}),
    "transpose": (
        lambda: tf.transpose(picture(), (0, 3, 1, 2), name="out"),
        "Transpose",
        {"permutation": [0, 3, 1, 2]},
    ),
    "squeeze": (lambda: tf.squeeze(picture(None, 1, 1, 4), (1, -2), name="out"), "Squeeze", {"axes": [1, 2]}),
    "pad": (lambda: tf.pad(picture(), [(0, 0), (1, 2), (3, 0), (0, 0)], name="out"), "Pad", {}),
    "softmax_matrix": (
        lambda: tf.nn.softmax(picture(None, 10), name="out"),
        "Softmax",
        {"axis": 1, "inputs_orders": "orders_NC+"},
    ),
    "softmax_picture": (
        lambda: tf.nn.softmax(picture(), name="out"),
        "Softmax",
        {"axis": 3, "inputs_orders": "orders_N+C"},
    ),
    "gather": (
        lambda: tf.raw_ops.Gather(params=constant("table", 6, 2), indices=picture(None, 1, dtype=tf.int32), name="out"),
        "Gather",
        {**GATHER, "validate_indices": True},
    ),
    "gather_v2": (
        lambda: tf.gather(constant("table", 6, 2), picture(None, 1, dtype=tf.int32), axis=0, name="out"),
        "GatherV2",
        {**GATHER, "axis": 0},
    ),
    "strided_slice": (
        lambda: tf.raw_ops.StridedSlice(
            input=picture(),
            begin=[0, 1],
            end=[0, 3],
            strides=[1, 1],
            begin_mask=1,
            end_mask=1,
            shrink_axis_mask=2,
            name="out",
        ),
        "StridedSlice",
        {"begin_mask": 1, "end_mask": 1, "shrink_axis_mask": 2},
    ),
    "shape": (lambda: tf.shape(picture(), name="out"), "Shape", {}),
    "cast_of_a_picture": (lambda: tf.cast(picture(dtype=tf.uint8), tf.float32, name="out"), "Identity", {}),
    "stop_gradient": (lambda: tf.stop_gradient(picture(), name="out"), "Identity", {}),
}
BINARY = {
    "add": [tf.raw_ops.Add, tf.raw_ops.AddV2],
    "sub": [tf.raw_ops.Sub],
    "mul": [tf.raw_ops.Mul],
    "div": [tf.raw_ops.Div, tf.raw_ops.RealDiv],
    "pow": [tf.raw_ops.Pow],
}
UNARY = [
    *("Neg", "Exp", "Log", "Abs", "Sqrt", "Rsqrt", "Square", "Ceil", "Floor"),
    *("Sin", "Cos", "Tan", "Sinh", "Cosh", "Asin", "Acos", "Atan", "Asinh", "Acosh", "Atanh"),
]
EXTREMA = {"min": tf.raw_ops.Minimum, "max": tf.raw_ops.Maximum}
ACTIVATIONS = ["Relu", "Sigmoid", "Tanh", "Elu", "Selu", "Softsign", "Softplus"]


@pytest.mark.parametrize("case", CASES)
def test_operation(case):
    build, operation, fields = CASES[case]
    uff = convert(build, strict=True)
    assert uff.nodes["out"].operation == operation
    assert uff.fields("out") == fields
    assert uff.nodes["out"].inputs[0] in ("in", "table")


@pytest.mark.parametrize("func", EXTREMA)
def test_extremum_of_tensors_and_with_a_constant(func):
    uff = convert(lambda: EXTREMA[func](x=picture(), y=tf.negative(picture()), name="out"), strict=True)
    assert (uff.nodes["out"].operation, uff.fields("out")) == ("Binary", {"func": func})
    uff = convert(lambda: EXTREMA[func](x=picture(), y=constant("c", 4), name="out"), strict=True)
    functions = [fields["func"] for fields in map(uff.fields, uff.nodes) if "func" in fields]
    assert functions == {"max": ["add", "relu", "sub"], "min": ["add", "neg", "relu", "add", "neg"]}[func]


@pytest.mark.parametrize(("func", "operation"), [(key, item) for key, items in BINARY.items() for item in items])
def test_binary(func, operation):
    uff = convert(lambda: operation(x=picture(), y=constant("c", 4), name="out"), strict=True)
    assert (uff.nodes["out"].operation, uff.fields("out")) == ("Binary", {"func": func})
    assert list(uff.nodes["out"].inputs) == ["in", "c"]


@pytest.mark.parametrize("name", [*UNARY, *ACTIVATIONS])
def test_function_of_one_number(name):
    raw = getattr(tf.raw_ops, name)
    key = next(key for key in ("x", "features") if key in raw.__signature__.parameters)
    uff = convert(lambda: raw(**{key: picture()}, name="out"), strict=True)
    assert uff.nodes["out"].operation == ("Unary" if name in UNARY else "Activation")
    assert uff.fields("out") == {"func": name.lower()}


def test_convolutions():
    def build():
        data = picture()
        same = v1.nn.conv2d(data, constant("a", 3, 3, 4, 6), 2, "SAME", name="same")
        dilated = v1.nn.conv2d(data, constant("b", 3, 3, 4, 6), 1, "VALID", dilations=2, name="dilated")
        explicit = v1.nn.conv2d(data, constant("c", 3, 3, 4, 6), 1, [(0, 0), (1, 1), (2, 2), (0, 0)], name="explicit")
        first = tf.transpose(data, (0, 3, 1, 2))
        v1.nn.conv2d(first, constant("d", 3, 3, 4, 6), (1, 1, 2, 3), "VALID", data_format="NCHW", name="first")
        return same, dilated, explicit

    uff = convert(build, ["same", "dilated", "explicit", "first"])
    common = {"dilation": [1, 1], "inputs_orders": "orders_N+C_+CK"}
    assert uff.fields("same") == {**common, "strides": [2, 2], "implicit_padding": "same"}
    assert uff.fields("dilated") == {**common, "strides": [1, 1], "dilation": [2, 2]}
    assert uff.fields("explicit") == {**common, "strides": [1, 1], "padding": [1, 2]}
    assert uff.fields("first") == {**common, "strides": [2, 3], "inputs_orders": "orders_NC+_+CK"}
    assert [node for node in uff.nodes if node.startswith("MarkOutput")] == [f"MarkOutput_{i}" for i in range(4)]


@pytest.mark.parametrize(
    ("amounts", "mode", "fused"),
    [
        ([(0, 0), (1, 1), (2, 2), (0, 0)], "VALID", True),
        ([(0, 0), (0, 1), (2, 2), (0, 0)], "VALID", False),
        ([(0, 0), (1, 1), (2, 2), (1, 1)], "VALID", False),
        ([(0, 0), (1, 1), (2, 2), (0, 0)], "SAME", False),
    ],
)
def test_pad_before_a_convolution(amounts, mode, fused):
    channels = 4 + sum(amounts[3])
    build = lambda: v1.nn.conv2d(tf.pad(picture(), amounts), constant("w", 3, 3, channels, 6), 1, mode, name="out")  # noqa: E731
    uff = convert(build)
    assert uff.nodes["out"].inputs[0] == ("in" if fused else "Pad")
    assert uff.fields("out").get("padding") == ([1, 2] if fused else None)
    assert ("Pad" in uff.nodes) is not fused


@pytest.mark.parametrize("multiplier", [1, 2])
def test_depthwise_convolution(multiplier):
    def build():
        kernel = constant("w", 3, 3, 4, multiplier)
        tf.raw_ops.DepthwiseConv2dNative(
            input=picture(), filter=kernel, strides=[1, 2, 2, 1], padding="SAME", name="out"
        )

    uff = convert(build)
    assert uff.nodes["out"].operation == "Conv"
    assert uff.fields("out")["number_groups"] == 4
    kernel = uff.array(uff.nodes["out"].inputs[1])
    assert kernel.shape == (3, 3, 4, multiplier)


def test_transposed_convolution_with_an_open_batch():
    def build():
        data = picture()
        shape = tf.stack([tf.shape(data)[0], 16, 16, 6])
        tf.nn.conv2d_transpose(data, constant("w", 3, 3, 6, 4), shape, 2, "SAME", name="out")

    uff = convert(build, strict=True)
    assert uff.nodes["out"].operation == "ConvTranspose"
    assert list(uff.nodes["out"].inputs)[:2] == ["in", "w"]
    assert uff.fields("out")["inputs_orders"] == "orders_N+C_+KC"  # the kernel is height, width, out, in
    np.testing.assert_array_equal(uff.array(uff.nodes["out"].inputs[2]), [-1, 16, 16, 6])
    assert not {node.operation for node in uff.nodes.values()} & {"Shape", "StridedSlice", "Stack"}


def test_matrix_products():
    def build():
        data = picture(None, 4)
        tf.matmul(data, constant("a", 4, 3), name="plain")
        tf.matmul(data, constant("b", 3, 4), transpose_b=True, name="turned")

    uff = convert(build, ["plain", "turned"])
    assert uff.fields("plain") == {"inputs_orders": "orders_NC_CK"}
    assert uff.fields("turned") == {"inputs_orders": "orders_NC_KC"}


def test_bias_along_channels():
    def build():
        tf.nn.bias_add(picture(name="last"), constant("b", 4), name="behind")
        tf.nn.bias_add(picture(None, 4, 8, 8, name="first"), constant("c", 4), data_format="NCHW", name="before")

    uff = convert(build, ["behind", "before"])
    assert uff.array(uff.nodes["behind"].inputs[1]).shape == (4,)
    assert uff.array(uff.nodes["before"].inputs[1]).shape == (4, 1, 1)


def test_lrn_in_tensorrts_terms():
    build = lambda: tf.raw_ops.LRN(input=picture(), depth_radius=2, bias=2.0, alpha=0.5, beta=0.75, name="out")  # noqa: E731
    fields = convert(build).fields("out")
    assert (fields["window_size"], fields["alpha"], fields["beta"], fields["k"]) == (5, 2.5, 0.75, 2.0)


@pytest.mark.parametrize("version", ["", "V2", "V3"])
def test_batch_norm(version):
    def build():
        moments = {key: constant(key, 4) for key in ("scale", "offset", "mean", "variance")}
        operation = getattr(tf.raw_ops, f"FusedBatchNorm{version}")
        tf.identity(operation(x=picture(), **moments, epsilon=0.001, is_training=False, name="bn")[0], name="out")

    uff = convert(build, ["bn"])
    assert list(uff.nodes["bn"].inputs) == ["in", "scale", "offset", "mean", "variance"]
    assert uff.fields("bn") == {"epsilon": pytest.approx(0.001), "inputs_orders": "orders_N+C"}


def test_batch_norm_in_training_is_refused():
    def build():
        tf.raw_ops.FusedBatchNormV3(
            x=picture(), scale=[1.0] * 4, offset=[0.0] * 4, mean=[0.0] * 4, variance=[1.0] * 4, name="out"
        )

    with pytest.raises(UserError, match="node 'out'.*in training mode"):
        convert(build)


def test_operations_that_become_several():
    def build():
        data = picture(None, 4)
        tf.math.squared_difference(data, constant("c", 4), name="sd")
        tf.nn.log_softmax(data, name="ls")
        tf.math.reciprocal(data, name="rc")

    uff = convert(build, ["sd", "ls", "rc"], strict=True)
    chain = {name: (node.operation, uff.fields(name).get("func")) for name, node in uff.nodes.items()}
    assert (chain["sd"], chain["sd/difference"]) == (("Unary", "square"), ("Binary", "sub"))
    assert (chain["ls"], chain["ls/softmax"]) == (("Unary", "log"), ("Softmax", None))
    assert chain["rc"] == ("Binary", "pow")
    np.testing.assert_array_equal(uff.array("rc/exponent"), [-1])


@pytest.mark.parametrize(
    ("name", "shape", "becomes"),
    [
        ("flatten/Reshape", (-1, 256), "Flatten"),
        ("net/Flatten_1/Reshape", (-1, 256), "Flatten"),
        ("unflatten/Reshape", (-1, 2, 128), "Reshape"),
        ("flatten_rows/Reshape", (-1, 4), "Reshape"),  # rows of a picture, not pictures
        ("predictions/Reshape", (-1, 256), "Reshape"),
    ],
)
def test_reshape_or_flatten(name, shape, becomes):
    assert convert(lambda: tf.reshape(picture(), shape, name=name), [name]).nodes[name].operation == becomes


def test_flatten_of_tensorflow_1_and_keras():
    def build():
        data = picture()
        with tf.name_scope("flatten"):
            tf.reshape(data, tf.stack([tf.shape(data)[0], -1]), name="Reshape")
        tf.reshape(data, tf.stack([tf.shape(data)[0], 64, 4]), name="keras_reshape")

    uff = convert(build, ["flatten/Reshape", "keras_reshape"], strict=True)
    assert uff.nodes["flatten/Reshape"].operation == "Flatten"
    np.testing.assert_array_equal(uff.array(uff.nodes["keras_reshape"].inputs[1]), [-1, 64, 4])
    assert not {node.operation for node in uff.nodes.values()} & {"Shape", "Stack", "StridedSlice"}


def test_shape_that_no_one_knows():
    def build():
        data = v1.placeholder(tf.float32, None, name="in")
        tf.reshape(data, tf.shape(data)[1:], name="out")

    with pytest.raises(UserError, match=r"node 'out' \(Reshape\): its shape, '.*', is not constant"):
        convert(build)
