"""Files for convert-to-uff -p in the idioms of those that were written for NVIDIA's graphsurgeon, on frozen detectors.

The detectors have the namespaces of TensorFlow's object_detection (`detection_graphs`); detections are TensorFlow's.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest
from detections import agreeing, of_tensorflow, of_uff

from detection_graphs import PUBLISHED, Detector  # isort: skip - found by what detections adds to the path
from trtflow.converters.uff import from_tensorflow

# Nodes at the top of the file, with types; nothing but namespaces is put together (sampleUffSSD, uff_ssd).
AT_THE_TOP = """
import graphsurgeon as gs
import tensorflow as tf

Picture = gs.create_node("Input", op="Placeholder", dtype=tf.float32, shape=[1, 3, 300, 300])
Anchors = gs.create_plugin_node(name="GridAnchor", op="GridAnchor_TRT", {anchors})
Found = gs.create_plugin_node(name="NMS", op="NMS_TRT", {found})
Joined = gs.create_node(name="concat_priorbox", op="ConcatV2", dtype=tf.float32, axis=2)
Boxes = gs.create_plugin_node("concat_box_loc", op="FlattenConcat_TRT", dtype=tf.float32, axis=1, ignoreBatch=0)
Scores = gs.create_plugin_node("concat_box_conf", op="FlattenConcat_TRT", dtype=tf.float32, axis=1, ignoreBatch=0)

def preprocess(dynamic_graph):
    dynamic_graph.collapse_namespaces({{
        "MultipleGridAnchorGenerator": Anchors, "Postprocessor": Found, "Preprocessor": Picture, "ToFloat": Picture,
        "image_tensor": Picture, "MultipleGridAnchorGenerator/Concatenate": Joined,
        "MultipleGridAnchorGenerator/Identity": Joined, "concat": Boxes, "concat_1": Scores,
    }})
    dynamic_graph.remove(dynamic_graph.graph_outputs, remove_exclusive_dependencies=False)
"""

# Nodes without dtype inside a function; assertions and identities go first, inputs of the plugins by name afterwards.
WITHOUT_TYPES = """
import graphsurgeon as gs

def preprocess(graph):
    graph.remove(graph.find_nodes_by_op("Assert"), remove_exclusive_dependencies=True)
    graph.forward_inputs(graph.find_nodes_by_op("Identity"))
    picture = gs.create_plugin_node(name="Input", op="Placeholder", shape=[1, 3, 300, 300])
    anchors = gs.create_plugin_node(name="GridAnchor", op="GridAnchor_TRT", {anchors})
    found = gs.create_plugin_node(name="NMS", op="NMS_TRT", scoreConverter="SIGMOID", codeType=3, {found})
    joined = gs.create_node("concat_priorbox", op="ConcatV2", axis=2)
    boxes = gs.create_plugin_node("concat_box_loc", op="FlattenConcat_TRT")
    scores = gs.create_plugin_node("concat_box_conf", op="FlattenConcat_TRT")
    graph.collapse_namespaces({{
        "MultipleGridAnchorGenerator": anchors, "Postprocessor": found, "Preprocessor": picture, "ToFloat": picture,
        "image_tensor": picture, "MultipleGridAnchorGenerator/Concatenate": joined, "Concatenate": joined,
        "concat": boxes, "concat_1": scores,
    }})
    graph.remove(graph.graph_outputs, remove_exclusive_dependencies=False)
    graph.find_nodes_by_op("NMS_TRT")[0].input.remove("Input")
    graph.find_nodes_by_name("Input")[0].input.remove("image_tensor:0")
"""

# For later exports too: names of other operations, a squeeze to forward, a constant for the anchors to read.
FOR_LATER_ONES = """
import graphsurgeon as gs
import numpy as np
import tensorrt as trt

def preprocess(graph):
    assert int(trt.__version__[0]) >= 7
    graph.remove(graph.find_nodes_by_op("Assert"), remove_exclusive_dependencies=True)
    graph.forward_inputs(graph.find_nodes_by_op("Identity"))
    picture = gs.create_plugin_node(name="Input", op="Placeholder", shape=(1, 3, 300, 300))
    anchors = gs.create_plugin_node(name="MultipleGridAnchorGenerator", op="GridAnchor_TRT", {anchors})
    found = gs.create_plugin_node(name="NMS", op="NMS_TRT", {found})
    joined = gs.create_node("concat_priorbox", op="ConcatV2", axis=2)
    boxes = gs.create_plugin_node("concat_box_loc", op="FlattenConcat_TRT", axis=1, ignoreBatch=0)
    scores = gs.create_plugin_node("concat_box_conf", op="FlattenConcat_TRT", axis=1, ignoreBatch=0)
    graph.collapse_namespaces({{
        "MultipleGridAnchorGenerator": anchors, "Postprocessor": found, "Preprocessor": picture, "ToFloat": picture,
        "Cast": picture, "image_tensor": picture, "MultipleGridAnchorGenerator/Concatenate": joined,
        "Concatenate": joined, "concat": boxes, "concat_1": scores,
    }})
    for old, new in (("AddV2", "Add"), ("FusedBatchNormV3", "FusedBatchNorm")):
        for node in graph.find_nodes_by_op(old):
            gs.update_node(node, op=new)
    for name, source in (("Input", "image_tensor:0"), ("NMS", "Input")):
        node = graph.find_nodes_by_name(name)[0]
        if source in node.input:
            node.input.remove(source)
    graph.forward_inputs(graph.find_node_inputs_by_name(graph.graph_outputs[0], "Squeeze"))
    graph.append(gs.create_node("AnchorInput", "Const", value=np.array([1, 1], dtype=np.float32)))
    graph.find_nodes_by_op("GridAnchor_TRT")[0].input.insert(0, "AnchorInput")
    if "NMS" not in [node.name for node in graph.graph_outputs]:
        graph.remove(graph.graph_outputs, remove_exclusive_dependencies=False)
"""
ANCHORS = (
    "minSize={smallest}, maxSize=0.95, aspectRatios=[1.0, 2.0, 0.5, 3.0, 0.33], variance=[0.1, 0.1, 0.2, 0.2], "
    "featureMapShapes=[19, 10, 5, 3, 2, 1], numLayers=6"
)
FOUND = (
    "shareLocation=1, varianceEncodedInTarget=0, backgroundLabelId=0, confidenceThreshold=1e-8, nmsThreshold=0.6, "
    "topK=100, keepTopK=100, numClasses={classes}, inputOrder={order}, confSigmoid=1, isNormalized=1"
)
CASES = {
    "sampleUffSSD's": (AT_THE_TOP, "ssd_inception_v2_coco_2017_11_17", 91, 0.2),
    "of MobileNet V1": (WITHOUT_TYPES, "ssd_mobilenet_v1_coco_2018_01_28", 91, 0.2),
    "of MobileNet V2": (WITHOUT_TYPES, "ssd_mobilenet_v2_coco_2018_03_29", 91, 0.2),
    "of SSDLite": (FOR_LATER_ONES, "ssdlite_mobilenet_v2_coco_2018_05_09", 91, 0.2),
    "of TensorFlow 1.15": (FOR_LATER_ONES, "ssd_mobilenet_v2 of TensorFlow 1.15", 6, 0.05),
}


@pytest.mark.parametrize("case", CASES)
def test_detections_are_tensorflows(tmp_path, case):
    config, model, classes, smallest = CASES[case]
    form = PUBLISHED[model]
    graphdef = Detector(form, classes, smallest).graph()
    order = [1, 0, 2] if form.scores_first else [0, 2, 1]
    text = config.format(anchors=ANCHORS.format(smallest=smallest), found=FOUND.format(classes=classes, order=order))
    (tmp_path / "config.py").write_text(text)
    data = from_tensorflow(graphdef, ["NMS"], preprocessor=tmp_path / "config.py", quiet=True)
    found, wanted = of_uff(data), of_tensorflow(graphdef)
    assert len(found) == len(wanted) == 100
    np.testing.assert_allclose(found.scores, wanted.scores, rtol=1e-4, atol=1e-6)
    assert agreeing(found, wanted) == 100
