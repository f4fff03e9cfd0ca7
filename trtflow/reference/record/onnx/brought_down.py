"""A model of a later opset than TensorRT 8.6 knows, written in opset 17."""

from __future__ import annotations

import onnx
import onnx.inliner
from onnx import helper

from trtflow.formats import UserError
from trtflow.reference.record.network import INetworkDefinition
from trtflow.reference.record.onnx.errors import Refusal
from trtflow.reference.record.onnx.misread import is_misread
from trtflow.reference.record.onnx.opsets import Around, around_of, bring
from trtflow.reference.record.onnx.parse import Parse
from trtflow.reference.record.onnx.registry import OPSET
from trtflow.reference.record.values import Logger

STANDARD = ("", "ai.onnx")


def opset_of(model: onnx.ModelProto) -> int:
    """Return the opset that a model is of."""
    return next((item.version for item in model.opset_import if item.domain in STANDARD), 1)


def needs_it(model: onnx.ModelProto) -> bool:
    """Whether TensorRT 8.6 may read a model otherwise than ONNX means it."""
    return opset_of(model) > OPSET or any(map(is_misread, model.graph.node))


def bring_down(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model in opset 17, of which TensorRT 8.6 reads what it means; one that it reads so as it is.

    TensorRT 8.6's parser takes later opsets without a word and reads them as 17: it passes over inputs and attributes
    that came later, such as the axes of a ReduceMean. Of opset 17 itself it passes over some too (`misread`).

    Args:
        model: it is left as it is.

    Raises:
        UserError: opset 17 cannot say what a node of it says.
    """
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    if not needs_it(model):
        return model
    parse = _Bringing(model)
    try:
        parse.run()
    except Exception:  # whatever it is: the parser, which reads it next, tells what is wrong with it
        return model
    if parse.beyond_17:
        raise UserError("; ".join(parse.beyond_17))
    if len(parse.brought) < len(model.graph.node):
        return model  # its inputs cannot be read, which the parser tells
    found = onnx.ModelProto()
    found.CopyFrom(model)
    del found.graph.node[:], found.opset_import[:]
    found.graph.node.extend(parse.brought)
    found.opset_import.append(helper.make_opsetid("", OPSET))
    found.opset_import.extend(item for item in model.opset_import if item.domain not in STANDARD)
    return found


class _Bringing(Parse):
    """The parse of a model that notes each node as opset 17 has it, whatever TensorRT says to it.

    Attributes:
        brought: the nodes.
        beyond_17: what is wrong with those that opset 17 cannot say.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        logger = Logger(Logger.INTERNAL_ERROR)
        super().__init__(model, INetworkDefinition(1), logger, lambda *told: False, beyond=True)
        self.brought: list[onnx.NodeProto] = []
        self.beyond_17: list[str] = []

    def around(self) -> Around:
        """Return what is known so far, with nothing against what is brought down here."""
        return around_of(self, lambda node, refusal: None, plain=True)

    def add(self, node: onnx.NodeProto) -> None:
        """Note a node as opset 17 has it, then add it, so that more is known of what follows."""
        made = [node]
        if node.domain in STANDARD:
            try:
                made = bring(node, self.opset, self.around())
            except Refusal as refusal:
                self.beyond_17.append(f"node {node.name or node.output[0]!r} ({node.op_type}): {refusal}")
        self.brought += made
        for item in made:
            self.step(item)
