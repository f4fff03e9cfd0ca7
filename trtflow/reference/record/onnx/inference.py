"""Types and shapes of a node's outputs: ONNX's own inference, and where sizes come from values, rules for those."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import helper, numpy_helper

from trtflow.reference.record.onnx.errors import ErrorCode, Refusal
from trtflow.reference.record.onnx.known_values import LARGEST, Values
from trtflow.reference.record.onnx.registry import attribute, captured, graphs_of, schema_of
from trtflow.reference.record.onnx.sizes import Known, Shape, Size, product, quotient

IR_VERSION = 10
PREFIX = re.compile(r"^\[\w+\] (\(op_type:[^)]*\): )?(\[\w+\] )?")
Rule = Callable[[onnx.NodeProto, list[Values], list[Shape]], Shape | None]


@dataclass
class Told:
    """What is known of a value before it is computed.

    Attributes:
        elem_type: ONNX's type, 0 where it is no tensor.
        shape: its sizes, None where not even their number is known.
        known: its values, where shapes are made of them and they are known.
        array: its values where it is constant.
    """

    elem_type: int
    shape: Shape | None
    known: Values = None
    array: np.ndarray | None = None


@dataclass
class Inference:
    """Infers node by node, and remembers the sizes that ONNX's inference knows by name only."""

    opset: int
    sizes: dict[str, Size] = field(default_factory=dict)
    _count: int = 0

    def new_size(self) -> Size:
        """Return a size of which nothing is known."""
        self._count += 1
        return self.named(f"?{self._count}")

    def named(self, name: str) -> Size:
        """Return the size of a name."""
        return self.sizes.setdefault(name, Size.named(name))

    def of(self, node: onnx.NodeProto, told: dict[str, Told], opsets: list[onnx.OperatorSetIdProto]) -> list[Told]:
        """Return what is known of each output of a node that is there.

        Raises:
            Refusal: the node contradicts its inputs.
        """
        model = self.alone(node, told, opsets)
        schema = schema_of(node, self.opset)
        strict = schema is not None and not schema.has_function and not schema.has_context_dependent_function
        try:
            inferred = onnx.shape_inference.infer_shapes(model, strict_mode=strict, data_prop=True)
        except Exception as error:  # InferenceError, or a ValidationError of the checker
            fault = f"It contradicts itself or its inputs: {_reason(error)}"
            raise Refusal(f"Invalid Node - {title(node)}", fault) from error
        found = {value.name: value for value in inferred.graph.output}
        results = [self._read(found[name]) for name in node.output if name]
        if node.op_type == "Loop":
            self._follow_states(node, told, results)
        by_values = self._by_values(node, told)
        if by_values is not None:
            exact = node.op_type == "Resize"  # whose sizes ONNX's inference does not round as kernels do
            results[0].shape = by_values if exact else _closer(results[0].shape, by_values)
        return results

    def alone(
        self, node: onnx.NodeProto, told: dict[str, Told], opsets: list[onnx.OperatorSetIdProto]
    ) -> onnx.ModelProto:
        """Return a model of a node and what is known of its inputs."""
        graph = helper.make_graph([node], "node", [], [])
        for name in dict.fromkeys([*node.input, *captured(node)]):
            if name in told:
                self._define(graph, name, told[name])
        graph.output.extend(helper.make_empty_tensor_value_info(name) for name in node.output if name)
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)

    def check_types(self, node: onnx.NodeProto, told: dict[str, Told], opsets: list[onnx.OperatorSetIdProto]) -> None:
        """Check the types of a node's inputs against its operator.

        Raises:
            Refusal: ONNX has the operator not for such types.
        """
        try:
            onnx.shape_inference.infer_shapes(self.alone(node, told, opsets), check_type=True)
        except onnx.shape_inference.InferenceError as error:
            remedy = f"ONNX has the operator not for such inputs: {_reason(error)}. Cast before it."
            raise Refusal(f"Invalid Node - {title(node)}", remedy, ErrorCode.INVALID_NODE) from error

    def _follow_states(self, node: onnx.NodeProto, told: dict[str, Told], results: list[Told]) -> None:
        """Give what a Loop carries the shape that it begins with, which TensorRT holds it to, and what it collects.

        ONNX's inference knows neither, for there shapes may change from one iteration to the next.
        """
        body = onnx.GraphProto()
        body.CopyFrom(next(graphs_of(node)))
        states = [told[name] for name in node.input[2:]]
        for value, state in zip(body.input[2:], states, strict=True):
            single = onnx.GraphProto()
            self._define(single, value.name, Told(state.elem_type, state.shape))
            value.CopyFrom(single.input[0])
        for name in captured(node):
            self._define(body, name, told[name])
        model = helper.make_model(body, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=IR_VERSION)
        inner = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
        shapes = [state.shape for state in states]
        trips = told[node.input[0]].known if node.input[0] else None
        for value in inner.output[1 + len(states) :]:
            shape = self._read(value).shape
            count = self.new_size() if trips is None else trips.ravel()[0]
            shapes.append(None if shape is None else (count, *shape))
        present = [shape for name, shape in zip(node.output, shapes, strict=True) if name]
        for result, shape in zip(results, present, strict=True):
            result.shape = shape if result.shape is None or shape is not None else result.shape

    def refine(self, told: Told, declared: onnx.ValueInfoProto) -> None:
        """Take a shape of which not even the rank is known from what the model declares, which may be wrong.

        Nothing else is taken from there: TensorRT does not read it.
        """
        if told.shape is None and declared.type.tensor_type.HasField("shape"):
            told.shape = self._read(declared).shape

    def _define(self, graph: onnx.GraphProto, name: str, told: Told) -> None:
        small = told.array is not None and told.array.size <= LARGEST
        if small and told.array is not None:
            graph.initializer.append(numpy_helper.from_array(told.array, name))
            return
        value = graph.input.add()
        value.name = name
        value.type.tensor_type.elem_type = told.elem_type
        if told.shape is None:
            return
        value.type.tensor_type.shape.SetInParent()
        for size in told.shape:
            dim = value.type.tensor_type.shape.dim.add()
            if isinstance(size, int):
                dim.dim_value = size
            else:
                dim.dim_param = str(size)
                self.sizes[str(size)] = size

    def _read(self, value: onnx.ValueInfoProto) -> Told:
        tensor = value.type.tensor_type
        if not tensor.HasField("shape"):
            return Told(tensor.elem_type, None)
        sizes: list[Known] = []
        for dim in tensor.shape.dim:
            named = dim.HasField("dim_param") and dim.dim_param in self.sizes
            known: Known = self.sizes[dim.dim_param] if named else self.new_size()
            sizes.append(dim.dim_value if dim.HasField("dim_value") else known)
        return Told(tensor.elem_type, tuple(sizes))

    def _by_values(self, node: onnx.NodeProto, told: dict[str, Told]) -> Shape | None:
        rule = SHAPES.get(node.op_type)
        inputs = [told.get(name) for name in node.input]
        if rule is None or not inputs or any(item is not None and item.shape is None for item in inputs):
            return None
        values = [None if item is None else self._values(item) for item in inputs]
        if node.op_type == "Resize" and (scaled := _scaled(inputs)) is not None:
            return scaled
        shapes = [() if item is None or item.shape is None else item.shape for item in inputs]
        try:
            return rule(node, values, shapes)
        except (TypeError, ValueError, IndexError, ArithmeticError):  # a fault that the check of the node tells
            return None

    def _values(self, told: Told) -> Values:
        """Return known values; of a short row that is not known, new sizes stand for them."""
        if told.known is not None:
            return told.known
        whole = told.elem_type in (onnx.TensorProto.INT32, onnx.TensorProto.INT64)
        if not whole or told.shape is None or len(told.shape) != 1 or not isinstance(told.shape[0], int):
            return None
        row = np.empty(told.shape[0], object)
        row[:] = [self.new_size() for _ in range(told.shape[0])]
        return row


def _reason(error: Exception) -> str:
    """Return what ONNX's inference says is wrong, without the kind of its error and the node, which are told before."""
    return PREFIX.sub("", str(error).strip().splitlines()[-1])


def title(node: onnx.NodeProto) -> str:
    """Return what TensorRT calls a node in its errors."""
    return node.name or (f"node_of_{node.output[0]}" if node.output else node.op_type)


def _closer(inferred: Shape | None, by_values: Shape) -> Shape:
    if inferred is None or len(inferred) != len(by_values):
        return by_values
    return tuple(a if isinstance(a, int) else b for a, b in zip(inferred, by_values, strict=True))


def _is_new(size: Known) -> bool:
    """Whether a size is made of one of which nothing is known."""
    return isinstance(size, Size) and any(name.startswith("?") for names in size.terms for name in names)


def _reshape(node: onnx.NodeProto, values: list[Values], shapes: list[Shape]) -> Shape | None:
    data, target = shapes[0], values[1]
    if target is None:
        return None
    if all(_is_new(size) for size in target.tolist()):
        return tuple(target.tolist())
    copies = not attribute(node, "allowzero", 0)
    sizes = [data[axis] if copies and isinstance(size, int) and size == 0 else size for axis, size in enumerate(target)]
    if -1 in [size for size in sizes if isinstance(size, int)]:
        place = next(index for index, size in enumerate(sizes) if isinstance(size, int) and size == -1)
        rest = product(size for index, size in enumerate(sizes) if index != place)
        sizes[place] = quotient(product(data), rest)
    return tuple(sizes)


def _expand(node: onnx.NodeProto, values: list[Values], shapes: list[Shape]) -> Shape | None:
    if values[1] is None:
        return None
    data, target = shapes[0], tuple(values[1].tolist())
    rank = max(len(data), len(target))
    data, target = (1,) * (rank - len(data)) + data, (1,) * (rank - len(target)) + target
    return tuple(b if a == 1 else a for a, b in zip(data, target, strict=True))


def _filled(node: onnx.NodeProto, values: list[Values], shapes: list[Shape]) -> Shape | None:
    return None if values[0] is None else tuple(values[0].tolist())


def _tiled(node: onnx.NodeProto, values: list[Values], shapes: list[Shape]) -> Shape | None:
    if values[1] is None:
        return None
    return tuple(size * count for size, count in zip(shapes[0], values[1].tolist(), strict=True))


def _joined(node: onnx.NodeProto, values: list[Values], shapes: list[Shape]) -> Shape | None:
    axis, total = attribute(node, "axis") % len(shapes[0]), list(shapes[0])
    for shape in shapes[1:]:
        for place, size in enumerate(shape):
            if place == axis:
                total[place] = total[place] + size
            elif isinstance(size, int):
                total[place] = size
    return tuple(total)


def _resized(node: onnx.NodeProto, values: list[Values], shapes: list[Shape]) -> Shape | None:
    if len(values) > 3 and values[3] is not None and values[3].size:
        return tuple(values[3].tolist())
    return None


def _scaled(inputs: list[Told | None]) -> Shape | None:
    """Return the sizes that a Resize by constant scales gives, multiplied in float32 as the kernels do."""
    data, scales = inputs[0], inputs[2] if len(inputs) > 2 else None
    if data is None or data.shape is None or scales is None or scales.array is None or not scales.array.size:
        return None
    pairs = zip(data.shape, scales.array.astype(np.float32), strict=True)
    return tuple(
        int(np.floor(np.float32(size) * scale))
        if isinstance(size, int)
        else size
        if scale == 1
        else _whole(size, scale)
        for size, scale in pairs
    )


def _whole(size: Size, scale: np.float32) -> Known:
    whole = int(scale) == scale
    return size * int(scale) if whole else Size.named(f"floor({size} * {scale})")


def _cut(node: onnx.NodeProto, values: list[Values], shapes: list[Shape]) -> Shape | None:
    if values[1] is None or values[2] is None:
        return None
    starts, ends, count = values[1].tolist(), values[2].tolist(), len(values[1])
    given = [value.tolist() for value in values[3:] if value is not None]
    axes, steps = (given[0] if given else list(range(count))), (given[1] if len(given) > 1 else [1] * count)
    shape = list(shapes[0])
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        shape[axis] = _cut_size(shape[axis], start, end, step)
    return tuple(shape)


def _cut_size(whole: Known, start: Known, end: Known, step: Known) -> Known:
    """Return the size of a cut, exact where the ends lie inside whatever the unknown sizes are."""
    if all(isinstance(item, int) for item in (whole, start, end, step)):
        return len(range(*slice(start, end, step).indices(whole)))  # type: ignore[arg-type]
    if not isinstance(step, int) or step < 1 or not isinstance(start, int):
        return Size.named(f"slice({whole}, {start}, {end}, {step})")
    if (isinstance(end, int) and end >= 2**31 - 1) or end == whole:
        end = whole
    elif isinstance(end, int) and end < 0:
        end = whole + end
    elif isinstance(whole, Size):
        return Size.named(f"slice({whole}, {start}, {end}, {step})")
    first = whole + start if start < 0 else start
    return quotient(end - first + (step - 1), step) if step != 1 else end - first


def _ranged(node: onnx.NodeProto, values: list[Values], shapes: list[Shape]) -> Shape | None:
    if any(value is None for value in values):
        return None
    start, limit, step = (value.ravel()[0] for value in values if value is not None)
    return (quotient(limit - start, step),) if step == 1 else None


SHAPES: dict[str, Rule] = {
    "Reshape": _reshape,
    "Expand": _expand,
    "ConstantOfShape": _filled,
    "Tile": _tiled,
    "Concat": _joined,
    "Resize": _resized,
    "Slice": _cut,
    "Range": _ranged,
    "MeanVarianceNormalization": lambda node, values, shapes: shapes[0],
}
