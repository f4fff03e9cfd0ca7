"""Fit the recommender's graph to TensorRT's UFF parser, as sampleMovieLens does (guide chapters 14 and 15).

`convert-to-uff -p` runs this; it is written for NVIDIA's graphsurgeon and runs on trtflow's as it is.
"""


def preprocess(dynamic_graph):
    """Join the embeddings along axis 2, and look numbers up as they are."""
    # A user's 100 movies are one input of 100 rows, which the parser counts as an axis in front of the embedding's.
    for concat in dynamic_graph.find_nodes_by_op("ConcatV2"):
        axis = dynamic_graph.node_map[concat.input[-1]]
        axis.attr["value"].tensor.int_val[0] = 2
    # Keras counts negative numbers from the table's end, with operations that UFF lacks. There are none here.
    for choice in dynamic_graph.find_nodes_by_op("SelectV2"):
        numbers = choice.input[2]
        del choice.input[:]
        choice.input.append(numbers)
        choice.op = "Identity"
