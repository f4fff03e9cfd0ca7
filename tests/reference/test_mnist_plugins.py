"""FCPlugin, CustomClipPlugin and FlattenConcat on the reference runtime, and their way into a network."""

import struct

import numpy as np
import pytest
from plugin_cases import CASES, TOLERANCES, create_plugin, define, error

import trtflow.reference as trt
from trtflow.formats.caffe import NetParameter, array_to_blob, write_caffemodel
from trtflow.runtime.build import build_plan
from trtflow.runtime.plugins import load_plugins
from trtflow.runtime.session import Session

NAMES = ["FCPlugin", "CustomClipPlugin", "FlattenConcat"]
LINEAR = trt.TensorFormat.LINEAR
# What the C++ plugins of TensorRT 8.6.0 gave for these fields and configurations (plugins/README.md).
FIELDS = {
    "FCPlugin": {"outputs": np.int32([2]), "kernel": (np.arange(6, dtype=np.float32) - 2) / 4, "bias": [0.5, -1e6]},
    "CustomClipPlugin": {"clipMin": np.float32([0]), "clipMax": np.float64([6])},
    "FlattenConcat": {"axis": np.int32([1]), "ignoreBatch": np.int32([0])},
}
GOLDEN = {
    ("FCPlugin", trt.float32, ((3, 1, 1),)): "030000000200000002000000000000000000000000000"
    "0bf000080be000000000000803e0000003f0000403f0000003f002474c9",
    ("FCPlugin", trt.float16, ((3, 1, 1),)): "030000000200000002000000000000000100000000b800b4000000340038003a0038fffb",
    ("CustomClipPlugin", trt.float16, ((3, 2, 1),)): "000000000000c040060000000000000001000000",
    ("FlattenConcat", trt.float32, ((3, 2, 1), (4, 1, 1))): "0100000000000000000000000100000002000000"
    "06000000000000000400000000000000",
}


@pytest.fixture(autouse=True)
def loaded():
    load_plugins(trt, NAMES)


def plugin(name, **fields):
    creator = trt.get_plugin_registry().get_plugin_creator(name, "1", "")
    return creator.create_plugin("layer", trt.PluginFieldCollection(trt.PluginField(*item) for item in fields.items()))


def configured(name, dtype, shapes):
    made = plugin(name, **FIELDS[name])
    made.configure_with_format(shapes, [made.get_output_shape(0, list(shapes))], dtype, LINEAR, 1)
    return made


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case, precision):
    plan = build_plan(trt, define(case, precision), precision, max_batch_size=4)
    session = Session(trt, trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan))
    result = session.run({f"x{index}": x for index, x in enumerate(case.inputs)})["y"]
    assert result.dtype == (np.float16 if precision == "fp16" else np.float32)
    assert error(case, precision, result) <= TOLERANCES[precision]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case_with_an_explicit_batch(case):
    """As far as the plugin can have one."""
    batch, shapes = len(case.inputs[0]), [x.shape for x in case.inputs]

    def network_of(trt, network):
        inputs = [network.add_input(f"x{index}", trt.float32, shape) for index, shape in enumerate(shapes)]
        output = network.add_plugin_v2(inputs, create_plugin(trt, case)).get_output(0)
        assert output.shape == case.expected.shape
        network.mark_output(output)

    if case.plugin == "FCPlugin":
        with pytest.raises(trt.NetworkError, match="FCPlugin in a network with an explicit batch"):
            build_plan(trt, network_of, "fp32", batch, explicit_batch=True)
        return
    plan = build_plan(trt, network_of, "fp32", batch, explicit_batch=True)
    session = Session(trt, trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan))
    (result,) = session.run({f"x{index}": x for index, x in enumerate(case.inputs)}).values()
    assert error(case, "fp32", result) <= TOLERANCES["fp32"]


@pytest.mark.parametrize(("key", "golden"), GOLDEN.items(), ids=lambda value: value[0] if len(value) == 3 else "")
def test_bytes_are_those_of_the_cuda_plugin_and_come_back(key, golden):
    made = configured(*key)
    assert bytes(made.serialize()).hex() == golden
    assert made.serialization_size == len(golden) // 2
    creator = trt.get_plugin_registry().get_plugin_creator(key[0], "1", "")
    again = creator.deserialize_plugin("layer", made.serialize())
    assert (bytes(again.serialize()), again.data_type) == (bytes.fromhex(golden), key[1])
    shapes = list(key[2])
    assert again.get_output_shape(0, shapes) == made.get_output_shape(0, shapes)


def test_fc_plugin_is_serialised_in_the_guide_s_order():
    data = bytes(configured("FCPlugin", trt.float32, ((3, 1, 1),)).serialize())
    assert struct.unpack("<iiqi6f2f", data) == (3, 2, 2, 0, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 0.5, -1e6)


@pytest.mark.parametrize("edit", [lambda data: data[:-1], lambda data: data + b"\0", lambda data: data[:10]])
@pytest.mark.parametrize("name", NAMES)
def test_damaged_bytes_are_refused(name, edit):
    data = edit(bytes(configured(name, trt.float32, ((3, 1, 1),)).serialize()))
    creator = trt.get_plugin_registry().get_plugin_creator(name, "1", "")
    with pytest.raises(trt.NetworkError, match=f"layer 'ip2': not a serialised {name}"):
        creator.deserialize_plugin("ip2", data)


def test_clone_is_configured_alike_and_shares_nothing():
    made = configured("FCPlugin", trt.float16, ((3, 1, 1),))
    made.plugin_namespace = "mine"
    copy = made.clone()
    assert bytes(copy.serialize()) == bytes(made.serialize())
    assert copy.plugin_namespace == "mine"
    copy.attributes["bias"][:] = 0
    assert made.attributes["bias"][0] == 0.5


def test_what_a_plugin_says_of_itself():
    made = plugin("FCPlugin", **FIELDS["FCPlugin"])
    assert (made.plugin_type, made.plugin_version, made.num_outputs) == ("FCPlugin", "1", 1)
    assert made.tensorrt_version == 16785816  # as TensorRT 8.6.0 answers for an IPluginV2Ext
    types = (trt.float32, trt.float16, trt.int8)
    assert [made.supports_format(dtype, LINEAR) for dtype in types] == [True, True, False]
    assert not made.supports_format(trt.float32, trt.TensorFormat.CHW4)
    assert (made.initialize(), made.get_workspace_size(8), made.terminate(), made.destroy()) == (0, 0, None, None)
    with pytest.raises(trt.NetworkError, match="configured for INT8 LINEAR. It takes FLOAT or HALF LINEAR"):
        made.configure_with_format([(3, 1, 1)], [(2, 1, 1)], trt.int8, LINEAR, 1)


def test_plugins_of_tensorrt_have_no_bytes_here():
    trt.init_libnvinfer_plugins(trt.Logger(), "")
    made = plugin("Normalize_TRT", weights=np.ones(3))
    with pytest.raises(trt.NetworkError, match="Normalize_TRT.*private to TensorRT"):
        made.serialize()
    with pytest.raises(trt.NetworkError, match="private to TensorRT"):
        trt.get_plugin_registry().get_plugin_creator("Normalize_TRT", "1").deserialize_plugin("norm", b"")


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        (
            "FCPlugin",
            {"outputs": 4, "kernel": np.ones(6)},
            "layer 'layer': FCPlugin: .* 6 weights, not .* 4 outputs",
        ),
        ("FCPlugin", {"outputs": 2, "kernel": np.ones(6), "bias": np.ones(3)}, "the bias has 3 weights for 2 outputs"),
        ("FCPlugin", {"outputs": 2}, "needs the field 'kernel'"),
        ("CustomClipPlugin", {"clipMin": 7.0, "clipMax": 6.0}, "clipMin 7.0 is larger than clipMax 6.0"),
        ("CustomClipPlugin", {"clipMin": 0.0}, "needs the field 'clipMax'"),
        ("FlattenConcat", {"axis": 0}, "axis 0, not 1, 2 or 3"),
    ],
)
def test_wrong_fields_are_named(name, fields, message):
    with pytest.raises(trt.NetworkError, match=message):
        plugin(name, **fields)


def test_input_that_does_not_fit_is_refused():
    network = trt.INetworkDefinition()
    made = plugin("FCPlugin", **FIELDS["FCPlugin"])
    output = network.add_plugin_v2([network.add_input("x", trt.float32, (4, 1, 1))], made).get_output(0)
    with pytest.raises(trt.NetworkError, match=r"inputs of shape \(4, 1, 1\). It takes one input C, H, W of 3 values"):
        print(output.shape)


def test_creator_leaves_the_registry_and_comes_back():
    registry = trt.get_plugin_registry()
    creator = registry.get_plugin_creator("FCPlugin", "1", "")
    assert (creator.name, creator.tensorrt_version) == ("FCPlugin", 8600)
    assert [field.name for field in creator.field_names] == ["outputs", "kernel", "bias"]
    assert not registry.register_creator(creator)
    assert registry.deregister_creator(creator)
    assert registry.get_plugin_creator("FCPlugin", "1", "") is None
    assert not registry.deregister_creator(creator)
    assert registry.register_creator(creator, "mine")
    assert (
        registry.get_plugin_creator("FCPlugin", "1", "mine")
        .create_plugin("layer", [trt.PluginField(*item) for item in FIELDS["FCPlugin"].items()])
        .plugin_namespace
        == "mine"
    )
    registry.deregister_creator(creator)
    registry.register_creator(creator)


PROTOTXT = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 dim: 2 dim: 2 } } }
layer { name: "ip1" type: "InnerProduct" bottom: "data" top: "ip1" inner_product_param { num_output: 6 } }
layer { name: "relu1" type: "ReLU" bottom: "ip1" top: "ip1" }
layer { name: "ip2" type: "InnerProduct" bottom: "ip1" top: "ip2" inner_product_param { num_output: 3 } }
layer { name: "prob" type: "Softmax" bottom: "ip2" top: "prob" }
"""
RNG = np.random.default_rng(4)
WEIGHTS = {
    "ip1": [RNG.normal(size=(6, 8)), RNG.normal(size=6)],
    "ip2": [RNG.normal(size=(3, 6)), RNG.normal(size=3)],
}


@pytest.fixture
def caffe(tmp_path):
    """Return a function: weights -> paths of a prototxt and a caffemodel."""

    def write(weights):
        net = NetParameter()
        for name, arrays in weights.items():
            net.layer.add(name=name).blobs.extend(array_to_blob(np.float32(array)) for array in arrays)
        (tmp_path / "net.prototxt").write_text(PROTOTXT)
        write_caffemodel(net, tmp_path / "net.caffemodel")
        return str(tmp_path / "net.prototxt"), str(tmp_path / "net.caffemodel")

    return write


def parsed(paths, factory, dtype=trt.float32):
    """Return a definition that parses a model through a plugin factory."""

    def network_of(trt, network):
        parser = trt.CaffeParser()
        parser.plugin_factory_v2, parser.plugin_namespace = factory, "mine"
        network.mark_output(parser.parse(*paths, network, dtype).find("prob"))

    return network_of


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_parser_hands_ip2_to_the_factory(caffe, precision, capfd):
    paths, x = caffe(WEIGHTS), RNG.normal(size=(4, 2, 2, 2)).astype(np.float32)
    network = trt.INetworkDefinition()
    parsed(paths, trt.FCPluginFactory())(trt, network)
    layer = network[2]
    assert "ip2" not in capfd.readouterr().err  # its fields are the factory's to read
    assert (layer.name, layer.type, layer.plugin.plugin_namespace) == ("ip2", trt.LayerType.PLUGIN_V2, "mine")
    assert [other.type for other in network].count(trt.LayerType.FULLY_CONNECTED) == 1
    results = []
    for factory in (trt.FCPluginFactory(), None):
        plan = build_plan(trt, parsed(paths, factory), precision, 4)
        results.append(Session(trt, trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan)).run({"data": x})["prob"])
    np.testing.assert_allclose(*results, atol=1e-6 if precision == "fp32" else 2e-3)


def test_weights_reach_the_factory_in_the_parser_s_type(caffe):
    seen = []

    class Factory(trt.FCPluginFactory):
        def create_plugin(self, layer_name, weights):
            seen.extend((layer_name, item.dtype, item.size) for item in weights)
            return super().create_plugin(layer_name, weights)

    parsed(caffe(WEIGHTS), Factory(), trt.float16)(trt, trt.INetworkDefinition())
    assert seen == [("ip2", trt.float16, 18), ("ip2", trt.float16, 3)]


def test_layer_that_the_factory_cannot_make_is_named(caffe):
    paths = caffe({**WEIGHTS, "ip2": WEIGHTS["ip2"][:1]})
    with pytest.raises(trt.NetworkError, match="layer 'ip2': 1 blobs of weights. FCPlugin takes a kernel and a bias"):
        parsed(paths, trt.FCPluginFactory())(trt, trt.INetworkDefinition())


def test_factory_that_makes_nothing_is_named(caffe):
    class Factory(trt.FCPluginFactory):
        def create_plugin(self, layer_name, weights):
            return None

    with pytest.raises(trt.NetworkError, match="layer 'prob': the plugin factory made no plugin of it"):
        parsed(caffe(WEIGHTS), Factory("prob"))(trt, trt.INetworkDefinition())
