"""Which layers a loop or a conditional holds, and the order in which all are lowered.

TensorRT marks the borders alone. A loop holds what depends on its recurrences and iterators; either part of a
conditional holds what depends on its inputs and leads to its outputs. Blocks lie inside each other, or apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from trtflow.reference.errors import NetworkError
from trtflow.reference.record import layers as L  # noqa: N812 - the table of layer classes
from trtflow.reference.record.network import INetworkDefinition
from trtflow.reference.record.tensor import ITensor

Entry = (L.IRecurrenceLayer, L.IIteratorLayer, L.IIfConditionalInputLayer)


@dataclass(eq=False)
class Block:
    """A loop or a conditional.

    Attributes:
        owner: what the network calls it.
        layers: all that it holds, those on its border included.
        parts: a loop's body, or the two parts of a conditional, each without the border; in order.
    """

    owner: L.ILoop | L.IIfConditional
    layers: set[L.ILayer]
    parts: list[list[Unit]] = field(default_factory=list)

    def border(self, kind: type[L.ILayer]) -> list[L.ILayer]:
        """Return the layers of a class on the border."""
        return [layer for layer in self.owner.layers if isinstance(layer, kind)]


Unit = L.ILayer | Block


def arrange(network: INetworkDefinition) -> list[Unit]:
    """Return layers and blocks such that each follows those it reads.

    Raises:
        NetworkError: a layer reads what it makes itself, be it by way of others, or what is inside a block.
    """
    layers = list(network)
    owners = dict.fromkeys(
        layer.loop if isinstance(layer, L.ILoopBoundaryLayer) else layer.conditional
        for layer in layers
        if isinstance(layer, (L.ILoopBoundaryLayer, L.IIfConditionalBoundaryLayer))
    )
    readers: dict[ITensor, list[L.ILayer]] = {}
    for layer in layers:
        for tensor in layer.inputs:
            readers.setdefault(tensor, []).append(layer)
    blocks = [Block(owner, _held(owner, readers)) for owner in owners]
    return _arranged(layers, blocks)


def _held(owner: L.ILoop | L.IIfConditional, readers: dict[ITensor, list[L.ILayer]]) -> set[L.ILayer]:
    """Return all layers of a block."""
    border = set(owner.layers)
    inside = _reached(owner, readers)
    if isinstance(owner, L.IIfConditional):
        inside &= set().union(*(leading(layer.inputs, border) for layer in border))
    return inside | border


def _reached(owner: L.ILoop | L.IIfConditional, readers: dict[ITensor, list[L.ILayer]]) -> set[L.ILayer]:
    """Return the layers that depend on what enters a block."""
    found: set[L.ILayer] = set()
    pending: list[L.ILayer] = [layer for layer in owner.layers if isinstance(layer, Entry)]
    while pending:
        for tensor in pending.pop().outputs:
            for reader in readers.get(tensor, ()):
                if reader not in found and reader not in owner.layers:
                    found.add(reader)
                    pending.append(reader)
    return found


def leading(tensors: Iterable[ITensor], border: set[L.ILayer]) -> set[L.ILayer]:
    """Return the layers that lead to tensors, as far as the border."""
    found: set[L.ILayer] = set()
    pending = list(tensors)
    while pending:
        layer = pending.pop().producer
        if layer is not None and layer not in found and layer not in border:
            found.add(layer)
            pending += layer.inputs
    return found


def _arranged(layers: list[L.ILayer], blocks: list[Block]) -> list[Unit]:
    """Bring layers and the outermost of blocks in order, and so what each of these holds."""
    outer = [block for block in blocks if not any(_within(block, other) for other in blocks)]
    units: list[Unit] = []
    for layer in layers:
        holder = next((block for block in outer if layer in block.layers), None)
        if holder is None:
            units.append(layer)
        elif holder not in units:
            units.append(holder)
    for block in outer:
        inner = [other for other in blocks if _within(other, block)]
        inside = [layer for layer in layers if layer in block.layers and layer not in block.owner.layers]
        block.parts = [_arranged(part, _of(part, inner)) for part in _parts(block, inside)]
    return _sorted(units)


def _within(block: Block, other: Block) -> bool:
    return block is not other and block.layers < other.layers


def _of(layers: list[L.ILayer], blocks: list[Block]) -> list[Block]:
    return [block for block in blocks if block.layers <= set(layers)]


def _parts(block: Block, inside: list[L.ILayer]) -> list[list[L.ILayer]]:
    if isinstance(block.owner, L.ILoop):
        return [inside]
    border, outputs = set(block.owner.layers), block.border(L.IIfConditionalOutputLayer)
    parts = [leading((layer.inputs[place] for layer in outputs), border) for place in (0, 1)]
    return [[layer for layer in inside if layer in held] for held in parts]


def _sorted(units: list[Unit]) -> list[Unit]:
    made = {layer: index for index, unit in enumerate(units) for layer in _layers(unit)}
    ordered: list[Unit] = []
    placed: set[int] = set()
    pending = list(range(len(units)))
    while pending:
        waiting = []
        for index in pending:
            needed = {made[producer] for producer in _read(units[index]) if producer in made} - {index}
            if needed <= placed:
                ordered.append(units[index])
                placed.add(index)
            else:
                waiting.append(index)
        if len(waiting) == len(pending):
            first = next(iter(_layers(units[pending[0]])))
            raise NetworkError(first.name, "its inputs depend on its own output", "Lead them from another tensor.")
        pending = waiting
    return ordered


def _layers(unit: Unit) -> Iterable[L.ILayer]:
    return unit.layers if isinstance(unit, Block) else (unit,)


def _read(unit: Unit) -> set[L.ILayer]:
    """Return the layers that a unit reads; a layer that reads itself is an error that shows."""
    read = {tensor.producer for layer in _layers(unit) for tensor in layer.inputs if tensor.producer is not None}
    if not isinstance(unit, Block) and unit in read:
        raise NetworkError(unit.name, "its inputs depend on its own output", "Lead them from another tensor.")
    return read


def layers_in_blocks(network: INetworkDefinition) -> set[L.ILayer]:
    """Return all layers that loops and conditionals hold, those on their borders included."""
    if not network.has_flows:
        return set()
    return set().union(*(unit.layers for unit in arrange(network) if isinstance(unit, Block)))
