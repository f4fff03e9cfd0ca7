"""Algorithm selectors: an application chooses how each layer is computed.

TensorRT offers several kernels a layer; the reference runtime has one. It is offered, may be refused, and is reported.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from trtflow.reference.errors import BuildError
from trtflow.reference.record.enums import DataType, TensorFormat
from trtflow.reference.record.sealed import Sealed
from trtflow.reference.record.values import Dims, volume

Tensor = tuple[tuple[int, ...], DataType]  # shape and type


class IAlgorithmIOInfo(Sealed):
    """Layout and type of a tensor that an algorithm reads or makes."""

    read_only = ("tensor_format", "dtype", "strides", "vectorized_dim", "components_per_element")
    tensor_format = TensorFormat.LINEAR
    vectorized_dim, components_per_element = -1, 1

    def __init__(self, shape: tuple[int, ...], dtype: DataType) -> None:
        sizes = [max(size, 1) for size in shape]
        self.dtype, self.strides = dtype, Dims(volume(sizes[axis + 1 :]) for axis in range(len(sizes)))


class IAlgorithmVariant(Sealed):
    """Numbers of an algorithm: of the kind of layer that it is for, and among those of this kind."""

    read_only = ("implementation", "tactic")

    def __init__(self, implementation: int, tactic: int = 0) -> None:
        self.implementation, self.tactic = implementation, tactic


class IAlgorithm(Sealed):
    """A way to compute a layer."""

    read_only = ("algorithm_variant", "timing_msec", "workspace_size")
    timing_msec, workspace_size = 0.0, 0  # nothing is timed, and no memory is set apart

    def __init__(self, variant: IAlgorithmVariant, tensors: Sequence[IAlgorithmIOInfo]) -> None:
        self.algorithm_variant, self._tensors = variant, list(tensors)

    def get_algorithm_io_info(self, index: int) -> IAlgorithmIOInfo | None:
        """Return what there is of an input, or of an output behind all inputs; None where there is none."""
        return self._tensors[index] if 0 <= index < len(self._tensors) else None


class IAlgorithmContext(Sealed):
    """A layer for which an algorithm is chosen."""

    read_only = ("name", "num_inputs", "num_outputs")

    def __init__(self, name: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> None:
        self.name, self.num_inputs, self.num_outputs = name, len(inputs), len(outputs)
        self._shapes = [shape for shape, _ in (*inputs, *outputs)]

    def get_shape(self, index: int) -> list[Dims]:
        """Return the smallest, best and largest shape of an input or output; nothing where there is none."""
        return [Dims(self._shapes[index])] * 3 if 0 <= index < len(self._shapes) else []


class IAlgorithmSelector:
    """Chooses algorithms; a subclass has both methods."""

    def select_algorithms(self, context: IAlgorithmContext, choices: list[IAlgorithm]) -> list[int]:
        """Return the places of the choices that TensorRT may take for a layer."""
        raise NotImplementedError

    def report_algorithms(self, contexts: list[IAlgorithmContext], choices: list[IAlgorithm]) -> None:
        """Take note of what was chosen, one choice a layer."""
        raise NotImplementedError


Offer = tuple[IAlgorithmContext, IAlgorithm]


def offer(name: str, kind: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Offer:
    """Return the one algorithm that there is for a layer.

    Args:
        name: of the layer.
        kind: what sort of layer it is; the same sort has the same implementation.
        inputs: shapes and types.
        outputs: the same.
    """
    implementation = int.from_bytes(hashlib.sha256(kind.encode()).digest()[:4], "little")
    tensors = [IAlgorithmIOInfo(*tensor) for tensor in (*inputs, *outputs)]
    return IAlgorithmContext(name, inputs, outputs), IAlgorithm(IAlgorithmVariant(implementation), tensors)


def choose_algorithms(selector: IAlgorithmSelector, offers: Sequence[Offer], reject_empty: bool) -> None:
    """Ask a selector about each layer, and report what was chosen.

    Raises:
        BuildError: it chose what was not offered, or nothing where that is forbidden (REJECT_EMPTY_ALGORITHMS).
    """
    for context, algorithm in offers:
        chosen = selector.select_algorithms(context, [algorithm])
        if not chosen and reject_empty:
            raise BuildError(
                f"layer {context.name!r}: the algorithm selector chose none, and REJECT_EMPTY_ALGORITHMS is set. "
                "Return a place in choices."
            )
        if any(place != 0 for place in chosen or ()):
            raise BuildError(f"layer {context.name!r}: the algorithm selector chose {list(chosen)} of one choice.")
    selector.report_algorithms([context for context, _ in offers], [algorithm for _, algorithm in offers])
