"""Map ReLU6, which stands for any layer that UFF or TensorRT lacks, to the clip plugin (guide chapter 22).

`convert-to-uff -p` runs this; it is written for NVIDIA's graphsurgeon and runs on trtflow's as it is.
"""

import graphsurgeon as gs


def preprocess(dynamic_graph):
    """Put one plugin node in place of every ReLU6."""
    for index, node in enumerate(dynamic_graph.find_nodes_by_op("Relu6")):
        clip = gs.create_plugin_node(name=f"trt_relu6_{index}", op="CustomClipPlugin", clipMin=0.0, clipMax=6.0)
        dynamic_graph.collapse_namespaces({node.name: clip})
