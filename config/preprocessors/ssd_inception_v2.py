"""Map what TensorRT has plugins for to plugins: TensorFlow's SSD on InceptionV2 (guide §13.2 to §13.4, chapter 24).

`convert-to-uff -p` runs this; it is written for NVIDIA's graphsurgeon and runs on trtflow's as it is. The frozen graph
of ssd_inception_v2_coco_2017_11_17 and those of trtflow/families/ssd_inception have the same namespaces.
"""

import graphsurgeon as gs
import tensorflow as tf

PREDICTORS = [f"BoxPredictor_{index}" for index in range(6)]
NAMESPACES = ("Preprocessor", "FeatureExtractor", *PREDICTORS, "MultipleGridAnchorGenerator", "Postprocessor")
BIASES = "ClassPredictor/biases"
NODES = ("concat", "concat_1", *(f"{name}/{BIASES}" for name in PREDICTORS))
BOXES_OF_FIRST_CELL = 3

Input = gs.create_node("Input", op="Placeholder", dtype=tf.float32, shape=[-1, 300, 300, 3])
PriorBox = gs.create_plugin_node(
    name="GridAnchor",
    op="GridAnchor_TRT",
    numLayers=6,
    minSize=0.2,
    maxSize=0.95,
    aspectRatios=[1.0, 2.0, 0.5, 3.0, 0.33],
    variance=[0.1, 0.1, 0.2, 0.2],
    featureMapShapes=[19, 10, 5, 3, 2, 1],
)
concat_priorbox = gs.create_node(name="concat_priorbox", op="ConcatV2", dtype=tf.float32, axis=2)
concat_box_loc = gs.create_plugin_node("concat_box_loc", op="FlattenConcat_TRT", axis=1, ignoreBatch=0)
concat_box_conf = gs.create_plugin_node("concat_box_conf", op="FlattenConcat_TRT", axis=1, ignoreBatch=0)


def detections(class_count):
    """Return the plugin that decodes and suppresses boxes, for so many classes, the background included."""
    return gs.create_plugin_node(
        name="NMS",
        op="NMS_TRT",
        shareLocation=1,
        varianceEncodedInTarget=0,
        backgroundLabelId=0,
        confidenceThreshold=1e-8,
        nmsThreshold=0.6,
        topK=100,
        keepTopK=100,
        numClasses=class_count,
        inputOrder=[0, 2, 1],
        confSigmoid=1,
        isNormalized=1,
    )


def check_names(dynamic_graph):
    """Refuse graphs that are not of this network, which would fail far from here or be converted without a part."""
    names = [node.name for node in dynamic_graph]
    found = {name.partition("/")[0] for name in names}
    refuse("namespace", [name for name in NAMESPACES if name not in found], sorted(found))
    refuse("node", [name for name in NODES if name not in names], sorted(found))


def refuse(kind, missing, found):
    """Raise an error that names what is missing, where anything is."""
    if missing:
        lacks, known = ", ".join(map(repr, missing)), ", ".join(found[:8]) or "none"
        raise ValueError(
            f"the graph has no {kind} {lacks}, so it is not TensorFlow's ssd_inception_v2; its namespaces are {known}"
        )


def count_classes(dynamic_graph):
    """Return the number of classes that the first predictor has a score for, the background included."""
    (biases,) = dynamic_graph.find_nodes_by_path(f"{PREDICTORS[0]}/{BIASES}")
    return gs.extract_numpy_array(biases).size // BOXES_OF_FIRST_CELL


def preprocess(dynamic_graph):
    """Leave out what inference does not need, and put plugins in place of namespaces."""
    check_names(dynamic_graph)
    nms = detections(count_classes(dynamic_graph))
    dynamic_graph.remove(dynamic_graph.find_nodes_by_op("Assert"), remove_exclusive_dependencies=True)
    outputs = {node.name for node in dynamic_graph.graph_outputs}
    identities = [node for node in dynamic_graph.find_nodes_by_op("Identity") if node.name not in outputs]
    dynamic_graph.forward_inputs(identities)
    dynamic_graph.collapse_namespaces(
        {
            "MultipleGridAnchorGenerator": PriorBox,
            "MultipleGridAnchorGenerator/Concatenate": concat_priorbox,
            "MultipleGridAnchorGenerator/Identity": concat_priorbox,
            "Postprocessor": nms,
            "Preprocessor": Input,
            "ToFloat": Input,
            "image_tensor": Input,
            "concat": concat_box_loc,
            "concat_1": concat_box_conf,
        }
    )
    # detection_boxes and the like, which read the plugin's results by TensorFlow's meaning
    dynamic_graph.remove([node for node in dynamic_graph.graph_outputs if node.op != nms.op])
    for name in ("NMS", "Input"):  # both keep inputs of the picture's shape, which they have no use for
        node = dynamic_graph.node_map[name]
        kept = [source for source in node.input if source.partition(":")[0] not in ("Input", "image_tensor")]
        del node.input[:]
        node.input.extend(kept)
