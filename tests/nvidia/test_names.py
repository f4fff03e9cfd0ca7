"""Scripts written for NVIDIA's packages run as they are, with ours under those names, and leave no trace."""

import importlib
import sys
import types

import pytest

from trtflow import graphsurgeon
from trtflow.converters import uff
from trtflow.nvidia import nvidia_names
from trtflow.nvidia.command import run_script

USER_SCRIPT = """
import sys
import graphsurgeon as gs
import graphsurgeon.extras
import uff
import tensorflow as tf
from helper_of_the_user import OUTPUT

def main(source, target):
    graph = gs.DynamicGraph(source)
    relu6 = graph.find_nodes_by_op("Relu6")[0]
    clip = gs.create_plugin_node(name="clip", op="CustomClipPlugin", clipMin=0.0, clipMax=6.0)
    graph.collapse_namespaces({relu6.name: clip})
    assert gs.extras is graphsurgeon.extras
    uff.from_tensorflow(graph.as_graph_def(), [OUTPUT], output_filename=target, text=True)

if __name__ == "__main__":
    main(*sys.argv[1:])
"""


def ours():
    return {name for name in sys.modules if name.partition(".")[0] in ("graphsurgeon", "uff")}


def test_messages_of_uff_are_there_under_nvidias_name():
    """As scripts do that look up the shape of an input in what was converted."""
    with nvidia_names():
        import uff as nvidias_uff  # noqa: PLC0415
        from uff.model import uff_pb2  # noqa: PLC0415

        made = uff_pb2.MetaGraph(version=1, descriptor_core_version=1)
        made.descriptors.add(id="tensorflow_extension", version=1)
        node = made.graphs.add().nodes.add(id="data", operation="Input")
        node.fields["shape"].i_list.val.extend([1, 3, 300, 300])
        read = nvidias_uff.model.uff_pb2.MetaGraph()
        read.ParseFromString(made.SerializeToString())
        (found,) = read.ListFields()[3][1][0].nodes
        assert list(found.fields["shape"].i_list.val) == [1, 3, 300, 300]


def test_names_are_ours_meanwhile():
    with nvidia_names():
        import graphsurgeon as gs  # noqa: PLC0415
        import graphsurgeon.extras as gs_extras  # noqa: PLC0415
        import uff as nvidias_uff  # noqa: PLC0415

        assert gs is graphsurgeon
        assert gs_extras is graphsurgeon.extras
        assert nvidias_uff is uff
    assert not ours()


def test_a_folder_of_that_name_is_no_package(tmp_path, monkeypatch):
    (tmp_path / "graphsurgeon").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with nvidia_names():
        import graphsurgeon as gs  # noqa: PLC0415

        assert gs is graphsurgeon
    assert not ours()


def failing():
    with nvidia_names():
        import graphsurgeon  # noqa: F401, PLC0415

        raise RuntimeError("the user's own error")


def test_names_go_when_a_script_fails():
    with pytest.raises(RuntimeError, match="the user's own error"):
        failing()
    assert not ours()
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("uff")


def test_what_was_loaded_is_back_afterwards(monkeypatch):
    theirs = types.ModuleType("uff")
    monkeypatch.setitem(sys.modules, "uff", theirs)
    with nvidia_names():
        import uff as found  # noqa: PLC0415

        assert found is uff
    assert sys.modules["uff"] is theirs
    assert ours() == {"uff"}


def test_user_script_runs_as_it_is(tmp_path, capsys):
    import tensorflow as tf  # noqa: PLC0415

    with tf.Graph().as_default() as graph:
        tf.nn.relu6(tf.compat.v1.placeholder(tf.float32, (None, 4), name="in"), name="ReLU6")
        tf.nn.softmax(graph.get_tensor_by_name("ReLU6:0"), name="out")
    (tmp_path / "frozen.pb").write_bytes(graph.as_graph_def().SerializeToString())
    (tmp_path / "convert.py").write_text(USER_SCRIPT)
    (tmp_path / "helper_of_the_user.py").write_text("OUTPUT = 'out'\n")
    before = list(sys.argv), list(sys.path)

    run_script(tmp_path / "convert.py", [str(tmp_path / "frozen.pb"), str(tmp_path / "model.uff")])

    assert 'operation: "_CustomClipPlugin"' in (tmp_path / "model.pbtxt").read_text()
    assert "outputs: out" in capsys.readouterr().out
    assert (sys.argv, sys.path) == before
    assert not ours()
