"""Small Caffe and UFF models of forms that outside files have, and what they answer, for tests/gpu/run_parser_cases.py.

python tests/gpu/make_parser_cases.py FOLDER

For the workflow's Python. A case is NAME.json, a model's files beside it, and NAME.npz: `in:INPUT`, and `out:OUTPUT`,
what the framework it comes from answers: OpenCV of Caffe, TensorFlow of UFF.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), *(str(ROOT / "tests" / part) for part in ("reference", "converters"))]

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import test_caffe_meaning as caffe  # noqa: E402
from caffe_weights import random_weights  # noqa: E402
from google.protobuf import text_format  # noqa: E402
from tensorflow_graphs import frozen, lenet, v1  # noqa: E402
from test_uff_shapes import written  # noqa: E402

from trtflow.converters.model_file import import_model  # noqa: E402
from trtflow.formats.arrays import write_arrays  # noqa: E402
from trtflow.formats.caffe import NetParameter, write_caffemodel  # noqa: E402
from trtflow.runtime.model_file import ModelFile  # noqa: E402

DECLARED = {"batchless_nchw": (1, 28, 28), "batchless_nhwc": (28, 28, 1), "batch_nhwc": (None, 28, 28, 1)}
BATCH = 2


def write_case(folder: Path, name: str, file: ModelFile, inputs: np.ndarray, outputs: np.ndarray) -> None:
    """Write what a model is and its one input and output."""
    (folder / f"{name}.json").write_text(json.dumps(file.to_json()))
    (entry,) = file.inputs
    write_arrays(folder / f"{name}.npz", {f"in:{entry}": inputs, f"out:{file.outputs[0]}": outputs})


def write_caffe(folder: Path, name: str, text: str) -> None:
    """Write a Caffe network with random weights, and OpenCV's answer."""
    weights = random_weights(text_format.Parse(caffe.HEAD + text, NetParameter()))
    deploy, model = folder / f"{name}.prototxt", folder / f"{name}.caffemodel"
    deploy.write_text(caffe.HEAD + text)
    write_caffemodel(weights, model)
    x = np.random.default_rng(1).normal(size=(BATCH, 4, 9, 11)).astype(np.float32)
    other = cv2.dnn.readNetFromCaffe(str(deploy), str(model))
    other.setInput(x, "data")
    file = ModelFile("caffe", model, deploy, {"data": [4, 9, 11]}, ["out"])
    write_case(folder, name, file, x, other.forward("out"))


def write_uff(folder: Path, name: str, declared: tuple[int | None, ...]) -> None:
    """Write LeNet as UFF, whose placeholder declares a shape, and TensorFlow's answer."""
    graphdef = frozen(lenet)
    x = np.random.default_rng(0).normal(size=(BATCH, 28, 28, 1)).astype(np.float32)
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        tf.import_graph_def(graphdef, name="")
        wanted = session.run("out:0", {"in:0": x})
    place = folder / name
    place.mkdir(exist_ok=True)
    file = import_model(written(place, graphdef, declared), place / "imported")
    path = folder / f"{name}.uff"
    path.write_bytes(file.path.read_bytes())
    write_case(folder, name, ModelFile("uff", path, None, file.inputs, file.outputs), x.transpose(0, 3, 1, 2), wanted)


def main() -> None:
    """Write the cases."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    folder = arguments.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in caffe.BOTH.items():
        write_caffe(folder, f"caffe_{name.replace(' ', '_')}", text)
    for name, declared in DECLARED.items():
        write_uff(folder, f"uff_{name}", declared)


if __name__ == "__main__":
    main()
