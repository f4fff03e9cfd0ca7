"""Another order of channels between convolutions, in which neighbouring products of INT8 cannot overflow.

On a processor without VNNI products are added in twos in 16 bits (`products.py`), those of channels 0 and 1 first, then
2 and 3. Of a kernel with 500 rows behind a leaky ReLU one or two rows have such neighbours that their sum can be too
large, and because of them all of it would be stored as uint8. Which channels are neighbours is free where nothing but
convolutions makes and reads them: the rows of one kernel and the columns of the next change their order together, and
no value does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx

from trtflow.reference.run.graph_index import Index, reads
from trtflow.reference.run.integer_fusions import kernel_of
from trtflow.reference.run.products import LARGEST_SUM, largest_byte

EACH_ALIKE = ("AveragePool", "LeakyRelu", "MaxPool", "Relu")  # whose channels know nothing of each other
SCALED = ("Clip", "DequantizeLinear", "QuantizeLinear")  # so are these, where what they are told is one number
TRIED = 16  # pairs at a time
HOPELESS = 0.5  # of a kernel's pairs


@dataclass
class Channels:
    """Values whose channels have one order.

    Attributes:
        makers: convolutions that compute them.
        readers: convolutions that read them.
        free: whether nothing else does.
    """

    makers: list[onnx.NodeProto] = field(default_factory=list)
    readers: list[onnx.NodeProto] = field(default_factory=list)
    free: bool = True


def separate_neighbours(graph: onnx.GraphProto, index: Index, zeros: Mapping[str, int]) -> None:
    """Change orders of channels such that kernels fit int8, in place.

    Args:
        graph: with pairs of Q/DQ; scales are folded into its kernels.
        index: of it.
        zeros: zero point in uint8 that values of a DequantizeLinear are to have, by name.
    """
    for channels in _groups(graph, index):
        if not channels.free or not channels.makers:
            continue
        pairs = _Pairs([_limited(node, index, zeros) for node in channels.readers if node.input[0] in zeros])
        order = pairs.order()
        if order is None:
            continue
        for node in channels.makers:
            _take(node, order, 0, index)
        for node in channels.readers:
            _take(node, order, 1, index)


def _groups(graph: onnx.GraphProto, index: Index) -> list[Channels]:
    """Return what of a graph's values has channels in one order each."""
    group_of: dict[str, Channels] = {}

    def join(names: list[str], *, known: bool) -> Channels:
        found = [group_of.get(name) for name in names]
        joined = Channels(free=known and all(group is not None for group in found))
        for group in {id(group): group for group in found if group is not None}.values():
            joined.makers += group.makers
            joined.readers += group.readers
            joined.free &= group.free
            for name in [name for name, other in group_of.items() if other is group]:
                group_of[name] = joined
        group_of.update(dict.fromkeys(names, joined))
        return joined

    for node in graph.node:
        if _is_convolution(node, index):
            join([node.input[0]], known=node.input[0] in group_of).readers.append(node)
            group_of[node.output[0]] = Channels(makers=[node])
        else:
            computed = [name for name in reads(node) if name in group_of]
            if computed:
                keeps = _keeps_channels(node, computed, group_of, index)
                group_of.update({name: Channels() for name in node.output})
                join([*computed, *node.output], known=keeps)
    for name in index.outputs.intersection(group_of):
        group_of[name].free = False
    return list({id(group): group for group in group_of.values()}.values())


def _is_convolution(node: onnx.NodeProto, index: Index) -> bool:
    """Whether a node is a convolution by constants, of one group."""
    grouped = any(item.name == "group" and item.i != 1 for item in node.attribute)
    fixed = len(node.input) < 3 or node.input[2] in index.initializers
    return node.op_type == "Conv" and not grouped and fixed and kernel_of(node, index) is not None


def _keeps_channels(node: onnx.NodeProto, computed: list[str], group_of: dict[str, Channels], index: Index) -> bool:
    """Whether each channel of a result comes from the channels of one place in what is read."""
    if node.op_type == "Add" and len(computed) == len(node.input):
        makers = [maker for name in computed for maker in group_of[name].makers]
        return len({_rows(maker, index) for maker in makers}) == 1
    if node.op_type in EACH_ALIKE:
        return len(node.output) == 1
    return node.op_type in SCALED and all(not name or index.is_scalar(name) for name in node.input[1:])


def _rows(node: onnx.NodeProto, index: Index) -> int:
    return int(index.initializers[index.producers[node.input[1]].input[0]].dims[0])


def _take(node: onnx.NodeProto, order: np.ndarray, axis: int, index: Index) -> None:
    """Bring a convolution's kernel in another order, along its rows with their scales and biases, or its columns."""
    kernel = index.producers[node.input[1]]
    index.put(kernel, 0, np.take(index.array(kernel.input[0]), order, axis))
    if axis == 1:
        return
    for holder, place in ((kernel, 1), (kernel, 2), (node, 2)):
        if place < len(holder.input) and holder.input[place] and not index.is_scalar(holder.input[place]):
            index.put(holder, place, index.array(holder.input[place])[order])


def _limited(node: onnx.NodeProto, index: Index, zeros: Mapping[str, int]) -> tuple[np.ndarray, int]:
    """Return the columns of a kernel, int16 [channels, all else], and the largest sum that two may have."""
    steps = index.array(index.producers[node.input[1]].input[0])
    columns = np.moveaxis(steps, 1, 0).reshape(steps.shape[1], -1).astype(np.int16)
    return columns, LARGEST_SUM // largest_byte(zeros[node.input[0]])


class _Pairs:
    """Which channels are neighbours in kernels of the same channels."""

    def __init__(self, kernels: list[tuple[np.ndarray, int]]) -> None:
        """Take columns of kernels and the largest sum that two may have; what is mostly larger no order makes fit."""
        self.kernels: list[tuple[np.ndarray, int]] = []
        for columns, limit in kernels:
            pairs = columns[: len(columns) // 2 * 2]
            sums = np.abs(pairs[::2] + pairs[1::2])
            if (sums.max(1, initial=0) > limit).mean() < HOPELESS:
                self.kernels.append((columns, limit))

    def clash(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return for each of some pairs whether a sum of the two can be too large, bool."""
        found = np.zeros(len(first), bool)
        for columns, limit in self.kernels:
            sums = columns[first] + columns[second]
            found |= (sums.max(1) > limit) | (sums.min(1) < -limit)
        return found

    def order(self) -> np.ndarray | None:
        """Return channels in an order without clashes, as far as exchanges find one; None where all stay in place."""
        if not self.kernels or len(self.kernels[0][0]) % 2:
            return None
        first, second = np.arange(len(self.kernels[0][0])).reshape(-1, 2).T.copy()
        clashing = np.flatnonzero(self.clash(first, second))
        for place in clashing.tolist():
            self._exchange(first, second, place)
        return np.stack([first, second], 1).ravel() if len(clashing) else None

    def _exchange(self, first: np.ndarray, second: np.ndarray, place: int) -> None:
        """Exchange the second channel of a pair for that of another pair, such that neither clashes."""
        others = np.delete(np.arange(len(first)), place)
        for start in range(0, len(others), TRIED):
            some = others[start : start + TRIED]
            here, there = np.full(len(some), first[place]), np.full(len(some), second[place])
            good = np.flatnonzero(~(self.clash(here, second[some]) | self.clash(first[some], there)))
            if len(good):
                other = some[good[0]]
                second[place], second[other] = second[other], second[place]
                return
