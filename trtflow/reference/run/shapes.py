"""Shapes of outputs from shapes of inputs: by inference, and where that does not tell, by a run on zeros."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np
import onnx

from trtflow.reference.record.values import Dims, volume
from trtflow.reference.run.value_sizes import ValueSizes

Key = tuple[tuple[str, tuple[int, ...]], ...]
Run = Callable[[Mapping[str, Dims]], list[tuple[int, ...]]]
DYADIC = 256  # scales that are a multiple of one part in so many give the same product in any precision
LARGEST = 64  # elements of an initializer whose values may be part of a shape


class OutputShapes:
    """Infers and remembers the shapes of a network's outputs.

    Args:
        model: the lowered network.
        shape_inputs: names of inputs whose values are sizes; they are known before a run.
    """

    def __init__(self, model: onnx.ModelProto, shape_inputs: Collection[str] = ()) -> None:
        self._model = _without_weights(model)
        self._names = [value.name for value in model.graph.output]
        initializers = {tensor.name for tensor in model.graph.initializer}
        inputs = [value.name for value in model.graph.input if value.name not in initializers]
        self.by_values = ValueSizes(self._model, [name for name in inputs if name not in shape_inputs])
        self.by_any_values = ValueSizes(self._model, inputs)
        self._rounds = any(_rounds(node, model.graph) for node in model.graph.node)
        self._inferred: dict[Key, dict[str, Dims]] = {}
        self._run: dict[Key, dict[str, Dims]] = {}

    def by_shape_values(self, output: str) -> bool:
        """Whether the sizes of an output depend on values that are sizes."""
        return output in self.by_any_values.outputs - self.by_values.outputs

    def of(self, output: str, inputs: Mapping[str, Dims], values: Mapping[str, np.ndarray], run: Run) -> Dims:
        """Return the shape of an output.

        Args:
            output: its name.
            inputs: shape of each input.
            values: those of inputs that are sizes, with which `run` runs; others' sizes may hang on what is not there.
            run: runs the network on zeros of such shapes and returns the outputs' shapes.
        """
        key = tuple((name, tuple(shape)) for name, shape in inputs.items())
        key += tuple((name, tuple(sizes.ravel().tolist())) for name, sizes in values.items())
        if key not in self._inferred:
            self._inferred[key] = self._infer(inputs)
        found = self._inferred[key]
        if not self._rounds and -1 not in found[output]:
            return found[output]
        if key not in self._run:
            self._run[key] = {name: Dims(shape) for name, shape in zip(self._names, run(inputs), strict=True)}
        return self._run[key][output]

    def _infer(self, inputs: Mapping[str, Dims]) -> dict[str, Dims]:
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        for value in model.graph.input:
            if value.name in inputs:
                for dim, size in zip(value.type.tensor_type.shape.dim, inputs[value.name], strict=True):
                    dim.dim_value = size
        for value in model.graph.output:
            value.type.tensor_type.ClearField(
                "shape"
            )  # what is declared with a name is not the name of an input's size
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
        return {value.name: _shape(value) for value in inferred.graph.output}


def _without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy in which large initializers are inputs, so that inference need not carry their values."""
    copy = onnx.ModelProto()
    copy.opset_import.extend(model.opset_import)
    copy.functions.extend(model.functions)
    copy.ir_version = model.ir_version
    copy.graph.name = model.graph.name
    copy.graph.node.extend(model.graph.node)
    copy.graph.input.extend(model.graph.input)
    copy.graph.output.extend(model.graph.output)
    for tensor in model.graph.initializer:
        if volume(tuple(tensor.dims)) > LARGEST:
            copy.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
        else:
            copy.graph.initializer.append(tensor)
    return copy


def _rounds(node: onnx.NodeProto, graph: onnx.GraphProto) -> bool:
    """Whether inference may round a product of a size and a scale otherwise than kernels, which have float32."""
    if node.op_type != "Resize" or len(node.input) < 3 or not node.input[2]:
        return False
    scales = [onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer if tensor.name == node.input[2]]
    return any((values.astype(np.float64) * DYADIC % 1).any() for values in scales)


def _shape(value: onnx.ValueInfoProto) -> Dims:
    if not value.type.tensor_type.HasField("shape"):  # not even the rank is known, as of what a Loop carries
        return Dims((-1,))
    dims = value.type.tensor_type.shape.dim
    return Dims(dim.dim_value if dim.HasField("dim_value") else -1 for dim in dims)
