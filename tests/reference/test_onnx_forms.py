"""Forms of operators that others' models bring: refused in TensorRT 8.6's words, or taken with ONNX Runtime's values.

Words and kinds of errors are those of the importers of onnx-tensorrt 8.6 and of reports about it; forms that TensorRT
reads as something else are taken with ONNX's values and a warning.
"""

import numpy as np
import onnx.parser
import onnxruntime
import pytest
from onnx import numpy_helper
from onnx_table import Recorder

import trtflow.reference as trt
from trtflow.reference.record.onnx.brought_down import bring_down
from trtflow.runtime.session import Session

RANDOM = np.random.default_rng(0)
TYPES = {1: np.float32, 6: np.int32, 7: np.int64, 9: np.bool_, 10: np.float16, 11: np.float64}


def model_of(text, opset=17, **weights):
    """A model from ONNX's own text form, and weights by name."""
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : {opset}]> g {text}')
    model.graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items())
    return model


def parsed(model):
    logger = Recorder()
    builder = trt.Builder(logger)
    parser = trt.OnnxParser(builder.create_network(1), logger)
    taken = parser.parse(model.SerializeToString())
    return taken, parser, [text for severity, text in logger.told if severity == trt.Logger.WARNING]


def feeds_of(model):
    """Random feeds; sizes with a name are 3."""
    feeds = {}
    for value in model.graph.input:
        tensor = value.type.tensor_type
        shape = [dim.dim_value or 3 for dim in tensor.shape.dim]
        feeds[value.name] = (RANDOM.normal(size=shape) * 3).astype(TYPES[tensor.elem_type])
    return feeds


def check_values(model, like=None):
    """Run a model here, and it or another in ONNX Runtime, on the same feeds."""
    feeds = feeds_of(model)
    taken, parser, _ = parsed(model)
    wanted = onnxruntime.InferenceSession((like or model).SerializeToString()).run(None, feeds)
    assert taken, parser.get_error(0)
    network, builder = parser.network, trt.Builder(trt.Logger(trt.Logger.INTERNAL_ERROR))
    config, profile = builder.create_builder_config(), builder.create_optimization_profile()
    for name, array in feeds.items():
        profile.set_shape(name, *[array.shape] * 3)
    config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(network, config)
    with Session(trt, trt.Runtime(builder.logger).deserialize_cuda_engine(plan)) as session:
        found = session.run(feeds)
        for value, array in zip(model.graph.output, wanted, strict=True):
            np.testing.assert_allclose(found[value.name], array, rtol=1e-4, atol=1e-5)


F, X, IMAGE = (
    "(float[4] x) => (float[4] y)",
    "(float[N,4] x) => (float[A,B] y)",
    "(float[1,2,5,5] x) => (float[1,3,A,B] y)",
)
ONES = np.ones((3, 2, 3, 3), np.float32)
REFUSED = {
    "Einsum in capitals": (
        '(float[2,3] x) => (float[3] y) { y = Einsum<equation="Ij->j">(x) }',
        {},
        ("INVALID_NODE", "Invalid character(s) in Einsum equation: I"),
    ),
    "Einsum that stretches": (
        '(float[1,3] x, float[2,3] z) => (float[3] y) { y = Einsum<equation="ij,ij->j">(x, z) }',
        {},
        ("UNSUPPORTED_NODE", "Input layer is null."),
    ),
    "more than the best 3840": (
        "(float[1,5000] x) => (float[1,A] y, int64[1,A] z) <int64[1] k={4000}> { y, z = TopK(x, k) }",
        {},
        ("INVALID_NODE", "K exceeds the maximum value allowed (3840)"),
    ),
    "a kernel_shape that is not that of the weights": (
        f"{IMAGE} {{ y = Conv<kernel_shape=[2,2]>(x, w) }}",
        {"w": ONES},
        ("UNSUPPORTED_NODE", "The size of spatial dimension and the size of kernel shape are not equal"),
    ),
    "a bias of two dimensions": (
        f"{IMAGE} {{ y = Conv(x, w, b) }}",
        {"w": ONES, "b": np.ones((1, 3), np.float32)},
        ("INVALID_NODE", "The bias tensor is required to be 1D."),
    ),
    "a bias of other channels": (
        f"{IMAGE} {{ y = Conv(x, w, b) }}",
        {"w": ONES, "b": np.ones(4, np.float32)},
        ("INVALID_NODE", "The shape of the bias tensor misaligns with the weight tensor."),
    ),
    "a deconvolution's bias of other channels": (
        f"{IMAGE} {{ y = ConvTranspose(x, w, b) }}",
        {"w": ONES.swapaxes(0, 1), "b": np.ones(2, np.float32)},
        ("INVALID_NODE", "The shape of the bias tensor does not align with the shape of the output."),
    ),
    "weights that a node computes, and no kernel_shape": (
        f"{IMAGE} <int64[4] s={{3,2,3,3}}> {{ r = Reshape(w, s) y = Conv(x, r) }}",
        {"w": ONES.reshape(3, 18)},
        ("UNSUPPORTED_NODE", "The input tensor shape misaligns with the input kernel shape."),
    ),
    "updates larger than the data": (
        "(float[2,2] x, float[3,2] u) => (float[2,2] y) { y = ScatterElements(x, i, u) }",
        {"i": np.zeros((3, 2), np.int64)},
        ("UNSUPPORTED_NODE", "Indices dimensions must be less than data dimensions!"),
    ),
    "an activation of LSTM that TensorRT has not": (
        "(float[L,N,3] x) => (float[L,1,N,2] y) "
        '{ y = LSTM<hidden_size=2, activations=["Affine","Tanh","Tanh"]>(x, w, r) }',
        {"w": np.ones((1, 8, 3), np.float32), "r": np.ones((1, 8, 2), np.float32)},
        ("INVALID_NODE", "Unknown activation type: Affine"),
    ),
    "other alphas on the way back": (
        '(float[L,N,3] x) => (float[L,2,N,2] y) { y = GRU<hidden_size=2, direction="bidirectional", '
        'activations=["LeakyRelu","Tanh","LeakyRelu","Tanh"], activation_alpha=[0.1, 0.2]>(x, w, r) }',
        {"w": np.ones((2, 6, 3), np.float32), "r": np.ones((2, 6, 2), np.float32)},
        ("UNSUPPORTED_NODE", "alphas for the reverse pass of the GRU do not match the forward pass."),
    ),
    "random numbers in double": (
        "(float[4] x) => (double[4] y) { y = RandomUniformLike<dtype=11>(x) }",
        {},
        ("INVALID_VALUE", "Unsupported data type"),
    ),
    "regions of five numbers": (
        "(float[1,2,8,8] x, float[2,5] r, int64[2] i) => (float[2,2,1,1] y) { y = RoiAlign(x, r, i) }",
        {},
        ("UNSUPPORTED_NODE", "Found incorrect dimensions for ROIs input!"),
    ),
    "blocks of three dimensions": (
        "(float[4,2,2] x) => (float[1,4,4] y) { y = DepthToSpace<blocksize=2>(x) }",
        {},
        ("UNSUPPORTED_NODE", "The input tensor must be in NCHW format."),
    ),
    "an operand of a type that ONNX has the operator not for": (
        "(int32[2,2] x) => (int32[2,2] y) { y = Mean(x) }",
        {},
        ("INVALID_NODE", "Invalid Node - "),
    ),
    "branches of other shapes": (
        "(float[4] x, bool c) => (float[K] y) { y = If<then_branch = t () => (float[4] a) { a = Neg(x) }, "
        "else_branch = e () => (float[8] b) { b = Concat<axis=0>(x, x) }>(c) }",
        {},
        ("INVALID_NODE", "IIfConditionalOutputLayer inputs must have the same shape. Shapes are [4] and [8]"),
    ),
    "a state that grows": (
        "(float[1] x) => (float[K] y) <int64 n={3}, bool c={1}> { y = Loop<body = b (int64 i, bool ci, float[J] s) => "
        "(bool co, float[L] so) { co = Identity(ci) so = Concat<axis=0>(s, s) }>(n, c, x) }",
        {},
        ("INVALID_NODE", "IRecurrenceLayer have different dimensions. First input has dimensions [1] and second"),
    ),
    "a refused form in a loop": (
        "(int32[4] x) => (int32[4] y) <int64 n={3}, bool c={1}> { y = Loop<body = b (int64 i, bool ci, int32[4] s) => "
        "(bool co, int32[4] so) { co = Identity(ci) so = Relu(s) }>(n, c, x) }",
        {},
        ("UNSUPPORTED_NODE", "Found invalid input type of INT32"),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_tensorrts_words(name):
    text, weights, (code, words) = REFUSED[name]
    taken, parser, _ = parsed(model_of(text, **weights))
    assert not taken
    error = parser.get_error(0)
    assert words in error.desc()
    assert error.code().name == code
    assert error.node() == len(model_of(text, **weights).graph.node) - 1


def test_upsampling_by_cubes_is_refused():
    taken, parser, _ = parsed(
        model_of(
            '(float[1,1,2,2] x) => (float[1,1,4,4] y) { y = Upsample<mode="cubic">(x, s) }',
            9,
            s=np.float32([1, 1, 2, 2]),
        )
    )
    assert not taken
    assert "can only be nearest, linear, or bilinear" in parser.get_error(0).desc()


WARNED = {
    "a whole number of a Constant": (
        "(int64[4] x) => (int64[4] y) { c = Constant<value_int=3>() y = Add(x, c) }",
        17,
        "reads value_int of 'c' (Constant) as 0",
    ),
    "no axes to sum along": (f"{X} {{ y = ReduceSum<noop_with_empty_axes=1>(x) }}", 17, "ignores noop_with_empty_axes"),
    "odd powers of negative numbers": (
        "(float[1,2,3,3] x) => (float[1,2,1,1] y) { y = GlobalLpPool<p=3>(x) }",
        17,
        "takes powers of the elements",
    ),
    "the largest of whole numbers": (
        "(int64[3,4] x) => (int64[3,1] y) { y = ArgMax<axis=1>(x) }",
        17,
        "of INT32 in FLOAT",
    ),
}


LATER = {
    "parts of unlike sizes": (
        "(float[N,7] x) => (float[N,4] y, float[N,3] z) { y, z = Split<axis=1, num_outputs=2>(x) }",
        18,
        "ignores num_outputs",
    ),
    "axes of Pad": (
        "(float[2,3] x) => (float[2,5] y) <int64[2] p={1,1}, int64[1] a={1}> { y = Pad(x, p, , a) }",
        18,
        "refuses axes of Pad",
    ),
    "axes of Resize": (
        "(float[1,1,4,4] x) => (float[1,1,8,8] y) <float[2] s={2,2}> { y = Resize<axes=[2,3]>(x, , s) }",
        18,
        "ignores axes of Resize",
    ),
    "a name of opset 20": (
        '(float[1,1,4,4] x, float[1,3,3,2] g) => (float[1,1,3,3] y) { y = GridSample<mode="linear">(x, g) }',
        20,
        "takes the nearest",
    ),
    "an operator of opset 20": (f"{F} {{ y = Gelu(x) }}", 20, "Plugin not found"),
    "a crop around the middle": (
        "(float[2,3,8] x) => (float[A,B,C] y) <int64[2] s={2,4}> { y = CenterCropPad<axes=[1,2]>(x, s) }",
        18,
        "Plugin not found",
    ),
    "a mean of squares": (
        "(float[2,4] x, float[4] s) => (float[2,4] y) { y = RMSNormalization(x, s) }",
        23,
        "Plugin not",
    ),
    "an attention": ("(float[1,2,3,4] x) => (float[1,2,3,4] y) { y = Attention(x, x, x) }", 23, "Plugin not found"),
    "a default": (f"{F} {{ a = Swish(x) y = Swish(a) }}", 24, "Plugin not found"),
}


@pytest.mark.parametrize("beyond", [False, True])
@pytest.mark.parametrize("name", LATER)
def test_later_forms_that_tensorrt_takes_for_others_are_taken_with_a_warning_and_brought_down(
    name, beyond, monkeypatch
):
    text, opset, words = LATER[name]
    monkeypatch.setattr(trt.OnnxParser, "beyond_tensorrt", beyond)
    model = model_of(text, opset)
    taken, parser, warnings = parsed(model)
    assert taken, parser.get_error(0)
    assert any(words in warning and "bring it down" in warning for warning in warnings), warnings
    check_values(model)
    check_values(bring_down(model), model)


@pytest.mark.parametrize("name", WARNED)
def test_taken_as_onnx_means_it_with_a_warning(name):
    text, opset, words = WARNED[name]
    model = model_of(text, opset)
    taken, parser, warnings = parsed(model)
    assert taken, parser.get_error(0)
    assert any(words in warning for warning in warnings), warnings
    check_values(model)


CONSTANTS = {
    "the mask of an attention": (
        "c = Where(m, w, z) y = Add(x, c)",
        {"w": np.float32(-3.4028235e38), "z": np.float32(0)},
    ),
    "a large number": ("c = Neg(w) y = Max(x, c)", {"w": np.float32([3.4e38, 1e20, 2**25 + 2, 5])}),
    "the upper half of a mask": (
        "s = Shape(x) e = ConstantOfShape<value = float[1] {-inf}>(s) m2 = Where(m, e, z) y = Add(x, m2)",
        {"z": np.float32(0)},
    ),
    "a negative nought": ("c = Neg(w) r = Reciprocal(c) y = Max(x, r)", {"w": np.float32(0)}),
    "a product that float32 has not": ("c = Mul(w, w) y = Add(x, c)", {"w": np.float32(1e30)}),
    "a remainder of the dividend's sign": (
        "c = Mod<fmod=1>(w, v) d = Cast<to=1>(c) y = Add(x, d)",
        {"w": np.int64(-7), "v": np.int64(3)},
    ),
    "a sum beyond the type": ("c = Add(w, w) d = Cast<to=1>(c) y = Add(x, d)", {"w": np.int32(2**31 - 1)}),
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_are_folded_to_what_onnx_runtime_has(name):
    nodes, weights = CONSTANTS[name]
    check_values(model_of(f"{F} {{ {nodes} }}", m=np.array([True, False, True, False]), **weights))


def test_steps_may_have_the_type_that_opset_21_gives_them():
    text = "(float[4] x) => (int8[4] y) <float s={0.1}> { y = QuantizeLinear<output_dtype=3>(x, s) }"
    taken, parser, warnings = parsed(model_of(text, 21))
    assert taken, parser.get_error(0)
    assert any("passes over output_dtype" in warning for warning in warnings)
    taken, parser, warnings = parsed(bring_down(model_of(text, 21)))
    assert taken, parser.get_error(0)
    assert not any("zero point" in text for text in warnings)
    in_blocks = "{ y = QuantizeLinear<axis=0, block_size=2, output_dtype=3>(x, s) }"
    taken, parser, _ = parsed(model_of(f"(float[4] x) => (int8[4] y) <float[2] s={{0.1,0.2}}> {in_blocks}", 21))
    assert not taken
    assert "block_size, which opset 17 does not know" in parser.get_error(0).desc()


def test_a_branch_that_is_not_chosen_is_not_read():
    """As in TensorRT: where the condition is constant the other branch may hold what is refused."""
    text = (
        "(float[4] x) => (float[4] y) <bool c={0}> { y = If<then_branch = t () => (float[4] a) { a = Hardmax(x) }, "
        "else_branch = e () => (float[4] b) { b = Neg(x) }>(c) }"
    )
    check_values(model_of(text))


LOOP = "<int64 n={2}, bool c={1}> { y = Loop<body = b (int64 i, bool ci, float[M,4] s) => (bool co, float[M,4] so)"
TAKEN = {
    "a state of a dynamic batch": (
        f"(float[N,4] x) => (float[N,4] y) {LOOP} {{ co = Identity(ci) so = Add(s, x) }}>(n, c, x) }}",
        {},
    ),
    "sizes that a loop makes of its state": (
        f"(float[N,4] x) => (float[N,4] y) {LOOP} "
        "{ co = Identity(ci) t = Shape(s) z = ConstantOfShape<value = float[1] {1}>(t) so = Add(s, z) }>(n, c, x) }",
        {},
    ),
    "a loop in a loop": (
        f"(float[3,4] x) => (float[3,4] y) {LOOP} {{ co = Identity(ci) "
        "so = Loop<body = d (int64 j, bool cj, float[3,4] t) => (bool cp, float[3,4] to) "
        "{ cp = Identity(cj) to = Add(t, x) }>(n, c, s) }>(n, c, x) }",
        {},
    ),
    "rows with padding and strides": (
        "(float[N,4,9] x) => (float[N,6,A] y) { y = Conv<strides=[2], pads=[1,2], dilations=[2]>(x, w, b) }",
        {"w": RANDOM.normal(size=(6, 4, 3)).astype(np.float32), "b": np.arange(6, dtype=np.float32)},
    ),
    "rows of a length that is not known": (
        '(float[N,4,L] x) => (float[N,8,A] y) { y = Conv<group=2, auto_pad="VALID">(x, w) }',
        {"w": RANDOM.normal(size=(8, 2, 3)).astype(np.float32)},
    ),
    "scales by which float32 rounds up to a size": (
        '(float[1,2,7,5] x) => (float[A,B,C,D] y) { y = Resize<mode="linear">(x, , s) }',
        {"s": np.float32([1, 1, 0.6, 1.4])},
    ),
    "such scales of a dynamic batch": (
        '(float[N,4,5,3] x) => (float[N,9,7,3] y) { t = Transpose<perm=[0,3,1,2]>(x) r = Resize<mode="linear">(t, , s) '
        "y = Transpose<perm=[0,2,3,1]>(r) }",
        {"s": np.float32([1, 1, 2.25, 1.4])},
    ),
    "such scales of sizes that are not known": (
        "(float[1,2,H,5] x) => (float[1,2,C,D] y) { y = Resize(x, , s) }",
        {"s": np.float32([1, 1, 1.7, 1.4])},
    ),
    "weights of double precision": (
        "(double[2,4] x) => (double[2,3] y) { y = Gemm<transB=1>(x, w, b) }",
        {"w": RANDOM.normal(size=(3, 4)), "b": RANDOM.normal(size=3)},
    ),
    "a scale of double precision": (
        "(double[1,3,4,4] x) => (double[1,3,4,4] y) { y = BatchNormalization(x, m, m, m, m) }",
        {"m": np.float64([1, 2, 3])},
    ),
}


@pytest.mark.parametrize("name", TAKEN)
def test_taken_with_the_values_of_onnx_runtime(name):
    text, weights = TAKEN[name]
    check_values(model_of(text, **weights))


def test_an_attribute_that_the_operator_has_not_is_passed_over():
    """TensorRT takes an operator in models of any opset; the checker does not look at one that is newer."""
    text = '(float[2,5,8] x) => (float[2,5,8] y) {{ y = Einsum<{}equation="bld,de->ble">(x, w) }}'
    weights = RANDOM.normal(size=(8, 8)).astype(np.float32)
    model = model_of(text.format("N=2, "), 11, w=weights)
    _, _, warnings = parsed(model)
    assert any("passes over 'N', which is no attribute of it" in text for text in warnings)
    check_values(model, like=model_of(text.format(""), w=weights))


def test_rows_are_a_convolution_whose_kernel_has_the_models_name():
    text, weights = TAKEN["rows with padding and strides"]
    _, parser, _ = parsed(model_of(text, **weights))
    layers = {layer.type: layer for layer in parser.network}
    assert trt.LayerType.CONVOLUTION in layers
    assert layers[trt.LayerType.CONVOLUTION].held("kernel").name == "w"
