"""ONNX models as they are put in front of TensorRT's parser: those of later opsets in opset 17."""

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest

import trtflow.reference as trt
from trtflow.converters.model_file import import_model
from trtflow.formats import UserError


def written(path, nodes, opset=18):
    """A model of one input and one output."""
    text = f'<ir_version: 10, opset_import: ["": {opset}]> g (float[N,4,5,6] x) => (float[N,A,B,C] y) '
    onnx.save(onnx.parser.parse_model(f"{text}<int64[1] a={{1}}, int64[4] p={{0,0,1,0}}> {{ {nodes} }}"), path)
    return path


def takes(path):
    network = trt.INetworkDefinition(1)
    return trt.OnnxParser(network, trt.Logger(trt.Logger.INTERNAL_ERROR)).parse_from_file(str(path))


def test_a_later_opset_is_brought_down(tmp_path):
    nodes = "m = ReduceMean(x, a) n = ReduceL2(x, a) r = Split<axis=3, num_outputs=1>(m) s = Mul(r, n) y = Mish(s)"
    given = written(tmp_path / "given.onnx", nodes)
    file = import_model(given, tmp_path / "in")
    assert [item.version for item in onnx.load(file.path).opset_import] == [17]
    assert (takes(given), takes(file.path)) == (False, True)
    feeds = {"x": np.random.default_rng(0).normal(size=(2, 4, 5, 6)).astype(np.float32)}
    found, wanted = (onnxruntime.InferenceSession(path).run(None, feeds)[0] for path in (file.path, given))
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_what_opset_17_cannot_say_is_told_with_the_file(tmp_path):
    given = written(tmp_path / "given.onnx", 'p2 = Concat<axis=0>(p, p) y = Pad<mode="wrap">(x, p2)', 19)
    with pytest.raises(UserError, match=r"given.onnx: node 'y' \(Pad\): .*wrap.*opset_version=17"):
        import_model(given, tmp_path / "in")


def test_what_tensorrt_reads_as_it_is_stays(tmp_path):
    given = written(tmp_path / "given.onnx", "y = Relu(x)", 11)
    assert [item.version for item in onnx.load(import_model(given, tmp_path / "in").path).opset_import] == [11]
