"""PyTorch's exported program (.pt2, of torch.export.save) as ONNX."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch._export.verifier import SpecViolationError

from trtflow.converters.program_archive import REMEDY, open_checked
from trtflow.formats import FormatError, UserError
from trtflow.formats.damage import reason, refuse_damage

OPSET = 17  # the latest that TensorRT 8.6 reads
BATCH = "N"
TRACED = (2, 3)  # batches that an open one is traced with; 1 would be taken for a size that is repeated


def read_program(path: Path) -> Any:
    """Return an exported program.

    Raises:
        FormatError: the file is none, or a damaged one, or would have PyTorch run what it holds.
    """
    with refuse_damage(path, "not an exported program", REMEDY, (SpecViolationError,)), open_checked(path) as copy:
        return torch.export.load(copy)


def export_program(path: Path, target: Path) -> None:
    """Write an exported program as ONNX; a batch that it leaves open is open there.

    Raises:
        FormatError: it is damaged, takes other things than tensors, leaves other sizes open than the first of each, or
            PyTorch cannot say it in ONNX.
    """
    program = read_program(path)
    inputs = _tensors(program, program.graph_signature.user_inputs, path, "input")
    _tensors(program, program.graph_signature.user_outputs, path, "output")
    names = list(inputs), output_names(program)
    for name, value in inputs.items():
        if not all(isinstance(size, int) for size in value.shape[1:]):
            fault = f"input {name!r} leaves sizes behind the batch open, {tuple(value.shape)}"
            raise FormatError(path, fault, "Leave no other size than the first open in dynamic_shapes.")
    open_inputs = [name for name, value in inputs.items() if value.dim() and not isinstance(value.shape[0], int)]
    first = _traced(path, program, inputs.values(), names, TRACED[0])
    if open_inputs:
        first = with_open_batch(path, first, _traced(path, program, inputs.values(), names, TRACED[1]), open_inputs)
    onnx.save(first, target)


def output_names(program: Any) -> list[str]:
    """Return the names that the outputs of a program have in ONNX: those of its graph, or `output` for one."""
    names = list(program.graph_signature.user_outputs)
    return ["output"] if len(names) == 1 else names


def _traced(
    path: Path, program: Any, inputs: Iterable[torch.Tensor], names: tuple[list[str], list[str]], batch: int
) -> onnx.ModelProto:
    """Return a program as ONNX for one batch."""
    example = tuple(_example(value, batch) for value in inputs)
    file: Any = io.BytesIO()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # that tracing is the older of two ways; the newer needs onnxscript
            torch.onnx.export(
                _Traced(program),
                example,
                file,
                input_names=names[0],
                output_names=names[1],
                opset_version=OPSET,
                do_constant_folding=False,
                dynamo=False,
            )
    except (RuntimeError, AssertionError, torch.onnx.errors.OnnxExporterError) as error:
        fault = f"PyTorch cannot say it in ONNX for a batch of {batch} ({reason(error)})"
        raise FormatError(path, fault, "Export another form of it, or to ONNX yourself.") from error
    return onnx.load_from_string(file.getvalue())


def with_open_batch(
    path: Path, first: onnx.ModelProto, second: onnx.ModelProto, inputs: Sequence[str]
) -> onnx.ModelProto:
    """Return a model with an open batch, of the same one traced with the batches `TRACED`.

    Tracing makes a constant of every size. One that is not the same in both grows with the batch, a + k * batch, and is
    computed from the first input's; a weight that is repeated for each item is repeated so often.

    Raises:
        FormatError: the two differ in more than that.
    """
    nodes = [
        helper.make_node("Shape", [inputs[0]], ["batch/shape"]),
        helper.make_node("Constant", [], ["batch/first"], value=numpy_helper.from_array(np.zeros(1, np.int64))),
    ]
    nodes.append(helper.make_node("Gather", ["batch/shape", "batch/first"], ["batch/size"]))
    same = len(first.graph.node) == len(second.graph.node)
    for node, other in zip(first.graph.node, second.graph.node, strict=False):
        same &= (node.op_type, node.input, node.output) == (other.op_type, other.input, other.output)
        if not same or node == other:
            nodes.append(node)
            continue
        opened = _opened(node, other)
        same &= opened is not None
        nodes += opened or []
    if not same or [item.SerializeToString() for item in first.graph.initializer] != [
        item.SerializeToString() for item in second.graph.initializer
    ]:
        fault = "what it computes depends on the batch, which it leaves open"
        raise FormatError(path, fault, "Export it with a fixed batch, and set batch_size to it.")
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del first.graph.node[:]
    first.graph.node.extend(copies)
    del first.graph.value_info[:]
    for value in [*(item for item in first.graph.input if item.name in inputs), *first.graph.output]:
        if value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_param = BATCH
    return first


def _opened(node: onnx.NodeProto, other: onnx.NodeProto) -> list[onnx.NodeProto] | None:
    """Return what stands for a constant that is not the same for both batches; None where nothing can."""
    low, high = TRACED
    first, second = (_constant(item) for item in (node, other))
    if first is None or second is None or first.dtype != second.dtype:
        return None
    if first.shape == second.shape and first.dtype == np.int64:
        growth = (second - first) // (high - low)
        return _grown(node.output[0], first - growth * low, growth)
    repeated = first.shape[:1] == (low,) and second.shape[:1] == (high,) and first.shape[1:] == second.shape[1:]
    if not repeated or (first != first[:1]).any() or (second != first[:1]).any():
        return None
    name = node.output[0]  # a weight that was repeated for each item, as the token of a class
    rest = np.array([0, *first.shape[1:]], np.int64)
    row = helper.make_node("Constant", [], [f"{name}/row"], value=numpy_helper.from_array(first[:1], "row"))
    shape = _grown(f"{name}/shape", rest, np.eye(1, len(rest), dtype=np.int64)[0])
    return [row, *shape, helper.make_node("Expand", [f"{name}/row", f"{name}/shape"], [name])]


def _constant(node: onnx.NodeProto) -> np.ndarray | None:
    """Return the values of a Constant node; None of any other."""
    if node.op_type != "Constant" or not node.attribute or not node.attribute[0].HasField("t"):
        return None
    return np.asarray(numpy_helper.to_array(node.attribute[0].t))


def _grown(name: str, start: np.ndarray, growth: np.ndarray) -> list[onnx.NodeProto]:
    """Return nodes that give start + growth * batch, int64, under a name."""
    found = []
    for part, values in (("start", start), ("growth", growth)):
        tensor = numpy_helper.from_array(np.asarray(values), part)
        found.append(helper.make_node("Constant", [], [f"{name}/{part}"], value=tensor))
    size = "batch/size"
    if start.ndim == 0:
        found.append(helper.make_node("Squeeze", [size], [f"{name}/size"]))
        size = f"{name}/size"
    found.append(helper.make_node("Mul", [size, f"{name}/growth"], [f"{name}/grown"]))
    return [*found, helper.make_node("Add", [f"{name}/grown", f"{name}/start"], [name])]


class _Traced(torch.nn.Module):
    """A program as a module that tracing takes: the program's own refuses to be told that it does not train."""

    def __init__(self, program: Any) -> None:
        super().__init__()
        self.eval()
        module = program.module()
        for values in module.parameters():
            values.requires_grad_(False)
        self._run = [module]  # in a list, so that it is no part of this module

    def forward(self, *inputs: torch.Tensor) -> Any:
        """Return what the program gives."""
        return self._run[0](*inputs)


def _tensors(program: Any, names: Sequence[str], path: Path, what: str) -> Mapping[str, Any]:
    """Return the tensors of inputs or outputs, without values, by name."""
    nodes = {node.name: node for node in program.graph.nodes}
    found = {}
    for name in names:
        value = nodes[name].meta.get("val") if isinstance(name, str) and name in nodes else None
        if not isinstance(value, torch.Tensor):
            raise FormatError(path, f"{what} {name!r} is no tensor", "Export a module that takes and gives tensors.")
        found[name] = value
    if not found:
        raise UserError(f"{path}: it has no {what}.")
    return found


def _example(value: torch.Tensor, batch: int) -> torch.Tensor:
    """Return values for tracing."""
    shape = [size if isinstance(size, int) else batch for size in value.shape]
    return torch.zeros(shape, dtype=value.dtype)
