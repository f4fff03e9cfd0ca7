"""Which dimensions an input of a UFF graph is registered with, whatever its placeholder declares."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_graphs import constant, frozen, lenet, v1

import trtflow.reference as trt
from trtflow.converters.model_file import import_model
from trtflow.converters.uff import from_tensorflow
from trtflow.formats import UserError
from trtflow.runtime.build import build_plan
from trtflow.runtime.session import Session


def written(tmp_path, graphdef, declared, output="out"):
    """Write the UFF file of a graph whose placeholder declares a shape; return its path."""
    node = next(node for node in graphdef.node if node.name == "in")
    node.attr["shape"].shape.CopyFrom(tf.TensorShape(declared).as_proto())
    from_tensorflow(graphdef, [output], output_filename=tmp_path / "model.uff", quiet=True)
    return tmp_path / "model.uff"


def coloured(channels=3, groups=False):
    """A convolution of pictures of 3 channels, behind what leaves these as they are."""
    data = tf.maximum(v1.placeholder(tf.float32, None, name="in") * 0.5, 0.0)
    if groups:
        tf.nn.depthwise_conv2d(data, constant("w", 3, 3, channels, 2), [1, 1, 1, 1], "SAME", name="out")
    else:
        v1.nn.conv2d(data, constant("w", 3, 3, channels, 4), 2, "SAME", name="out")


@pytest.mark.parametrize("declared", [(None, 28, 28, 1), (None, 1, 28, 28), (1, 28, 28), (28, 28, 1)])
def test_lenet_migrates_from_every_declaration(tmp_path, declared):
    graphdef = frozen(lenet)
    x = np.random.default_rng(0).normal(size=(3, 28, 28, 1)).astype(np.float32)
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        tf.import_graph_def(graphdef, name="")
        wanted = session.run("out:0", {"in:0": x})
    file = import_model(written(tmp_path, graphdef, declared), tmp_path / "in")
    assert file.inputs == {"in": [1, 28, 28]}
    plan = build_plan(trt, file.define, "fp32", 3)
    session = Session(trt, trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan))
    found = session.run({"in": x.transpose(0, 3, 1, 2)})["out"]
    np.testing.assert_allclose(found.reshape(3, 10), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("groups", [False, True], ids=["convolution", "depthwise"])
@pytest.mark.parametrize("declared", [(1, 3, 20, 30), (None, 20, 30, 3), (3, 20, 30), (20, 30, 3)])
def test_the_first_convolution_tells_the_channels(tmp_path, declared, groups):
    path = written(tmp_path, frozen(coloured, 3, groups), declared)
    assert import_model(path, tmp_path / "in").inputs == {"in": [3, 20, 30]}


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ((None, 20, 30, 4), r"'in' has the shape \[-1, 20, 30, 4\], and its first convolution takes 3 channels. Say"),
        ((None, None, None, 3), "Say its dimensions: --input in,C,H,W"),
        (None, r"'in' has the shape \[\], and its first convolution takes 3 channels"),
    ],
)
def test_dimensions_that_no_one_can_tell(tmp_path, declared, message):
    path = written(tmp_path, frozen(coloured), declared)
    with pytest.raises(UserError, match=message):
        import_model(path, tmp_path / "in")
