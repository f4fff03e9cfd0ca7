"""Forms of operators in opsets 7 to 21, and graphs in nodes: held against ONNX Runtime with the model as it is.

Models of later opsets than 17 are brought down first, as the workflow's import does.
"""

import numpy as np
import onnx
import onnx.parser
import onnx_table
import onnxruntime
import pytest

from trtflow.formats import UserError
from trtflow.reference.record.onnx.brought_down import bring_down
from trtflow.reference.record.onnx.parser import check_model

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 4, 6, 7)).astype(np.float32)
FORMS = {  # opset, inputs, initializers, nodes
    "softmax from an axis on": (11, "N,4,6,7", "", "y = Softmax<axis=1>(x)"),
    "softmax without an axis": (12, "N,4,6,7", "", "y = Softmax(x)"),
    "logsoftmax from an axis on": (11, "2,4,6,7", "", "y = LogSoftmax<axis=2>(x)"),
    "softmax of today": (13, "N,4,6,7", "", "y = Softmax<axis=1>(x)"),
    "axes as an input": (13, "N,4,6,7", "int64[1] a={1}", "b = Unsqueeze(x, a) y = Squeeze(b, a)"),
    "axes as attributes": (11, "N,4,6,7", "", "b = Unsqueeze<axes=[0,3]>(x) y = Squeeze<axes=[0,3]>(b)"),
    "clip by attributes": (7, "N,4,6,7", "", "y = Clip<min=-0.5, max=0.25>(x)"),
    "clip without a minimum": (11, "N,4,6,7", "float m={0.25}", "y = Clip(x, , m)"),
    "pads as an attribute": (9, "2,4,6,7", "", "y = Pad<pads=[0,0,1,2,0,0,0,1], value=1.5>(x)"),
    "pads of some axes": (18, "N,4,6,7", "int64[2] p={1,2}, int64[1] a={3}", 'y = Pad<mode="reflect">(x, p, , a)'),
    "slice by attributes": (9, "N,4,6,7", "", "y = Slice<starts=[1,-3], ends=[4,7], axes=[1,3]>(x)"),
    "slice backwards": (13, "N,4,6,7", "int64[1] s={-1}, int64[1] e={-9}, int64[1] a={3}", "y = Slice(x, s, e, a, s)"),
    "topk by an attribute": (9, "N,4,6,7", "", "y, i = TopK<k=3, axis=3>(x)"),
    "split by an attribute": (11, "N,4,6,7", "", "a, b = Split<axis=1, split=[1,3]>(x) y = Concat<axis=1>(b, a)"),
    "split in parts": (18, "N,4,6,7", "", "a, b, c = Split<axis=3, num_outputs=3>(x) y = Concat<axis=3>(c, a, b)"),
    "split as an input": (18, "N,4,6,7", "int64[2] s={1,3}", "a, b = Split<axis=1>(x, s) y = Concat<axis=1>(b, a)"),
    "mean along an input": (18, "N,4,6,7", "int64[2] a={2,-1}", "y = ReduceMean<keepdims=0>(x, a)"),
    "norm along an attribute": (13, "N,4,6,7", "", "y = ReduceL2<axes=[1], keepdims=1>(x)"),
    "maximum of everything": (18, "N,4,6,7", "", "y = ReduceMax<keepdims=0>(x)"),
    "upsample by an attribute": (7, "2,4,6,7", "", 'y = Upsample<mode="nearest", scales=[1.0,1.0,2.0,1.5]>(x)'),
    "upsample by an input": (9, "2,4,6,7", "float[4] s={1,1,2,3}", 'y = Upsample<mode="linear">(x, s)'),
    "resize of opset 10": (10, "2,4,6,7", "float[4] s={1,1,1.7,2}", "y = Resize(x, s)"),
    "resize of some axes": (18, "2,4,6,7", "float[2] s={2,3}", "y = Resize<axes=[2,3]>(x, , s)"),
    "resize to sizes": (18, "N,4,6,7", "int64[2] s={9,5}", 'y = Resize<axes=[2,3], mode="linear">(x, , , s)'),
    "resize with nothing in it": (11, "2,4,6,7", "float[0] n={}, int64[4] s={2,4,9,5}", "y = Resize(x, n, n, s)"),
    "resize cubic": (13, "2,4,6,7", "float[4] s={1,1,1.5,2}", 'y = Resize<mode="cubic", cubic_coeff_a=-0.5>(x, , s)'),
    "dropout of before": (7, "N,4,6,7", "", "y, m = Dropout<ratio=0.4>(x)"),
    "gelu": (20, "N,4,6,7", "", 'y = Gelu<approximate="tanh">(x)'),
    "mish": (18, "N,4,6,7", "", "y = Mish(x)"),
    "grid sample": (20, "2,4,6,7", "float[2,1,1,2] g={0.1,0.2,-0.5,0.4}", 'y = GridSample<mode="cubic">(x, g)'),
    "average pool": (19, "N,4,6,7", "", "y = AveragePool<kernel_shape=[2,3], dilations=[1,1]>(x)"),
    "normalise groups by channel": (
        21,
        "N,4,6,7",
        "float[4] s={1,2,3,4}, float[4] b={0,1,0,2}",
        "y = GroupNormalization<num_groups=2>(x, s, b)",
    ),
    "normalise groups, each with its scale": (
        18,
        "N,4,6,7",
        "float[2] s={1,3}, float[2] b={0,2}",
        "y = GroupNormalization<num_groups=2>(x, s, b)",
    ),
    "normalise all channels as one group": (
        18,
        "2,4,6,7",
        "float[1] s={3}, float[1] b={2}",
        "y = GroupNormalization<num_groups=1>(x, s, b)",
    ),
    "normalise groups by what is computed": (
        20,
        "N,4,6,7",
        "float[2] s={1,3}, float[2] b={0,2}, int64[3] a={0,2,3}, int64[1] f={0}, int64[1] t={2}",
        "m = ReduceMean<keepdims=0>(x, a) c = Slice(m, f, t) k = Add(c, s) "
        "y = GroupNormalization<num_groups=2>(x, k, b)",
    ),
    "batch norm of three": (
        8,
        "4,6,7",
        "float[6] s={1,2,3,4,5,6}, float[6] m={0,1,0,1,0,1}",
        "y = BatchNormalization(x, s, m, m, s)",
    ),
    "scatter": (9, "2,4,6,7", "int64[1,1,1,2] i={1,0}, float[1,1,1,2] u={5,6}", "y = Scatter<axis=3>(x, i, u)"),
    "roi align of opset 10": (
        10,
        "2,4,6,7",
        "float[1,4] r={0.5,0.5,4,4}, int64[1] i={1}",
        "y = RoiAlign<output_height=2, output_width=2, sampling_ratio=2>(x, r, i)",
    ),
    "an If that reads around it": (
        16,
        "N,4,6,7",
        "float w={2}",
        "s = ReduceMax<keepdims=0>(x) c = Greater(s, w) "
        "y = If(c) <then_branch = t () => (float[N,4,6,7] a) {a = Mul(x, w)}, "
        "else_branch = e () => (float[N,4,6,7] b) {b = Sub(x, w)}>",
    ),
    "an If that is known": (
        16,
        "2,4,6,7",
        "int64[1] a={0}, int64[1] z={0}, int64[1] i={1}",
        "h = Shape(x) q = Gather(h, i) c = Equal(q, z) d = Squeeze(c) "
        "y = If(d) <then_branch = t () => (float[2,4,6,7] u) {u = Relu(x)}, "
        "else_branch = e () => (float[1,2,4,6,7] v) {v = Unsqueeze(x, a)}>",
    ),
    "a Loop that reads around it": (
        16,
        "2,4,6,7",
        "int64 n={3}, bool k={1}, float w={0.5}",
        "v = Relu(x) y = Loop(n, k, x) <body = b (int64 i, bool c, float[2,4,6,7] s) => (bool d, float[2,4,6,7] t) "
        "{d = Identity(c) m = Mul(s, w) t = Add(m, v)}>",
    ),
    "a Scan that reads around it": (
        16,
        "2,4,6,7",
        "float[4,6,7] z={" + ",".join(["0"] * 168) + "}, float w={0.5}",
        "f, y = Scan<num_scan_inputs=1, body = b (float[4,6,7] s, float[4,6,7] e) => (float[4,6,7] t, float[4,6,7] o) "
        "{m = Mul(e, w) t = Add(s, m) o = Identity(t)}>(z, x)",
    ),
    "channels that are shuffled": (
        13,
        "N,4,6,7",
        "int64[1] z={0}, int64 o={0}, int64[1] g={2}, int64[1] m={-1}, int64[2] r={6,7}",
        "h = Shape(x) n = Gather(h, o) b = Unsqueeze(n, z) t = Concat<axis=0>(b, g, g, r) a = Reshape(x, t) "
        "p = Transpose<perm=[0,2,1,3,4]>(a) u = Concat<axis=0>(b, m, r) y = Reshape(p, u)",
    ),
}


def parsed(name):
    opset, shape, weights, nodes = FORMS[name]
    return parse_text(opset, shape, weights, nodes)


def parse_text(opset, shape, weights, nodes):
    stored = f"<{weights}>" if weights else ""
    text = f'<ir_version: 8, opset_import: ["": {opset}]> g (float[{shape}] x) => (float y) {stored} {{ {nodes} }}'
    model = onnx.parser.parse_model(text)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    return model.SerializeToString()


@pytest.mark.parametrize("name", FORMS)
def test_forms_as_onnx_runtime_has_them(name):
    feeds = {"x": X.reshape(-1, 6, 7)[:4] if FORMS[name][1] == "4,6,7" else X}
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    (wanted,) = onnxruntime.InferenceSession(parsed(name), options).run(["y"], feeds)
    model = bring_down(onnx.load_from_string(parsed(name)))
    if FORMS[name][0] > 17:
        check_model(model)
        assert model.opset_import[0].version == 17
    (kind, found), _ = onnx_table.answer(model.SerializeToString(), feeds)
    assert kind == "ran", found
    assert found["y"].shape == wanted.shape
    np.testing.assert_allclose(found["y"], wanted, rtol=1e-4, atol=1e-5)


LATER = {
    "antialias": (18, "float[4] s={1,1,0.5,0.5}", 'y = Resize<antialias=1, mode="linear">(x, , s)', "antialias"),
    "aspect": (18, "int64[4] s={2,4,5,5}", 'y = Resize<keep_aspect_ratio_policy="not_larger">(x,,,s)', "keep_aspect"),
    "wrap": (19, "int64[8] p={0,0,1,0,0,0,0,0}", 'y = Pad<mode="wrap">(x, p)', "wrap"),
    "dilated pool": (19, "", "y = AveragePool<kernel_shape=[2,2], dilations=[2,2]>(x)", "dilations"),
    "maximum scatter": (
        18,
        "int64[1,1] i={0}, float[1,4,6,7] u={" + ",".join(["0"] * 168) + "}",
        'y = ScatterND<reduction="max">(x, i, u)',
        "reduction max",
    ),
    "axes that are fed": (18, "", "h = Shape(x) a = Cast<to=7>(h) y = ReduceMax(x, a)", ""),
}


@pytest.mark.parametrize("name", LATER)
def test_what_opset_17_cannot_say_is_refused_with_what_to_export_with(name):
    opset, weights, nodes, word = LATER[name]
    model = parse_text(opset, "N,4,6,7", weights, nodes)
    (kind, words), _ = onnx_table.answer(model, {"x": X})
    assert kind == "refused", words
    assert word in words
    assert "opset_version=17" in words
    with pytest.raises(UserError, match=rf"node 'y' .*{word}.*opset_version=17"):
        bring_down(onnx.load_from_string(model))


# of the forms above those that TensorRT 8.6.0 does not read so, and what the parser says; it takes the others
MISREAD = {
    "pads of some axes": "refuses axes of Pad",
    "split in parts": "ignores num_outputs",
    "mean along an input": "ignores axes",
    "resize of some axes": "ignores axes of Resize",
    "resize to sizes": "ignores axes of Resize",
    "gelu": "Plugin not found",
    "mish": "Plugin not found",
    "grid sample": "does not know the mode cubic",
    "normalise all channels as one group": "normalises each channel by itself",
    "normalise groups by what is computed": "ignores axes",
}


@pytest.mark.parametrize("name", [name for name, form in FORMS.items() if form[0] > 17])
def test_later_forms_are_refused_where_tensorrt_takes_them_for_others(name):
    (kind, told), _ = onnx_table.answer(parsed(name), {"x": X}, run=False)
    assert kind == ("refused" if name in MISREAD else "parsed"), told
    if name in MISREAD:
        assert MISREAD[name] in told
        assert "opset_version=17, or have `trtflow migrate MODEL.onnx` bring it down" in told


# one GroupNormalization each: opset, shape, groups, values of scale; what TensorRT 8.6.0 made of it on an H200
GROUPS = {
    "two groups": (18, "2,4,6,6", 2, 2, "ran"),
    "as many as channels": (18, "2,4,6,6", 4, 4, "ran"),
    "volumes": (18, "2,4,3,3,3", 2, 2, "ran"),
    "as many as channels, of opset 21": (21, "2,4,6,6", 4, 4, "ran"),
    "one group": (18, "2,4,6,6", 1, 1, "normalises each channel by itself where num_groups is 1"),
    "one group of opset 21": (21, "2,4,6,6", 1, 4, "normalises each channel by itself where num_groups is 1"),
    "rows": (18, "2,4,6", 2, 2, "Assertion rank >= 4 failed"),
    "no rows": (18, "2,4", 2, 2, "Input to normalization should be at least 3D!"),
    "one scale a channel": (21, "2,4,6,6", 2, 4, "scale dimensions not compatible for normalization"),
}


@pytest.mark.parametrize("name", GROUPS)
def test_groups_are_normalised_where_tensorrt_does(name):
    opset, shape, groups, count, answer = GROUPS[name]
    weights = ", ".join(
        f"float[{count}] {key}={{{','.join(values[:count])}}}" for key, values in (("s", "1234"), ("b", "0102"))
    )
    model = parse_text(opset, shape, weights, f"y = GroupNormalization<num_groups={groups}>(x, s, b)")
    x = RNG.normal(size=[int(size) for size in shape.split(",")]).astype(np.float32)
    (kind, told), _ = onnx_table.answer(model, {"x": x})
    assert kind == "ran" if answer == "ran" else answer in told, told
    plain = bring_down(onnx.load_from_string(model))
    assert "GroupNormalization" not in {node.op_type for node in plain.graph.node}
    per = x.reshape(2, groups, -1).astype(np.float64)
    normed = ((per - per.mean(-1, keepdims=True)) / np.sqrt(per.var(-1, keepdims=True) + 1e-5)).reshape(x.shape)
    gain, offset = (
        np.repeat(np.array(list(values[:count]), float), 4 // count).reshape(4, *[1] * (x.ndim - 2))
        for values in ("1234", "0102")
    )
    (found,) = onnxruntime.InferenceSession(plain.SerializeToString()).run(["y"], {"x": x})
    np.testing.assert_allclose(found, normed * gain + offset, rtol=1e-4, atol=1e-5)


BROUGHT = {  # what TensorRT 8.6 reads otherwise in opset 17 itself
    "the end of a shape": (
        17,
        "int64[1] m={-1}",
        "h = Shape<start=-2, end=-1>(x) t = Concat<axis=0>(m, h) y = Reshape(x, t)",
    ),
    "a whole number": (17, "", "c = Constant<value_ints=[0,-1]>() y = Reshape(x, c)"),
    "a sum along nothing": (17, "", "y = ReduceSum<noop_with_empty_axes=1>(x)"),
    "axes in a branch": (
        18,
        "float w={2}",
        "s = ReduceMax<keepdims=0>(x) c = Greater(s, w) "
        "y = If(c) <then_branch = t () => "
        "(float[2,1,6,7] a) {n = Constant<value = int64[1] {1}>() a = ReduceMax(x, n)}, "
        "else_branch = e () => (float[2,1,6,7] b) {n = Constant<value = int64[1] {1}>() b = ReduceMean(x, n)}>",
    ),
    "two of a kind": (20, "", "a = Gelu(x) b = Gelu(a) c = Mish(b) y = Mish(c)"),
}


@pytest.mark.parametrize("name", BROUGHT)
def test_what_tensorrt_takes_for_something_else_is_written_otherwise(name):
    opset, weights, nodes = BROUGHT[name]
    model = parse_text(opset, "2,4,6,7", weights, nodes)
    plain = bring_down(onnx.load_from_string(model))
    check_model(plain)
    found, wanted = (
        onnxruntime.InferenceSession(item).run(["y"], {"x": X})[0] for item in (plain.SerializeToString(), model)
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    (kind, told), warnings = onnx_table.answer(plain.SerializeToString(), {"x": X}, run=False)
    assert (kind, warnings) == ("parsed", []), told


def test_a_model_that_tensorrt_reads_as_it_is_stays_as_it_is():
    model = onnx.load_from_string(parsed("softmax of today"))
    assert bring_down(model) is model


def test_a_later_form_in_a_branch_is_refused_too():
    opset, weights, nodes = BROUGHT["axes in a branch"]
    (kind, told), _ = onnx_table.answer(parse_text(opset, "2,4,6,7", weights, nodes), {"x": X}, run=False)
    assert kind == "refused"
    assert "ignores axes" in told


@pytest.mark.parametrize("nodes", ["y = Cast<to=10>(x)", "s = Shape(x) c = Cast<to=10>(x) z = Sub(h, h) y = Add(c, z)"])
def test_half_precision_outputs(nodes):
    text = (
        '<ir_version: 8, opset_import: ["": 17]> g (float[N,4] x) => (float16[N,4] y, float16 k) '
        f"<float two = {{2}}> {{ h = Cast<to=10>(two) {nodes} k = Mul(h, h) }}"
    )
    feeds = {"x": RNG.normal(size=(3, 4)).astype(np.float32)}
    (kind, found), _ = onnx_table.answer(onnx.parser.parse_model(text).SerializeToString(), feeds)
    assert kind == "ran", found
    assert (found["y"].dtype, found["k"].dtype, found["k"]) == (np.float16, np.float16, 4)
    np.testing.assert_array_equal(found["y"], feeds["x"].astype(np.float16))
