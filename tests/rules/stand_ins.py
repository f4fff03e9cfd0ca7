"""Stand-ins for published models: names, types, shapes and layouts of the real ones, and weights drawn by chance."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import onnx
import tensorflow as tf
from onnx import TensorProto, helper

from trtflow.converters.checkpoint import read_checkpoint
from trtflow.converters.nmt_checkpoint import convert
from trtflow.families.nmt import network as nmt

# the 65 characters of tiny_shakespeare
CHARACTERS = "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
WORDS = 36548  # of the vocabulary that German and English share in sampleNMT's archive
NMT_ARCHIVE = "nmt/sampleNMT_data.tar.bz2"
USERS, MOVIES = 6040, 3706  # of MovieLens-1M
NCF_LAYERS = {  # of hexiangnan's MLP in the order of its file, with the shapes of W and b
    "item_input": (),
    "user_input": (),
    "item_embedding": ((MOVIES, 32),),
    "user_embedding": ((USERS, 32),),
    "flatten_1": (),
    "flatten_2": (),
    "merge_1": (),
    "layer1": ((64, 32), (32,)),
    "layer2": ((32, 16), (16,)),
    "layer3": ((16, 8), (8,)),
    "prediction": ((8, 1), (1,)),
}
LSTM = {  # of tensorflow-char-rnn's model, on one-hot vectors of 65 characters
    "rnn/multi_rnn_cell/cell_0/basic_lstm_cell/kernel": (193, 512),
    "rnn/multi_rnn_cell/cell_0/basic_lstm_cell/bias": (512,),
    "rnn/multi_rnn_cell/cell_1/basic_lstm_cell/kernel": (256, 512),
    "rnn/multi_rnn_cell/cell_1/basic_lstm_cell/bias": (512,),
    "softmax/softmax_w": (128, 65),
    "softmax/softmax_b": (65,),
}
MNIST_8 = {  # weights of the zoo's network, as CNTK exported it
    "Parameter193": (16, 4, 4, 10),
    "Parameter87": (16, 8, 5, 5),
    "Parameter5": (8, 1, 5, 5),
    "Parameter6": (8, 1, 1),
    "Parameter88": (16, 1, 1),
    "Parameter194": (1, 10),
}


def write_char_rnn(folder: Path) -> list[str]:
    """Write tensorflow-char-rnn's checkpoint, with Adam's variables and counters, its vocabulary and a text."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    numbers = {character: index ^ 1 if index < 64 else index for index, character in enumerate(CHARACTERS)}
    (folder / "vocab.json").write_text(json.dumps(numbers, indent=2))
    (folder / "tiny_shakespeare.txt").write_text("".join(rng.choice(list(CHARACTERS), 3000)))
    # small enough for cells in which a rounding dies away
    values = {name: rng.normal(0, 0.08, shape).astype(np.float32) for name, shape in LSTM.items()}
    values |= {f"{name}/{slot}": np.zeros(shape) for name, shape in LSTM.items() for slot in ("Adam", "Adam_1")}
    values |= {f"training/beta{number}_power": np.float32(0) for number in (1, 2)}
    phases, parts = ("training", "validation", "evaluation"), ("count", "sum_mean_loss")
    values |= {f"{phase}/loss_monitor/{part}": np.float32(9) for phase in phases for part in parts}
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = [tf.compat.v1.Variable(tf.cast(v, tf.float32), name=name) for name, v in values.items()]
        variables.append(tf.compat.v1.Variable(85340.0, name="global_step"))
        session.run([variable.initializer for variable in variables])
        saver = tf.compat.v1.train.Saver(variables)
        saver.save(session, str(folder / "model"), global_step=85340, write_meta_graph=False)
    (folder / "checkpoint").unlink()
    return [f"char_rnn/{path.name}" for path in folder.iterdir()]


def write_movielens(folder: Path, users: int) -> list[str]:
    """Write the weights of *Neural Collaborative Filtering*, a Keras 1 file, and what the first users choose from."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    with h5py.File(folder / "ml-1m_MLP_[64,32,16,8]_1501652038.h5", "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in NCF_LAYERS]
        for layer, shapes in NCF_LAYERS.items():
            group = file.create_group(layer)
            names = [f"{layer}_{suffix}".encode() for suffix in "Wb"[: len(shapes)]]
            group.attrs["weight_names"] = names or np.zeros(0)
            for name, shape in zip(names, shapes, strict=True):
                group[name] = rng.normal(0, 0.5, shape).astype(np.float32)
    lines = []
    for user in range(users):
        first, *others = rng.choice(MOVIES, 100, replace=False)
        lines.append("\t".join([f"({user},{first})", *map(str, others)]) + "\n")
    (folder / "ml-1m.test.negative").write_text("".join(lines))
    return [f"movielens/{path.name}" for path in folder.iterdir()]


def write_nmt(folder: Path, units: int, sentences: int) -> list[str]:
    """Write sampleNMT's archive, both languages with one vocabulary, and newstest2015's files.

    The weight files were made of the checkpoint that is left in `folder`/../nmt_checkpoint.
    """
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    words = ["<unk>", "<s>", "</s>", *(f"w{index}{'@@' if index % 3 == 0 else ''}" for index in range(WORDS - 3))]
    tf.keras.utils.set_random_seed(0)
    weights = nmt.create_weights(WORDS, WORDS, units, 2)
    for variable in weights.values():  # of another word for each state
        variable.assign(variable * 6)
    prefix = folder.parent / "nmt_checkpoint/translate"
    prefix.parent.mkdir()
    nmt.save_checkpoint(weights, prefix)
    files = folder.parent / "nmt_files"
    files.mkdir()
    convert(read_checkpoint(prefix), files, prefix)
    for language in ("de", "en"):
        (files / f"vocab.bpe.32000.{language}").write_text("\n".join(words) + "\n")
        lines = [" ".join(rng.choice(words[3:], count)) for count in rng.integers(3, 9, sentences)]
        (folder / f"newstest2015.tok.bpe.32000.{language}").write_text("\n".join(lines) + "\n")
    with tarfile.open(folder.parent / NMT_ARCHIVE, "w:bz2") as archive:
        for path in sorted(files.iterdir()):
            place = "deen/weights" if path.suffix == ".bin" else "deen"
            archive.add(path, f"samples/nmt/{place}/{path.name}")
    return [f"nmt/{path.name}" for path in folder.iterdir()]


def write_mnist_8(path: Path) -> None:
    """Write the zoo's network for digits as CNTK 2.5.1 exported it, opset 8, with its weights among the inputs."""
    rng = np.random.default_rng(0)
    path.parent.mkdir(parents=True, exist_ok=True)
    values = {name: rng.normal(0, 0.2, shape).astype(np.float32) for name, shape in MNIST_8.items()}
    values |= {
        "Pooling160_Output_0_reshape0_shape": np.array([1, 256]),
        "Parameter193_reshape1_shape": np.array([256, 10]),
    }
    weights = [_field(name, array) for name, array in values.items()]
    same = {"strides": [1, 1], "auto_pad": "SAME_UPPER", "group": 1, "dilations": [1, 1], "kernel_shape": [5, 5]}
    nodes = [
        _node("Times212_reshape1", "Reshape", "Parameter193 Parameter193_reshape1_shape", "Parameter193_reshape1"),
        _node("Convolution28", "Conv", "Input3 Parameter5", **same),
        _node("Plus30", "Add", "Convolution28_Output_0 Parameter6"),
        _node("ReLU32", "Relu", "Plus30_Output_0"),
        _pooling("Pooling66", "ReLU32_Output_0", 2),
        _node("Convolution110", "Conv", "Pooling66_Output_0 Parameter87", **same),
        _node("Plus112", "Add", "Convolution110_Output_0 Parameter88"),
        _node("ReLU114", "Relu", "Plus112_Output_0"),
        _pooling("Pooling160", "ReLU114_Output_0", 3),
        _node(
            "Times212_reshape0",
            "Reshape",
            "Pooling160_Output_0 Pooling160_Output_0_reshape0_shape",
            "Pooling160_Output_0_reshape0",
        ),
        _node("Times212", "MatMul", "Pooling160_Output_0_reshape0 Parameter193_reshape1"),
        _node("Plus214", "Add", "Times212_Output_0 Parameter194"),
    ]
    inputs = [helper.make_tensor_value_info("Input3", TensorProto.FLOAT, [1, 1, 28, 28])]
    inputs += [helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims) for weight in weights]
    output = helper.make_tensor_value_info("Plus214_Output_0", TensorProto.FLOAT, [1, 10])
    graph = helper.make_graph(nodes, "CNTKGraph", inputs, [output], weights)
    opsets = [helper.make_opsetid("", 8)]
    made = helper.make_model(graph, producer_name="CNTK", producer_version="2.5.1", opset_imports=opsets, ir_version=3)
    onnx.checker.check_model(made)
    onnx.save(made, path)


def _field(name: str, array: np.ndarray) -> Any:
    """A tensor whose values are numbers of the message, and no raw bytes."""
    kind = TensorProto.FLOAT if array.dtype == np.float32 else TensorProto.INT64
    return helper.make_tensor(name, kind, array.shape, array.ravel())


def _node(name: str, kind: str, inputs: str, output: str = "", **attributes: Any) -> Any:
    return helper.make_node(kind, inputs.split(), [output or f"{name}_Output_0"], name=name, **attributes)


def _pooling(name: str, value: str, size: int) -> Any:
    sides: Sequence[int] = [size, size]
    return _node(name, "MaxPool", value, kernel_shape=sides, strides=sides, pads=[0, 0, 0, 0], auto_pad="NOTSET")
