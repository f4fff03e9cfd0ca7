"""Detectors of coloured squares that end in a suppression of their own, in the forms that exporters give them.

The network is that of docs/your-own-detector.md: a convolution asks how much of its colour each square of the grid has.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from trtflow.formats.caffe import NetParameter, array_to_blob, write_caffemodel, write_prototxt

SIZE, CELL, SIDE, COUNT = 64, 8, 16, 20  # pixels of a picture, a cell, a square; detections of a picture
CELLS = (SIZE // CELL) ** 2
SURE, LEAST = 16.0, 0.3  # how fast a score grows with the share of its colour; the least that is kept
FLOAT, INT64, INT32 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT32


def shares() -> tuple[np.ndarray, np.ndarray]:
    """Return kernel and bias of the convolution, float32 [3, 3, 16, 16] and [3]."""
    kernel = np.zeros((3, 3, SIDE, SIDE), np.float32)
    kernel[range(3), range(3)] = SURE / SIDE**2
    return kernel, np.full(3, -0.8 * SURE, np.float32)


def corners() -> np.ndarray:
    """Return the squares, float32 [1, 64, 4], left, top, right, bottom in pixels."""
    along = np.arange(CELL / 2, SIZE, CELL)
    middle = np.stack(np.meshgrid(along, along), -1).reshape(1, CELLS, 2)
    return np.concatenate([middle - SIDE / 2, middle + SIDE / 2], -1).astype(np.float32)


def write(path: Path, nodes: list[NodeProto], outputs: dict[str, tuple[int, list]], **constants: np.ndarray) -> None:
    """Write the network with nodes behind it: they read `boxes` [1, 64, 4] and `scores` [1, 3, 64]."""
    kernel, bias = shares()
    constants = {"kernel": kernel, "bias": bias, "boxes": corners(), "table": np.array([1, 3, CELLS]), **constants}
    trunk = [
        helper.make_node("Conv", ["images", "kernel", "bias"], ["map"], strides=[CELL, CELL], pads=[4, 4, 4, 4]),
        helper.make_node("Reshape", ["map", "table"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["scores"]),
        helper.make_node("Identity", ["boxes"], ["squares"]),
    ]
    graph = helper.make_graph(
        [*trunk, *nodes],
        path.stem,
        [helper.make_tensor_value_info("images", FLOAT, [1, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in outputs.items()],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)


def suppression(boxes: str) -> tuple[NodeProto, dict[str, np.ndarray]]:
    """Return a NonMaxSuppression and its constants."""
    constants = {"most": np.array([COUNT]), "overlap": np.float32([0.5]), "least": np.float32([LEAST])}
    return helper.make_node("NonMaxSuppression", [boxes, "scores", *constants], ["selected"]), constants


def write_selected(path: Path) -> None:
    """The indices of NonMaxSuppression alone, as they come out of it; boxes are y, x, y, x."""
    node, constants = suppression("turned")
    turn = helper.make_node("Gather", ["squares", "order"], ["turned"], axis=2)
    write(path, [turn, node], {"selected": (INT64, ["K", 3])}, **constants, order=np.array([1, 0, 3, 2]))


def write_rows7(path: Path) -> None:
    """Rows of YOLOv7's end2end export: picture, box, label, score."""
    node, constants = suppression("squares")
    nodes = [
        node,
        helper.make_node("Gather", ["selected", "zero"], ["picture"], axis=1),
        helper.make_node("Gather", ["selected", "one"], ["label"], axis=1),
        helper.make_node("Gather", ["selected", "two"], ["place"], axis=1),
        helper.make_node("Reshape", ["place", "flat"], ["places"]),
        helper.make_node("Gather", ["squares", "places"], ["its_boxes"], axis=1),
        helper.make_node("Reshape", ["its_boxes", "fours"], ["kept"]),
        helper.make_node("Concat", ["label", "place"], ["pair"], axis=1),
        helper.make_node("Squeeze", ["scores", "first"], ["plain"]),
        helper.make_node("GatherND", ["plain", "pair"], ["chosen"]),
        helper.make_node("Unsqueeze", ["chosen", "last"], ["score"]),
        helper.make_node("Cast", ["picture"], ["picture_f"], to=FLOAT),
        helper.make_node("Cast", ["label"], ["label_f"], to=FLOAT),
        helper.make_node("Concat", ["picture_f", "kept", "label_f", "score"], ["rows"], axis=1),
    ]
    numbers = {"zero": [0], "one": [1], "two": [2], "flat": [-1], "fours": [-1, 4], "first": [0], "last": [1]}
    constants |= {name: np.array(value) for name, value in numbers.items()}
    write(path, nodes, {"rows": (FLOAT, ["K", 7])}, **constants)


def write_torchvision(path: Path) -> None:
    """Boxes, scores and labels of one picture as torchvision's exports have them: no size of them is known.

    What is likely is chosen with NonZero, at most `COUNT` with a TopK whose k follows from it, what overlaps goes
    unless nothing is there (If).
    """
    tensor = helper.make_tensor_value_info
    suppressed = helper.make_graph(
        [
            helper.make_node("Unsqueeze", ["apart", "first"], ["apart_1"]),
            helper.make_node("Unsqueeze", ["values", "front"], ["values_1"]),
            helper.make_node("NonMaxSuppression", ["apart_1", "values_1", "most", "overlap"], ["selected"]),
            helper.make_node("Gather", ["selected", "two"], ["kept"], axis=1),
        ],
        "suppressed",
        [],
        [tensor("kept", INT64, ["K"])],
    )
    none = helper.make_graph(
        [helper.make_node("ConstantOfShape", ["first"], ["none"], value=numpy_helper.from_array(np.array([0])))],
        "none",
        [],
        [tensor("none", INT64, ["K"])],
    )
    nodes = [
        helper.make_node("Squeeze", ["scores", "first"], ["plain"]),
        helper.make_node("Greater", ["plain", "least"], ["likely"]),
        helper.make_node("NonZero", ["likely"], ["places"]),
        helper.make_node("Transpose", ["places"], ["pairs"]),
        helper.make_node("GatherND", ["plain", "pairs"], ["chosen"]),
        helper.make_node("Shape", ["chosen"], ["there"]),
        helper.make_node("Min", ["there", "most"], ["taken"]),
        helper.make_node("TopK", ["chosen", "taken"], ["values", "order"]),
        helper.make_node("Gather", ["pairs", "order"], ["ordered"]),
        helper.make_node("Gather", ["ordered", "zero"], ["classes"], axis=1),
        helper.make_node("Gather", ["ordered", "one"], ["cells"], axis=1),
        helper.make_node("Squeeze", ["squares", "first"], ["table_of_squares"]),
        helper.make_node("Gather", ["table_of_squares", "cells"], ["its_boxes"]),
        helper.make_node("Cast", ["classes"], ["classes_f"], to=FLOAT),
        helper.make_node("Mul", ["classes_f", "far"], ["away"]),  # boxes of each class lie where no other's do
        helper.make_node("Unsqueeze", ["away", "last"], ["away_2"]),
        helper.make_node("Add", ["its_boxes", "away_2"], ["apart"]),
        helper.make_node("Size", ["values"], ["count"]),
        helper.make_node("Equal", ["count", "zero"], ["empty"]),
        helper.make_node("If", ["empty"], ["kept_ones"], then_branch=none, else_branch=suppressed),
        helper.make_node("Gather", ["its_boxes", "kept_ones"], ["boxes_out"]),
        helper.make_node("Gather", ["values", "kept_ones"], ["scores_out"]),
        helper.make_node("Gather", ["classes", "kept_ones"], ["kept_classes"]),
        helper.make_node("Add", ["kept_classes", "one"], ["labels_out"]),
    ]
    constants = {"most": np.array([COUNT]), "overlap": np.float32([0.5]), "least": np.float32(LEAST)}
    numbers = {"zero": 0, "one": 1, "two": 2, "first": [0], "front": [0, 1], "last": [1]}
    constants |= {name: np.array(value) for name, value in numbers.items()} | {"far": np.float32(2 * SIZE)}
    outputs = {"boxes_out": (FLOAT, ["K", 4]), "labels_out": (INT64, ["K"]), "scores_out": (FLOAT, ["K"])}
    write(path, nodes, outputs, **constants)


def best() -> tuple[list[NodeProto], dict[str, np.ndarray]]:
    """Return nodes that give the best `COUNT` cells: `best_scores` and `labels` [1, K], `best_boxes` [1, K, 4]."""
    nodes = [
        helper.make_node("ReduceMax", ["scores"], ["top"], axes=[1], keepdims=0),
        helper.make_node("ArgMax", ["scores"], ["classes"], axis=1, keepdims=0),
        helper.make_node("TopK", ["top", "count"], ["best_scores", "places"], axis=1),
        helper.make_node("GatherElements", ["classes", "places"], ["labels"], axis=1),
        helper.make_node("Cast", ["labels"], ["labels_f"], to=FLOAT),
        helper.make_node("Unsqueeze", ["places", "end"], ["column"]),
        helper.make_node("Expand", ["column", "wide"], ["columns"]),
        helper.make_node("GatherElements", ["squares", "columns"], ["best_boxes"], axis=1),
    ]
    return nodes, {"count": np.array([COUNT]), "end": np.array([2]), "wide": np.array([1, COUNT, 4])}


def write_rows6(path: Path) -> None:
    """Rows of box, score, label, as YOLOv10's export."""
    nodes, constants = best()
    nodes += [helper.make_node("Unsqueeze", [name, "end"], [f"{name}_3"]) for name in ("best_scores", "labels_f")]
    nodes.append(helper.make_node("Concat", ["best_boxes", "best_scores_3", "labels_f_3"], ["output0"], axis=2))
    write(path, nodes, {"output0": (FLOAT, [1, COUNT, 6])}, **constants)


def write_tensorflow(path: Path) -> None:
    """The four outputs of TensorFlow's detectors: boxes y, x, y, x from 0 to 1, labels from 1."""
    nodes, constants = best()
    nodes += [
        helper.make_node("Gather", ["best_boxes", "order"], ["yxyx"], axis=2),
        helper.make_node("Div", ["yxyx", "side"], ["detection_boxes"]),
        helper.make_node("Add", ["labels_f", "unit"], ["detection_classes"]),
        helper.make_node("Identity", ["best_scores"], ["detection_scores"]),
        helper.make_node("Greater", ["best_scores", "least"], ["sure"]),
        helper.make_node("Cast", ["sure"], ["sure_f"], to=FLOAT),
        helper.make_node("ReduceSum", ["sure_f", "across"], ["num_detections"], keepdims=0),
    ]
    constants |= {"order": np.array([1, 0, 3, 2]), "across": np.array([1]), "side": np.float32(SIZE)}
    constants |= {"unit": np.float32(1), "least": np.float32(LEAST)}
    shapes = {"boxes": [1, COUNT, 4], "classes": [1, COUNT], "scores": [1, COUNT]}
    outputs = {f"detection_{name}": (FLOAT, shape) for name, shape in shapes.items()}
    write(path, nodes, {**outputs, "num_detections": (FLOAT, [1])}, **constants)


def write_efficient(path: Path, domain: str = "") -> None:
    """EfficientNMS_TRT, a plugin of TensorRT's, as Ultralytics' and YOLOv7's exports for it have it."""
    attributes = {"background_class": -1, "box_coding": 0, "iou_threshold": 0.5, "max_output_boxes": COUNT}
    attributes |= {"plugin_version": "1", "score_activation": 0, "score_threshold": LEAST}
    names = ["num_dets", "det_boxes", "det_scores", "det_classes"]
    nodes = [
        helper.make_node("Transpose", ["scores"], ["by_box"], perm=[0, 2, 1]),
        helper.make_node("EfficientNMS_TRT", ["squares", "by_box"], names, domain=domain, **attributes),
    ]
    outputs = {"num_dets": (INT32, [1, 1]), "det_boxes": (FLOAT, [1, COUNT, 4])}
    outputs |= {"det_scores": (FLOAT, [1, COUNT]), "det_classes": (INT32, [1, COUNT])}
    write(path, nodes, outputs)


def write_caffe(path: Path) -> None:
    """Caffe's SSD of one map, down to DetectionOutput."""
    net = NetParameter(name="squares")
    net.layer.add(name="data", type="Input", top=["data"]).input_param.shape.add(dim=[1, 3, SIZE, SIZE])
    kernel, bias = shares()
    arrays = {
        "conf": (np.concatenate([np.zeros_like(kernel[:1]), kernel]), np.concatenate([np.zeros(1, np.float32), bias])),
        "loc": (np.zeros((4, 3, SIDE, SIDE), np.float32), np.zeros(4, np.float32)),
    }
    weighted = {}
    for name, (values, _) in arrays.items():
        layer = weighted[name] = net.layer.add(name=name, type="Convolution", bottom=["data"], top=[name])
        layer.convolution_param.num_output = len(values)
        layer.convolution_param.kernel_size.append(SIDE)
        layer.convolution_param.stride.append(CELL)
        layer.convolution_param.pad.append(4)
        turn = net.layer.add(name=f"{name}_perm", type="Permute", bottom=[name], top=[f"{name}_perm"])
        turn.permute_param.order.extend([0, 2, 3, 1])
        net.layer.add(name=f"{name}_flat", type="Flatten", bottom=[f"{name}_perm"], top=[f"{name}_flat"])
    prior = net.layer.add(name="prior", type="PriorBox", bottom=["conf", "data"], top=["prior"]).prior_box_param
    prior.min_size.append(SIDE)
    prior.step, prior.clip = CELL, False
    prior.variance.extend([0.1, 0.1, 0.2, 0.2])
    shape = net.layer.add(name="rows", type="Reshape", bottom=["conf_flat"], top=["rows"]).reshape_param.shape
    shape.dim.extend([0, -1, 4])
    net.layer.add(name="prob", type="Softmax", bottom=["rows"], top=["prob"]).softmax_param.axis = 2
    net.layer.add(name="prob_flat", type="Flatten", bottom=["prob"], top=["prob_flat"])
    bottom = ["loc_flat", "prob_flat", "prior"]
    told = net.layer.add(name="out", type="DetectionOutput", bottom=bottom, top=["out"]).detection_output_param
    told.num_classes, told.keep_top_k, told.confidence_threshold, told.code_type = 4, COUNT, LEAST, 2
    told.nms_param.nms_threshold, told.nms_param.top_k = 0.5, 100
    write_prototxt(net, path.with_suffix(".prototxt"))
    for name, layer in weighted.items():
        layer.blobs.extend(map(array_to_blob, arrays[name]))
    write_caffemodel(net, path)
