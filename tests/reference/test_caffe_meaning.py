"""Layers as Caffe means them, against OpenCV's DNN; where TensorRT's parser means the same, that too."""

import re

import cv2
import numpy as np
import pytest
from caffe_weights import random_weights
from google.protobuf import text_format

import trtflow.reference as trt
from trtflow.formats import FormatError, UserError
from trtflow.formats.caffe import NetParameter, array_to_blob, blob_to_array, write_caffemodel, write_prototxt
from trtflow.runtime.build import build_plan
from trtflow.runtime.session import Session

HEAD = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 4 dim: 9 dim: 11 } } }\n'
CONV = 'layer { name: "a" type: "Convolution" bottom: "data" top: "a" convolution_param { num_output: 6 %s } }\n'


def layer(kind, fields="", bottoms=("data",), tops=("out",)):
    """Return a layer as text."""
    names = " ".join([*(f'bottom: "{name}"' for name in bottoms), *(f'top: "{name}"' for name in tops)])
    return f'layer {{ name: "{tops[0]}" type: "{kind}" {names} {fields} }}\n'


BOTH = {
    "convolution": layer("Convolution", "convolution_param { num_output: 6 kernel_size: 3 stride: 2 pad: 1 group: 2 }"),
    "convolution of unlike sides": layer(
        "Convolution",
        "convolution_param { num_output: 6 kernel_h: 3 kernel_w: 2 stride_h: 1 stride_w: 2 pad_h: 1 pad_w: 0 }",
    ),
    "convolution of two sizes": layer(
        "Convolution", "convolution_param { num_output: 2 kernel_size: 3 kernel_size: 2 stride: 1 stride: 3 }"
    ),
    "deconvolution": layer("Deconvolution", "convolution_param { num_output: 6 kernel_size: 4 stride: 2 pad: 1 }"),
    "deconvolution in groups": layer(
        "Deconvolution", "convolution_param { num_output: 4 group: 4 kernel_size: 4 stride: 2 pad: 1 bias_term: false }"
    ),
    "deconvolution of unlike sides": layer(
        "Deconvolution", "convolution_param { num_output: 2 kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 1 }"
    ),
    "maximum rounded up": layer("Pooling", "pooling_param { kernel_size: 2 stride: 2 }"),
    "mean with padding": layer("Pooling", "pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }"),
    "global mean": layer("Pooling", "pooling_param { pool: AVE global_pooling: true }"),
    "dilated convolution": layer("Convolution", "convolution_param { num_output: 6 kernel_size: 3 dilation: 2 }"),
    "inner product": layer("InnerProduct", "inner_product_param { num_output: 5 }"),
    "leaky": layer("ReLU", "relu_param { negative_slope: 0.1 }"),
    "elu": layer("ELU"),
    "bnll": layer("BNLL"),
    "absolute": layer("AbsVal"),
    "sigmoid": layer("Sigmoid"),
    "tanh": layer("TanH"),
    "power": layer("Power", "power_param { power: 2 scale: 0.5 shift: 0.1 }"),
    "shared slopes": layer("PReLU", "prelu_param { channel_shared: true }"),
    "lrn": layer("LRN", "lrn_param { local_size: 3 alpha: 0.5 beta: 0.75 }"),
    "batch norm and scale": layer("BatchNorm", tops=("n",)) + layer("Scale", "scale_param { bias_term: true }", ("n",)),
    "softmax": layer("Softmax", "softmax_param { axis: 2 }"),
    "sum of two": layer("Eltwise", "", ("data", "data")),
    "maximum of two": CONV % "kernel_size: 1"
    + layer("TanH", bottoms=("a",), tops=("b",))
    + layer("Eltwise", "eltwise_param { operation: MAX }", ("a", "b")),
    "joined": layer("Concat", "concat_param { axis: 2 }", ("data", "data")),
    "permuted": layer("Permute", "permute_param { order: 0 order: 2 order: 3 order: 1 }"),
    "reshaped": layer("Reshape", "reshape_param { shape { dim: 0 dim: 2 dim: -1 dim: 11 } }"),
    "cropped": CONV % "kernel_size: 3" + layer("Crop", "crop_param { axis: 2 offset: 1 offset: 2 }", ("data", "a")),
    "a dropout": layer("Sigmoid", tops=("a",)) + layer("Dropout", bottoms=("a",)),
}
CAFFES = {
    "slopes by channel": layer("PReLU"),
    "mean clipped": layer("Pooling", "pooling_param { pool: AVE kernel_size: 2 stride: 2 }"),
    "rounded down": layer("Pooling", "pooling_param { kernel_size: 2 stride: 2 ceil_mode: false }"),
    "lrn by its default": layer("LRN", "lrn_param { local_size: 3 alpha: 0.5 }"),
    "lrn within": layer("LRN", "lrn_param { local_size: 3 alpha: 0.5 norm_region: WITHIN_CHANNEL }"),
    "softmax from behind": layer("Softmax", "softmax_param { axis: -1 }"),
    "softmax of a flat blob": layer("Flatten", tops=("f",)) + layer("Softmax", bottoms=("f",)),
    "flat from axis 2": layer("Flatten", "flatten_param { axis: 2 }", tops=("f",))
    + layer("Softmax", "softmax_param { axis: 2 }", ("f",)),
    "sum of three": layer("Eltwise", "", ("data", "data", "data")),
    "difference": CONV % "kernel_size: 1"
    + layer("TanH", bottoms=("a",), tops=("b",))
    + layer("Eltwise", "eltwise_param { coeff: 1 coeff: -0.5 }", ("a", "b")),
    "joined from behind": layer("Concat", "concat_param { axis: -1 }", ("data", "data")),
    "inner product from axis 2": layer("InnerProduct", "inner_product_param { num_output: 5 axis: 2 }"),
    "slices": layer("Slice", "slice_param { slice_point: 1 slice_point: 3 }", tops=("x", "y", "z"))
    + layer("Concat", "", ("z", "y", "x")),
    "split": layer("Split", tops=("x", "y")) + layer("Eltwise", "", ("x", "y")),
    "dropout that scales": layer("Dropout", "dropout_param { dropout_ratio: 0.25 scale_train: false }"),
    "left out in training": layer("Sigmoid", "include { phase: TRAIN }", tops=("x",)) + layer("TanH"),
    "kept in testing": layer("Sigmoid", "exclude { phase: TRAIN }", tops=("x",)) + layer("TanH", bottoms=("x",)),
    "moments of channels": layer("MVN"),
    "channels dealt out": layer("ShuffleChannel", "shuffle_channel_param { group: 2 }"),
    "places as channels": layer("Convolution", "convolution_param { num_output: 8 kernel_size: 2 }", tops=("a",))
    + layer("Reorg", "reorg_param { stride: 2 }", ("a",)),
    "interpolated to a size": layer("Interp", "interp_param { height: 6 width: 23 }"),
    "interpolated by a factor": layer("Interp", "interp_param { zoom_factor: 3 }"),
    "an exponential": layer("Exp", "exp_param { scale: 0.5 shift: 0.1 }"),
    "scale of all axes": layer("Scale", "scale_param { num_axes: -1 bias_term: true }"),
    "flat, multiplied": layer("Flatten", tops=("f",))
    + layer("InnerProduct", "inner_product_param { num_output: 7 }", ("f",), ("g",))
    + layer("ReLU", bottoms=("g",), tops=("g",))
    + layer("InnerProduct", "inner_product_param { num_output: 3 }", ("g",), ("h",))
    + layer("Softmax", "softmax_param { axis: -1 }", ("h",)),
}

# What OpenCV does not read: the layer, and what it is in NumPy, given the input and the first blob of weights
BY_HAND = {
    "sum": (layer("Reduction", "reduction_param { axis: 1 }"), lambda x, w: x.sum((1, 2, 3))),
    "mean": (
        layer("Reduction", "reduction_param { axis: -1 operation: MEAN coeff: 2 }"),
        lambda x, w: 2 * x.mean(3),
    ),
    "sum of squares": (
        layer("Reduction", "reduction_param { axis: 2 operation: SUMSQ }"),
        lambda x, w: (x**2).sum((2, 3)),
    ),
    "sum of magnitudes": (
        layer("Reduction", "reduction_param { axis: 1 operation: ASUM }"),
        lambda x, w: abs(x).sum((1, 2, 3)),
    ),
    "clipped": (layer("Clip", "clip_param { min: -0.2 max: 0.6 }"), lambda x, w: x.clip(-0.2, 0.6)),
    "lrn of another k": (
        layer("LRN", "lrn_param { local_size: 1 alpha: 0.5 beta: 0.75 k: 2 }"),
        lambda x, w: x / (2 + 0.5 * x**2) ** 0.75,
    ),
    "pooled in rows": (
        layer("Pooling", "pooling_param { kernel_size: 1 stride_h: 2 }"),
        lambda x, w: x[:, :, ::2],
    ),
}
BY_HAND_CAFFES = {
    "inner product transposed": (
        layer("InnerProduct", "inner_product_param { num_output: 5 transpose: true bias_term: false }"),
        lambda x, w: x.reshape(1, -1) @ w.reshape(-1, 5),
    ),
    "summands": (layer("Bias", "bias_param { axis: 2 num_axes: 2 }"), lambda x, w: x + w.reshape(9, 11)),
    "a channel's scale by another blob": (
        layer("Reduction", "reduction_param { axis: 2 operation: MEAN }", tops=("m",))
        + layer("Scale", "scale_param { axis: 0 }", ("data", "m")),
        lambda x, w: x * x.mean((2, 3), keepdims=True),
    ),
    "a channel's factor and a summand": (
        layer("Pooling", "pooling_param { pool: AVE global_pooling: true }", tops=("m",))
        + layer("TanH", tops=("t",))
        + layer("Axpy", "", ("m", "data", "t")),
        lambda x, w: x.mean((2, 3), keepdims=True) * x + np.tanh(x),
    ),
    "tiles": (layer("Tile", "tile_param { axis: 2 tiles: 3 }"), lambda x, w: np.tile(x, (1, 1, 3, 1))),
    "logarithm": (
        layer("Log", "log_param { base: 2 shift: 9 }"),
        lambda x, w: np.log2(9 + x),
    ),
    "swish": (layer("Swish", "swish_param { beta: 2 }"), lambda x, w: x / (1 + np.exp(-2 * x))),
    "interpolated by a part": (layer("Interp", "interp_param { shrink_factor: 2 }"), lambda x, w: x[:, :, ::2, ::2]),
    "interpolated there and back": (
        layer("Interp", "interp_param { shrink_factor: 2 zoom_factor: 2 }"),
        lambda x, w: x,
    ),
    "largest of channels": (layer("ArgMax", "argmax_param { axis: 1 }"), lambda x, w: x.argmax(1)),
    "largest of all": (
        layer("ArgMax", "argmax_param { out_max_val: true }"),
        lambda x, w: np.array([x.argmax(), x.max()]),
    ),
    "permuted in part": (layer("Permute", "permute_param { order: 0 order: 2 }"), lambda x, w: x.transpose(0, 2, 1, 3)),
    "deconvolution of two sizes": (
        layer(
            "Deconvolution",
            "convolution_param { num_output: 1 kernel_size: 1 kernel_size: 2 stride: 1 stride: 2 bias_term: false }",
        ),
        lambda x, w: np.einsum("nchw,ck->nhwk", x, w.reshape(4, 2)),
    ),
    "a reshape of one axis": (
        layer("Reshape", "reshape_param { shape { dim: 2 dim: 2 } axis: 1 num_axes: 1 }"),
        lambda x, w: x,
    ),
    "written in place on the input": (
        layer("ReLU", tops=("data",)) + layer("TanH"),
        lambda x, w: np.tanh(np.maximum(x, 0)),
    ),
}


@pytest.fixture
def ask(tmp_path):
    """Return a function: layers as text -> outputs of OpenCV, of Caffe's meaning and of TensorRT's."""

    def ask_all(text, *, tensorrt=True):
        net = text_format.Parse(HEAD + text, NetParameter())
        write_caffemodel(random_weights(net), tmp_path / "net.caffemodel")
        (tmp_path / "net.prototxt").write_text(HEAD + text)
        x = np.random.default_rng(1).normal(size=(1, 4, 9, 11)).astype(np.float32)
        bare = NetParameter()
        bare.CopyFrom(net)  # OpenCV knows no phases
        del bare.layer[:]
        bare.layer.extend(item for item in net.layer if "TRAIN" not in str(item.include))
        write_prototxt(bare, tmp_path / "bare.prototxt")
        other = cv2.dnn.readNetFromCaffe(str(tmp_path / "bare.prototxt"), str(tmp_path / "net.caffemodel"))
        other.setInput(x, "data")
        wanted = other.forward("out")
        return [wanted, *(run(tmp_path, x, as_caffe) for as_caffe in (True, False)[: 1 + tensorrt])]

    return ask_all


def run(folder, x, as_caffe, differ=True):
    """Return the output of a network."""

    def define(trt, network):
        parser = trt.CaffeParser()
        parse = parser.parse_as_caffe if as_caffe else parser.parse
        tensors = parse(str(folder / "net.prototxt"), str(folder / "net.caffemodel"), network, trt.float32)
        network.mark_output(tensors.find("out"))

    engine = trt.Runtime(trt.Logger()).deserialize_cuda_engine(build_plan(trt, define, "fp32", 2))
    batch = np.concatenate([x, 0.7 * x[:, ::-1]])
    found = Session(trt, engine).run({"data": batch})["out"]
    assert not differ or not np.array_equal(found[0], found[1])  # pictures of a batch are apart
    return found[:1]


@pytest.mark.parametrize("name", BOTH)
def test_tensorrt_and_caffe_mean_the_same(ask, name):
    wanted, *found = ask(BOTH[name])
    for values in found:
        np.testing.assert_allclose(values.ravel(), wanted.ravel(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CAFFES)
def test_caffe_means_something_that_tensorrt_does_not(ask, name):
    wanted, found = ask(CAFFES[name], tensorrt=False)
    np.testing.assert_allclose(found.ravel(), wanted.ravel(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "as_caffe"),
    [*((name, flag) for name in BY_HAND for flag in (True, False)), *((name, True) for name in BY_HAND_CAFFES)],
)
def test_layers_that_opencv_does_not_read(tmp_path, name, as_caffe):
    text, expect = {**BY_HAND, **BY_HAND_CAFFES}[name]
    model = random_weights(text_format.Parse(HEAD + text, NetParameter()))
    (tmp_path / "net.prototxt").write_text(HEAD + text)
    write_caffemodel(model, tmp_path / "net.caffemodel")
    x = np.random.default_rng(1).normal(size=(1, 4, 9, 11)).astype(np.float32)
    weights = blob_to_array(model.layer[0].blobs[0]) if model.layer else np.zeros(0)
    wanted = expect(x, weights)
    np.testing.assert_allclose(run(tmp_path, x, as_caffe).ravel(), wanted.ravel(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (layer("Softmax", bottoms=()), "layer 'out': expected 1 bottom blobs, found 0"),
        (layer("Eltwise", "", ("data",)), "1 bottoms and 0 coeff of SUM"),
        (layer("Eltwise", "eltwise_param { operation: PROD coeff: 1 coeff: 2 }", ("data", "data")), "2 coeff of PROD"),
        (layer("Concat", "concat_param { axis: 0 }", ("data", "data")), "concat_param.axis 0 is the batch"),
        (layer("Softmax", "softmax_param { axis: 9 }"), "softmax_param.axis 9 of a blob of 4 axes"),
        (layer("Pooling", "pooling_param { pool: STOCHASTIC kernel_size: 2 }"), "stochastic pooling"),
        (layer("Pooling", "pooling_param { kernel_size: 2 pad: 2 }"), "Caffe takes less padding than window"),
        (layer("Pooling"), "no kernel_size"),
        (layer("Convolution", "convolution_param { num_output: 6 }"), "no kernel_size"),
        (layer("Convolution", "convolution_param { num_output: 6 kernel_size: 1 axis: 2 }"), "convolution_param.axis"),
        (layer("Convolution", "convolution_param { num_output: 6 kernel_size: 1 group: 3 }"), "divide the channels"),
        (layer("BatchNorm", "batch_norm_param { use_global_stats: false }"), "use_global_stats false"),
        (layer("Slice", "slice_param { slice_point: 3 slice_point: 1 }", tops=("x", "y", "out")), "cut at"),
        (layer("Crop", "crop_param { offset: 5 }", ("data", "data")), "It must lie within"),
        (layer("Reshape", "reshape_param { shape { dim: 0 dim: 5 dim: -1 } }"), "the same number of elements"),
        (layer("Reshape", "reshape_param { shape { dim: 2 dim: -1 } }"), "changes the batch"),
        (layer("Permute", "permute_param { order: 1 order: 0 }"), "the batch first"),
        (layer("Scale", "scale_param { axis: 0 }", ("data", "data", "data")), "a second bottom"),
        (layer("Axpy", "", ("data", "data", "data")), r"bottoms of \[4, 9, 11\].*a factor a channel"),
        (layer("Axpy", "", ("data", "data")), "expected 3 bottom blobs, found 2"),
        (layer("ShuffleChannel", "shuffle_channel_param { group: 3 }"), "4 channels in 3 groups"),
        (layer("ShuffleChannel", "shuffle_channel_param { group: 0 }"), "4 channels in 0 groups"),
        (layer("Reorg", "reorg_param { stride: 2 }"), r"a Reorg of stride 2 of \[4, 9, 11\]"),
        (layer("Reorg"), "a Reorg of stride 0"),
        (layer("Interp", "interp_param { height: 5 }"), r"an Interp of \[9, 11\] to \[0, 0\]"),
        (layer("Interp", "interp_param { zoom_factor: 2 pad_beg: -1 }"), "interp_param.pad_beg"),
        (layer("SpatialMagic"), "unknown type 'SpatialMagic'"),
        (layer("TanH", "include { phase: TEST } exclude { phase: TRAIN }"), "include and exclude rules"),
    ],
)
def test_what_caffe_does_not_say_is_refused(tmp_path, text, message):
    (tmp_path / "net.prototxt").write_text(HEAD + text)
    net = NetParameter()
    net.layer.add(name="out").blobs.extend(array_to_blob(np.ones(size)) for size in (4, 4, 1))
    write_caffemodel(net, tmp_path / "net.caffemodel")
    with pytest.raises(UserError, match=message):
        run(tmp_path, np.zeros((1, 4, 9, 11), np.float32), True)


def test_normalisation_by_four_blobs(tmp_path):
    (tmp_path / "net.prototxt").write_text(HEAD + layer("BN", "bn_param { frozen: true eps: 0.5 }"))
    slope, bias, mean, variance = np.random.default_rng(2).uniform(0.5, 2, (4, 1, 4, 1, 1)).astype(np.float32)
    net = NetParameter()
    net.layer.add(name="out").blobs.extend(array_to_blob(values) for values in (slope, bias, mean, variance))
    write_caffemodel(net, tmp_path / "net.caffemodel")
    x = np.random.default_rng(1).normal(size=(1, 4, 9, 11)).astype(np.float32)
    expected = slope * (x - mean) / np.sqrt(variance + 0.5) + bias
    np.testing.assert_allclose(run(tmp_path, x, True), expected, rtol=1e-4, atol=1e-5)
    net.layer[0].blobs[3].data[2] = -1
    write_caffemodel(net, tmp_path / "net.caffemodel")
    with pytest.raises(UserError, match="variance and eps of -0.5 in blob 3"):
        run(tmp_path, x, True)


def test_level_and_stage_decide(tmp_path, ask):
    text = (
        'state { level: 2 stage: "deploy" }\n'
        + layer("Sigmoid", 'include { min_level: 3 } include { not_stage: "deploy" }', tops=("out",))
        + layer("TanH", 'include { stage: "deploy" max_level: 2 }', tops=("out",))
    )
    net = text_format.Parse(HEAD + text, NetParameter())
    (tmp_path / "net.prototxt").write_text(HEAD + text)
    write_caffemodel(random_weights(net), tmp_path / "net.caffemodel")
    x = np.random.default_rng(1).normal(size=(1, 4, 9, 11)).astype(np.float32)
    np.testing.assert_allclose(run(tmp_path, x, True), np.tanh(x), rtol=1e-5)


def test_field_that_tensorrt_ignores_is_in_the_log_with_its_layer(tmp_path, capfd):
    text = layer("InnerProduct", "inner_product_param { num_output: 5 transpose: true }")
    net = text_format.Parse(HEAD + text, NetParameter())
    (tmp_path / "net.prototxt").write_text(HEAD + text)
    write_caffemodel(random_weights(net), tmp_path / "net.caffemodel")
    run(tmp_path, np.random.default_rng(1).normal(size=(1, 4, 9, 11)).astype(np.float32), False)
    assert "layer 'out': TensorRT ignores inner_product_param.transpose" in capfd.readouterr().err


@pytest.mark.parametrize("number", ["0", "-1", "2147483647", "1000000", "-5"])
@pytest.mark.parametrize("name", ["convolution", "deconvolution", "mean with padding", "lrn", "reshaped", "cropped"])
@pytest.mark.parametrize("as_caffe", [True, False])
def test_absurd_numbers_run_or_are_one_line(tmp_path, name, number, as_caffe):
    text = HEAD + BOTH[name]
    write_caffemodel(random_weights(text_format.Parse(text, NetParameter())), tmp_path / "net.caffemodel")
    x = np.random.default_rng(1).normal(size=(1, 4, 9, 11)).astype(np.float32)
    refusals = []
    for found in re.finditer(r"(?<=: )\d+", text):
        (tmp_path / "net.prototxt").write_text(text[: found.start()] + number + text[found.end() :])
        try:
            run(tmp_path, x, as_caffe, differ=False)
        except UserError as error:
            refusals.append(str(error))
    assert refusals
    assert not any("\n" in text for text in refusals)


def test_explicit_batch_is_one_until_it_is_set(tmp_path, capfd):
    (tmp_path / "net.prototxt").write_text(HEAD.replace("dim: 1 dim: 4", "dim: 7 dim: 4") + layer("TanH"))
    write_caffemodel(NetParameter(), tmp_path / "net.caffemodel")
    network = trt.Builder(trt.Logger()).create_network(1)
    paths = [str(tmp_path / f"net.{ending}") for ending in ("prototxt", "caffemodel")]
    tensors = trt.CaffeParser().parse(*paths, network, trt.float32)
    assert tensors.find("out").shape == (1, 4, 9, 11)
    assert "setting batch size to 1" in capfd.readouterr().err


def test_of_two_names_tensorrt_takes_the_last_in_the_order_of_letters(tmp_path):
    text = layer("TanH", tops=("fc6",)) + layer("Dropout", bottoms=("fc6",), tops=("drop6",))
    (tmp_path / "net.prototxt").write_text(HEAD + text)
    write_caffemodel(NetParameter(), tmp_path / "net.caffemodel")
    paths = [str(tmp_path / f"net.{ending}") for ending in ("prototxt", "caffemodel")]
    names = []
    for call in ("parse", "parse_as_caffe"):
        network = trt.Builder(trt.Logger()).create_network()
        with trt.CaffeParser() as parser:
            tensors = getattr(parser, call)(*paths, network, trt.float32)
        assert tensors.find("fc6") is tensors.find("drop6")
        names.append(tensors.find("fc6").name)
    assert names == ["fc6", "drop6"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (layer("ReLU", tops=("data",)), "TensorRT does not support in-place operations on input tensors"),
        (layer("Deconvolution", "convolution_param { num_output: 2 kernel_size: 2 dilation: 2 }"), "Dilated deconv"),
        (layer("Reduction"), "cannot reduce over batch size dimension"),
        (layer("Crop", "crop_param { axis: 1 }", ("data", "data")), "only spatial cropping is supported"),
        (layer("Permute", "permute_param { order: 0 order: 2 }"), "leaves out axis 3"),
        (layer("BatchNorm"), "its moving average is zero"),
        (layer("Concat", "concat_param { axis: 0 }", ("data", "data")), "a Concat along the batch"),
        (layer("Softmax", "softmax_param { axis: 0 }"), "not that of the batch"),
        (layer("Pooling", "pooling_param { kernel_size: 2 round_mode: FLOOR }"), "knows no field .*round_mode"),
        (layer("Eltwise", "", ("data",)), "expected 2 bottom blobs, found 1"),
    ],
)
def test_what_tensorrt_refuses_is_refused(tmp_path, text, message):
    (tmp_path / "net.prototxt").write_text(HEAD + text)
    net = NetParameter()
    blobs = [np.ones(4), np.ones(4), np.zeros(1)] if "BatchNorm" in text else [np.ones(4 * 2 * 4), np.ones(2)]
    net.layer.add(name="out").blobs.extend(array_to_blob(blob) for blob in blobs)
    write_caffemodel(net, tmp_path / "net.caffemodel")
    with pytest.raises(UserError, match=message):
        run(tmp_path, np.zeros((1, 4, 9, 11), np.float32), False)


@pytest.mark.parametrize("dtype", ["<f8", "<f4", "<f2"])
def test_weights_as_raw_data(tmp_path, dtype):
    text = layer("Scale")
    net = NetParameter()
    blob = net.layer.add(name="out").blobs.add(raw_data=np.array([1, 2, -3, 0.5], dtype).tobytes())
    blob.raw_data_type = {"<f8": 0, "<f4": 1, "<f2": 2}[dtype]
    blob.shape.dim.append(4)
    (tmp_path / "net.prototxt").write_text(HEAD + text)
    write_caffemodel(net, tmp_path / "net.caffemodel")
    x = np.random.default_rng(1).normal(size=(1, 4, 9, 11)).astype(np.float32)
    expected = x * np.float32([1, 2, -3, 0.5]).reshape(1, 4, 1, 1)
    np.testing.assert_allclose(run(tmp_path, x, False), expected, rtol=1e-6)


@pytest.mark.parametrize(("kind", "size", "message"), [(3, 16, "of the type INT"), (1, 15, "15 bytes of raw_data")])
def test_raw_data_that_is_no_array_is_refused(tmp_path, kind, size, message):
    net = NetParameter()
    net.layer.add(name="out").blobs.add(raw_data=bytes(size), raw_data_type=kind).shape.dim.append(4)
    (tmp_path / "net.prototxt").write_text(HEAD + layer("Scale"))
    write_caffemodel(net, tmp_path / "net.caffemodel")
    with pytest.raises(FormatError, match=f"blob 0 of layer 'out' has .*{message}"):
        run(tmp_path, np.zeros((1, 4, 9, 11), np.float32), False)
