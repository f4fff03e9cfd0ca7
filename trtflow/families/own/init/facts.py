"""What a model says of itself: its inputs and outputs, and what it gives for values drawn by chance."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from trtflow.converters.onnx_model import dtype_of, graph_inputs, shape_of
from trtflow.datasets.own import INPUTS
from trtflow.families.own.adoption import lowered
from trtflow.families.own.forms import take_model
from trtflow.formats import UserError
from trtflow.migration.agreement import draw_inputs
from trtflow.migration.lowering import OnnxRunner
from trtflow.runtime.model_file import ModelFile

SIDE = 224  # of pictures where a model leaves their size open, as most were trained with
ITEMS = 64  # that are drawn where there are no data
SEED = 0
SUM_TOLERANCE = 1e-3
PASSING = ("Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Cast")
CHANNELS, SMALLEST = (1, 3), 16  # channels of a picture, and its least side that is one for sure


@dataclass(frozen=True)
class Facts:
    """A model.

    Attributes:
        source: its file or folder.
        form: caffe, onnx or uff, what parsers take it as.
        inputs: shape without the batch and NumPy's name of the type, by name.
        opened: those inputs whose shape the model leaves open; the shapes are those that were given, those of the data,
            or usual ones.
        outputs: shape without the batch and NumPy's name of the type, by name.
        probable: outputs of rows that are probabilities, as those of a softmax are.
        batch: the one that the model fixes; None where it is open.
        answers: what it gave for values drawn by chance, [N, ...], by the output's name.
        within: of these outputs those that the model does not give, but a suppression in it reads.
        guessed: of the inputs that the model leaves open those whose shape is a usual one.
        quantised: whether the model is INT8 already.
        ends: by output the operator that its values come from, shapes and types aside: Sigmoid, Softmax, …
        file: the model as parsers take it, whose files are gone.
        network: what it becomes as plain ONNX; None where nothing is to be run.
    """

    source: Path
    form: str
    inputs: Mapping[str, tuple[tuple[int, ...], str]]
    opened: list[str]
    outputs: Mapping[str, tuple[tuple[int, ...], str]]
    probable: list[str]
    batch: int | None
    answers: Mapping[str, np.ndarray]
    within: list[str]
    guessed: Sequence[str] = ()
    quantised: bool = False
    ends: Mapping[str, str] = field(default_factory=dict)
    file: ModelFile | None = None
    network: onnx.ModelProto | None = None


def read_facts(
    model: Mapping[str, Any], shapes: Mapping[str, list[int]], arrays: Mapping[str, tuple[int, ...]] = {}
) -> Facts:
    """Return what a model says of itself.

    Args:
        model: `file`, and perhaps `deploy`, `preprocessor` and `plugins`, as in a sample's YAML file.
        shapes: of inputs that the model leaves open, without the batch, by name.
        arrays: shapes of the data's arrays, without the items, by name: of such inputs where none is given.

    Raises:
        UserError: a file is damaged, TensorRT has no way for an operator, or a shape is open and not given.
    """
    path = Path(str(model["file"]))
    own: dict[str, Any] = {"model": dict(model), "inputs": {name: {"shape": shape} for name, shape in shapes.items()}}
    with tempfile.TemporaryDirectory() as folder:
        file = take_model(own, Path(folder))
        opened = [name for name, shape in file.inputs.items() if min(shape, default=1) < 1]
        known = {name: _of_data(name, file.inputs, arrays) for name in opened}
        if opened:
            own["inputs"] |= {name: {"shape": known[name] or _usual(path, name, file.inputs[name])} for name in opened}
            file = take_model(own, Path(folder))
        within = suppressed(file)
        if within:
            own["outputs"] = {name: {} for name in [*file.outputs, *within]}
            file = take_model(own, Path(folder))
        network = lowered(file, path)
        dtypes = _dtypes(file)
    batch = next((shape[0] for value in network.graph.input if (shape := shape_of(value)) and shape[0] > 0), None)
    found = OnnxRunner(network).run(draw_inputs(network, {}, batch or 1, SEED))
    _check_batched(path, {value.name: shape_of(value) for value in network.graph.input}, found)
    return Facts(
        source=path,
        form=file.form,
        inputs={name: (tuple(shape), dtypes.get(name, "float32")) for name, shape in file.inputs.items()},
        opened=[*opened, *(name for name in shapes if name not in opened)],
        guessed=[name for name in opened if known[name] is None],
        outputs={name: (values.shape[1:], str(values.dtype)) for name, values in found.items() if values.ndim},
        probable=[name for name, values in found.items() if _is_probable(values)],
        quantised=file.unquantised is not None,
        ends={name: _end(network.graph, name) for name in found},
        batch=batch,
        answers=found,
        within=within,
        file=file,
        network=network,
    )


def _check_batched(path: Path, shapes: Mapping[str, Sequence[int] | None], found: Mapping[str, np.ndarray]) -> None:
    """Refuse a picture without a batch, as torchvision's detectors take it, whose channels would count as a batch.

    Raises:
        UserError: an input is like that, and no output has as many items.
    """
    for name, shape in shapes.items():
        if not shape or len(shape) != 3 or shape[0] not in CHANNELS or min(shape[1:]) < SMALLEST:
            continue
        if not any(values.ndim and len(values) == shape[0] for values in found.values()):
            raise UserError(
                f"{path}: input {name!r} is a picture without a batch, {list(shape)}. Export the model with one, "
                f"{[1, *shape]}, such as a module whose forward(images) returns model([images[0]])."
            )


def suppressed(file: ModelFile) -> list[str]:
    """Return the boxes and scores that an ONNX model's NonMaxSuppression reads, where what it selects is an output.

    Without these nobody could say what was selected.
    """
    if file.form != "onnx":
        return []
    graph = onnx.load(file.path, load_external_data=False).graph
    nodes = [node for node in graph.node if node.op_type == "NonMaxSuppression" and node.output[0] in file.outputs]
    return [name for name in nodes[0].input[:2] if name not in file.outputs] if len(nodes) == 1 else []


def _dtypes(file: ModelFile) -> dict[str, str]:
    if file.form != "onnx":
        return {}
    model = onnx.load(file.path, load_external_data=False)
    return {value.name: dtype_of(value) for value in graph_inputs(model)}


def _of_data(name: str, inputs: Mapping[str, Sequence[int]], arrays: Mapping[str, tuple[int, ...]]) -> list[int] | None:
    """Return the shape that the data have of an open input: of the array of its name, or of the only input's."""
    shape = arrays.get(name, arrays.get(INPUTS) if len(inputs) == 1 else None)
    if shape is not None or len(inputs) > 1:
        return list(shape) if shape is not None and _fits(shape, inputs[name]) else None
    fitting = {shape for shape in arrays.values() if _fits(shape, inputs[name])}
    return list(fitting.pop()) if len(fitting) == 1 else None


def _fits(shape: Sequence[int], declared: Sequence[int]) -> bool:
    """Whether an array has the shape of an input, as far as that is not open."""
    return len(shape) == len(declared) and all(size in (-1, there) for size, there in zip(declared, shape, strict=True))


def _usual(path: Path, name: str, shape: Any) -> list[int]:
    """Return the shape of an input of pictures whose height and width are open.

    Raises:
        UserError: it is of something else.
    """
    sizes = list(shape)
    if len(sizes) == 3 and sizes[1:] == [-1, -1] and sizes[0] > 0:
        return [sizes[0], SIDE, SIDE]
    if len(sizes) == 3 and sizes[:2] == [-1, -1] and sizes[2] > 0:
        return [SIDE, SIDE, sizes[2]]
    example = ",".join(str(size if size > 0 else 16) for size in sizes)
    raise UserError(
        f"{path}: input {name!r} leaves sizes behind the batch open, {sizes}. Say them: --shape {name}={example}"
    )


def _end(graph: onnx.GraphProto, name: str) -> str:
    """Return the operator whose values a tensor has, past those that change its shape or type; "" of an input."""
    makers = {output: node for node in graph.node for output in node.output}
    while name in makers and makers[name].op_type in PASSING:
        name = makers[name].input[0]
    return makers[name].op_type if name in makers else ""


def _is_probable(values: np.ndarray) -> bool:
    if values.dtype.kind != "f" or values.ndim < 2 or not values.size:
        return False
    rows = values.reshape(len(values), -1)
    return bool(rows.shape[1] > 1 and rows.min() >= 0 and np.abs(rows.sum(axis=1) - 1).max() < SUM_TOLERANCE)


def random_arrays(facts: Facts) -> dict[str, np.ndarray]:
    """Return what inputs take of `ITEMS` items, normal, of whole numbers 0 and 1, by name."""
    random = np.random.default_rng(SEED)
    count = -(-ITEMS // (facts.batch or 1)) * (facts.batch or 1)
    return {
        name: (
            random.integers(0, 2, (count, *shape))
            if np.dtype(dtype).kind in "iub"
            else random.normal(size=(count, *shape))
        ).astype(dtype)
        for name, (shape, dtype) in facts.inputs.items()
    }
