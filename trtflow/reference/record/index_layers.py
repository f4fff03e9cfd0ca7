"""Layers that make, pick, write or order elements: fill, scatter, einsum, non-zero, NMS, grid sample and others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtflow.reference.errors import NetworkError
from trtflow.reference.record.dims import sizes_of
from trtflow.reference.record.enums import (
    BoundingBoxFormat,
    DataType,
    FillOperation,
    InterpolationMode,
    LayerType,
    SampleMode,
    ScatterMode,
)
from trtflow.reference.record.layer import ANY, BOOL, FLOATS, INT32, NUMBERS, ILayer, Types
from trtflow.reference.record.shape_values import known_values
from trtflow.reference.record.tensor import ITensor

if TYPE_CHECKING:
    from trtflow.reference.record.network import INetworkDefinition

MOST_BOXES = 5000  # that TensorRT considers for a picture
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class IFillLayer(ILayer):
    """A tensor of evenly spaced or random numbers; input 0 can give its shape, 1 and 2 alpha and beta.

    LINSPACE begins at alpha and grows by beta along each axis; static alpha and beta are for one axis.

    Attributes:
        alpha: start, smallest number or mean.
        beta: step, largest number or standard deviation.
    """

    layer_type, title = LayerType.FILL, "Fill"
    takes, most_inputs = (INT32, NUMBERS), 3
    input_instead = {"shape": 0, "alpha": 1, "beta": 2}  # noqa: RUF012
    explicit_batch_only = True

    def __init__(self, network: INetworkDefinition, shape: Any, op: FillOperation) -> None:
        super().__init__(network, [])
        self.shape, self.operation, self.alpha, self.beta = shape, FillOperation(op), 0.0, 1.0

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, sizes_of(value) if name == "shape" else value)

    def size_inputs(self) -> list[ITensor]:
        """Return the input that gives the shape."""
        given = self.get_input(0)
        return [] if given is None else [given]

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return the shape that is set, or what is known of that which an input gives."""
        given = self.get_input(0)
        shape = tuple(self.shape) if given is None else known_values(given, given.shape[0])
        several = self.operation == FillOperation.LINSPACE and self.get_input(2) is None and len(shape) > 1
        if several:
            fault = f"LINSPACE of shape {shape}, and its steps are not an input"
            raise NetworkError(self.name, fault, "Give input 1 a scalar and input 2 a step for each axis.")
        return shape

    def output_dtype(self, index: int) -> DataType:
        """Return the type of alpha and beta where they are inputs, or what was set; else FLOAT."""
        given = self.get_input(1)
        if given is not None:
            return given.native_dtype
        wanted = self._output_types.get(0, DataType.FLOAT)
        return wanted if wanted == DataType.INT32 and self.operation == FillOperation.LINSPACE else DataType.FLOAT


class IScatterLayer(ILayer):
    """A copy of the data with updates written where the indices say; see ScatterMode."""

    layer_type, title = LayerType.SCATTER, "Scatter"
    takes = (ANY, INT32, ANY)
    explicit_batch_only = True

    def __init__(
        self, network: INetworkDefinition, data: ITensor, indices: ITensor, updates: ITensor, mode: ScatterMode
    ) -> None:
        super().__init__(network, [data, indices, updates])
        self.mode, self.axis = ScatterMode(mode), 0

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return the data's shape."""
        data, indices, updates = (tuple(tensor.shape) for tensor in self.inputs)
        if self.mode == ScatterMode.ELEMENT:
            fits = len(data) == len(indices) == len(updates) and _match(indices, updates)
        else:
            fits = len(indices) > 0 and 0 < indices[-1] <= len(data)
            fits = fits and _match((*indices[:-1], *data[indices[-1] :]), updates)
        if not fits or not 0 <= self.axis < max(len(data), 1):
            fault = f"mode {self.mode.name}, axis {self.axis}: data {data}, indices {indices} and updates {updates}"
            raise NetworkError(self.name, f"{fault} do not fit together")
        if self.inputs[0].native_dtype != self.inputs[2].native_dtype:
            types = f"{self.inputs[0].native_dtype.name} and updates {self.inputs[2].native_dtype.name}"
            raise NetworkError(self.name, f"data of type {types}", "Convert one with add_cast.")
        return data


class IEinsumLayer(ILayer):
    """A sum of products of one or two inputs, as an equation of lower-case letters says."""

    layer_type, title = LayerType.EINSUM, "Einsum"
    takes = (FLOATS,)
    explicit_batch_only = True

    def __init__(self, network: INetworkDefinition, inputs: list[ITensor], equation: str) -> None:
        super().__init__(network, inputs)
        self.equation = equation
        if len(inputs) > 2:
            raise NetworkError(self.name, f"{len(inputs)} inputs", "TensorRT takes one or two: split the equation.")

    def terms(self) -> tuple[list[str], str]:
        """Return the letters of each input, and those of the output.

        Raises:
            NetworkError: an equation that TensorRT does not take, or that does not fit the inputs.
        """
        text = self.equation.replace(" ", "")
        left, arrow, right = text.partition("->")
        inputs = left.split(",")
        letters = "".join(inputs)
        if set(letters + right) - set(LETTERS):
            raise NetworkError(self.name, f"the equation {self.equation!r}", "TensorRT takes the letters a to z alone.")
        ranks = [len(tensor.shape) for tensor in self.inputs]
        if [len(term) for term in inputs] != ranks:
            raise NetworkError(self.name, f"the equation {self.equation!r} for inputs of {ranks} dimensions")
        if any(len(set(term)) != len(term) for term in (*inputs, right)):
            raise NetworkError(
                self.name, f"the equation {self.equation!r} repeats a letter in one term", "Take it out."
            )
        if set(right) - set(letters):
            raise NetworkError(self.name, f"the output of {self.equation!r} has a letter that no input has")
        return inputs, right if arrow else "".join(sorted(c for c in set(letters) if letters.count(c) == 1))

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return the sizes of the output's letters."""
        inputs, output = self.terms()
        sizes: dict[str, int] = {}
        for term, tensor in zip(inputs, self.inputs, strict=True):
            for letter, size in zip(term, tensor.shape, strict=True):
                known = sizes.get(letter, 1)
                if 1 not in (known, size) and -1 not in (known, size) and known != size:
                    fault = f"the sizes {known} and {size} of {letter!r} in {self.equation!r}"
                    raise NetworkError(self.name, f"{fault} do not fit together")
                sizes[letter] = size if known in (1, -1) and size != 1 else known
        return tuple(sizes[letter] for letter in output)


class INonZeroLayer(ILayer):
    """Places of the elements that are not 0: INT32 [rank, count], of which the values tell how many there are."""

    layer_type, title = LayerType.NON_ZERO, "NonZero"
    takes = ((*NUMBERS, DataType.BOOL),)
    explicit_batch_only = True

    def __init__(self, network: INetworkDefinition, input: ITensor) -> None:
        super().__init__(network, [input])

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return (rank, -1)."""
        return len(self.inputs[0].shape), -1

    def output_dtype(self, index: int) -> DataType:
        """Return INT32."""
        return DataType.INT32


class INMSLayer(ILayer):
    """Non-maximum suppression: which boxes are kept, INT32 [count, 3] (batch, class, box), and how many they are.

    Boxes are [N, B, 4] or, one for each class, [N, B, C, 4]; scores [N, B, C]; the largest number of boxes a class is
    a scalar, as are inputs 3 and 4, the largest overlap that is kept and the score above which boxes are, both 0 where
    they are not given. Boxes of a picture come by falling score.
    """

    layer_type, title, num_outputs = LayerType.NMS, "NMS", 2
    takes, most_inputs = (FLOATS, FLOATS, INT32, FLOATS), 5
    explicit_batch_only = True

    def __init__(self, network: INetworkDefinition, boxes: ITensor, scores: ITensor, most: ITensor) -> None:
        super().__init__(network, [boxes, scores, most])
        self.bounding_box_format, self.topk_box_limit = BoundingBoxFormat.CORNER_PAIRS, MOST_BOXES

    def per_class(self) -> bool:
        """Whether each class has boxes of its own.

        Raises:
            NetworkError: shapes of boxes and scores that do not fit.
        """
        boxes, scores = (tuple(tensor.shape) for tensor in self.inputs[:2])
        if (
            len(scores) != 3
            or len(boxes) not in (3, 4)
            or boxes[-1] not in (4, -1)
            or not _match(boxes[:2], scores[:2])
        ):
            fault = f"boxes of shape {boxes} and scores of shape {scores}"
            raise NetworkError(self.name, fault, "They are [N, B, 4] or [N, B, C, 4], and [N, B, C].")
        if not 0 < self.topk_box_limit <= MOST_BOXES:
            raise NetworkError(self.name, f"topk_box_limit {self.topk_box_limit}", f"It is 1 to {MOST_BOXES}.")
        return len(boxes) == 4

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return (-1, 3), and () for the number."""
        self.per_class()
        return () if index else (-1, 3)

    def output_dtype(self, index: int) -> DataType:
        """Return INT32."""
        return DataType.INT32


class IGridSampleLayer(ILayer):
    """Values of pictures [N, C, H, W] at places [N, H', W', 2] between -1 and 1, x before y."""

    layer_type, title = LayerType.GRID_SAMPLE, "GridSample"
    takes = (FLOATS,)
    explicit_batch_only = True

    def __init__(self, network: INetworkDefinition, input: ITensor, grid: ITensor) -> None:
        super().__init__(network, [input, grid])
        self.interpolation_mode, self.sample_mode = InterpolationMode.LINEAR, SampleMode.FILL
        self.align_corners = False

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return [N, C, H', W']."""
        data, grid = (tuple(tensor.shape) for tensor in self.inputs)
        if len(data) != 4 or len(grid) != 4 or grid[3] not in (2, -1) or not _match(data[:1], grid[:1]):
            raise NetworkError(
                self.name, f"an input {data} and a grid {grid}", "They are [N, C, H, W], [N, H', W', 2]."
            )
        if self.sample_mode not in (SampleMode.FILL, SampleMode.CLAMP, SampleMode.REFLECT):
            raise NetworkError(self.name, f"the mode {self.sample_mode.name}", "It is FILL, CLAMP or REFLECT.")
        return (*data[:2], *grid[1:3])


class IReverseSequenceLayer(ILayer):
    """The first elements along one axis in reverse order, how many an INT32 entry for each place of another says."""

    layer_type, title = LayerType.REVERSE_SEQUENCE, "ReverseSequence"
    takes = (ANY, INT32)
    explicit_batch_only = True

    def __init__(self, network: INetworkDefinition, input: ITensor, sequence_lens: ITensor) -> None:
        super().__init__(network, [input, sequence_lens])
        self.batch_axis, self.sequence_axis = 1, 0

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return the input's shape."""
        data, lengths = (tuple(tensor.shape) for tensor in self.inputs)
        axes = (self.batch_axis, self.sequence_axis)
        if len(data) < 2 or any(not 0 <= axis < len(data) for axis in axes) or axes[0] == axes[1]:
            raise NetworkError(self.name, f"the axes {axes} of an input of shape {data}", "Give two of its axes.")
        if len(lengths) != 1 or not _match(lengths, (data[self.batch_axis],)):
            raise NetworkError(self.name, f"lengths of shape {lengths} for an input of shape {data}")
        return data


class IAssertionLayer(ILayer):
    """A condition that must hold: all elements of the input, which is BOOL. It has no output.

    Attributes:
        message: what an error says where it does not hold.
    """

    layer_type, title, num_outputs = LayerType.ASSERTION, "Assertion", 0
    takes = (BOOL,)
    explicit_batch_only = True

    def __init__(self, network: INetworkDefinition, condition: ITensor, message: str) -> None:
        super().__init__(network, [condition])
        self.message = message

    def size_inputs(self) -> list[ITensor]:
        """Return the condition, which TensorRT takes as a shape tensor."""
        return self.inputs

    def allowed_types(self, index: int) -> Types:
        """Return BOOL."""
        return BOOL


def _match(first: tuple[int, ...], second: tuple[int, ...]) -> bool:
    """Whether two shapes can be the same at run time."""
    return len(first) == len(second) and all(a == b or -1 in (a, b) for a, b in zip(first, second, strict=True))
