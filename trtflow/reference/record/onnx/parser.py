"""What users call of TensorRT's ONNX parser.

Operators that TensorRT's parser maps to a layer of its own become that layer here too. All others that it has become
layers that carry their node (`IOnnxLayer`), in float32. What TensorRT 8.6 refuses is refused, in its words. As in
TensorRT, what is wrong is collected, not raised: `parse` returns False, and each error names its node.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from trtflow.formats import UserError
from trtflow.reference.record.answers import raising
from trtflow.reference.record.network import INetworkDefinition
from trtflow.reference.record.onnx.as_taken import settle
from trtflow.reference.record.onnx.errors import ErrorCode, ParserError, Refusal
from trtflow.reference.record.onnx.operators import PROMISED, SUPPORTED, UNPROMISED
from trtflow.reference.record.onnx.parse import Parse
from trtflow.reference.record.onnx.plugins import is_registered
from trtflow.reference.record.onnx.registry import NO_PLUGIN, OPSET, OWN_DOMAINS, captured
from trtflow.reference.record.scope import Scope
from trtflow.reference.record.values import ILogger, Logger

NEWEST = onnx.defs.onnx_opset_version()
LARGEST = 2**31 - 1  # bytes of a protobuf message
# operators that ONNX withdrew from opsets that had them when these were new: its checker of today refuses such nodes
WITHDRAWN = {"GroupNormalization": range(18, 21)}


class NodeIndices(list[int]):
    """Places of nodes in a graph."""


class SubGraphCollection(list[tuple[list[int], bool]]):
    """Parts of a graph: places of their nodes, and whether a part is taken."""


class OnnxParser(Scope):
    """Reads ONNX models into a network with an explicit batch.

    Args:
        network: the network to add to.
        logger: takes each error too.

    Attributes:
        beyond_tensorrt: whether operators of ONNX are taken that TensorRT 8.6 refuses, for ONNX Runtime to run them
            here; each is told as a warning. (TensorRT has no such attribute.) Set of the class it holds for all.
        used_beyond_tensorrt: names of those operators in the models parsed so far.
    """

    read_only = ("num_errors",)
    beyond_tensorrt = False

    def __init__(self, network: INetworkDefinition, logger: ILogger) -> None:
        self.network, self.logger = network, logger
        self.used_beyond_tensorrt: list[str] = []
        self._errors: list[ParserError] = []

    num_errors = property(lambda self: len(self._errors), doc="Number of errors since they were last cleared.")

    def get_error(self, index: int) -> ParserError:
        """Return an error."""
        return self._errors[index]

    def clear_errors(self) -> None:
        """Forget all errors."""
        self._errors.clear()

    def supports_operator(self, op_name: str) -> bool:
        """Whether models are to be left whole at an operator: those of ONNX, and some plugins of TensorRT's.

        As TensorRT's parser it says False of NonMaxSuppression, NonZero and RoiAlign, which `parse` takes.
        """
        if self.beyond_tensorrt and onnx.defs.has(op_name, OPSET, ""):
            return True
        return op_name in SUPPORTED - UNPROMISED or (op_name in PROMISED and is_registered(op_name))

    def supports_model(self, model: bytes, path: str | None = None) -> tuple[bool, SubGraphCollection]:
        """Return whether the parser takes a model, and which of its nodes lie together between those it does not.

        Args:
            model: the model.
            path: its path, beside which weights in other files lie.

        Returns:
            whether it is taken whole and `supports_operator` says so of each node, and for each run of nodes that are
            taken their indices and whether they are the whole model, as TensorRT does. A node that fails because
            another before it did is one that is taken, where there is such an operator: whoever asks cuts the model
            there and asks again. The errors tell of the others.
        """
        before = len(self._errors)
        scratch = OnnxParser(INetworkDefinition(1), self.logger)
        scratch.beyond_tensorrt = self.beyond_tensorrt
        taken = scratch.parse(model, path)
        self._errors += scratch._errors
        try:
            nodes = onnx.load_from_string(bytes(model)).graph.node
        except DecodeError:
            return False, SubGraphCollection()
        refused = self._refused(nodes, self._errors[before:])
        taken = taken and not refused
        runs: list[list[int]] = [[]]
        for index in range(len(nodes)):
            if index in refused:
                runs.append([])
            else:
                runs[-1].append(index)
        return taken, SubGraphCollection((NodeIndices(run), taken) for run in runs if run)

    def _refused(self, nodes: Sequence[onnx.NodeProto], errors: Sequence[ParserError]) -> set[int]:
        """Return the nodes of operators not promised, those that read a wrong input, and those at fault themselves."""
        refused = {index for index, node in enumerate(nodes) if not self.supports_operator(node.op_type)}
        inputs = {error.file() for error in errors if error.node() == -1} - {""}
        refused |= {index for index, node in enumerate(nodes) if not inputs.isdisjoint(node.input)}
        lost = set[str]()
        for index in sorted({error.node() for error in errors} - {-1}):
            node = nodes[index]
            if lost.isdisjoint((*node.input, *captured(node))):
                refused.add(index)
            lost.update(node.output)
        return refused

    def parse_with_weight_descriptors(self, model: bytes) -> bool:
        """Parse a model's bytes, as `parse` does, behind the layers that the network may have already."""
        return self._parse_bytes(model, None, behind_others=True)

    def get_used_vc_plugin_libraries(self) -> list[str]:
        """Return no paths: nothing is taken from libraries of plugins."""
        return []

    def parse_from_file(self, model: str) -> bool:
        """Parse a model's file; weights in files beside it are found. False where something is wrong."""
        try:
            loaded = onnx.load(model, load_external_data=False)
        except (DecodeError, onnx.checker.ValidationError, ValueError) as error:
            return self._fail(ErrorCode.MODEL_DESERIALIZE_FAILED, f"{model}: no ONNX model, or a damaged one ({error})")
        except OSError as error:
            reason = "no such file" if isinstance(error, FileNotFoundError) else error.strerror
            fault = f"{error.filename or repr(model)}: {reason}"
            return self._fail(ErrorCode.MODEL_DESERIALIZE_FAILED, fault)
        return self._parse(loaded, str(model))

    def parse(self, model: bytes, path: str | None = None) -> bool:
        """Parse a model's bytes.

        Args:
            model: the model.
            path: its path, beside which weights in other files lie; without it they lie in the working directory.
        """
        return self._parse_bytes(model, path)

    def _parse_bytes(self, model: bytes, path: str | None, *, behind_others: bool = False) -> bool:
        try:
            loaded = onnx.load_from_string(bytes(memoryview(model)))
        except (DecodeError, ValueError) as error:
            return self._fail(ErrorCode.MODEL_DESERIALIZE_FAILED, f"no ONNX model, or a damaged one ({error})")
        return self._parse(loaded, path or "", behind_others=behind_others)

    def _has_weights(self, model: onnx.ModelProto, path: str) -> bool:
        """Read weights that lie in other files; whether they are there."""
        try:
            onnx.load_external_data_for_model(model, str(Path(path).parent))
        except (onnx.checker.ValidationError, ValueError, OSError) as error:
            where = "beside it" if path else "in the working directory, or give the path of the model"
            fault = f"{path or 'the model'}: its weights lie in another file, which cannot be read ({error})"
            return self._fail(ErrorCode.UNSUPPORTED_NODE, f"Failed to import initializer. {fault}. Put it {where}.")
        return True

    def _parse(self, model: onnx.ModelProto, path: str, *, behind_others: bool = False) -> bool:
        before = len(self._errors)
        try:
            fits = self._has_place(behind_others) and self._has_weights(model, path)
            places = settle(model, self._warn) if fits else []
            if fits and self._is_readable(model, path or "the model"):
                parse = Parse(model, self.network, self.logger, self._fail, self.beyond_tensorrt, places)
                with raising():  # so that the parser sees what layers do not take
                    parse.run()
                for names in (self.used_beyond_tensorrt, self.network.beyond_tensorrt):
                    names += [name for name in parse.used_beyond if name not in names]
        except Refusal as refusal:
            self._fail(refusal.code, f"{path or 'the model'}: {refusal}")
        except UserError as error:
            self._fail(ErrorCode.INVALID_GRAPH, str(error))
        except Exception as error:  # a model may be wrong in more ways than are foreseen, and a parser only answers
            fault = f"{path or 'the model'}: it cannot be read ({type(error).__name__}: {error})"
            self._fail(ErrorCode.INTERNAL_ERROR, f"{fault}. Check it with onnx.checker, and simplify it.")
        for found in self._errors[before:]:
            found._file = found._file or path
        return len(self._errors) == before

    def _has_place(self, behind_others: bool) -> bool:
        """Check what concerns the network."""
        if self.network.has_implicit_batch_dimension:
            fault = "the network has an implicit batch. Create it with the flag EXPLICIT_BATCH."
            return self._fail(ErrorCode.INVALID_VALUE, fault)
        if self.network.num_layers and not behind_others:
            fault = "Parse was called with a non-empty network definition. Give each model a network of its own."
            return self._fail(ErrorCode.INVALID_VALUE, fault)
        return True

    def _is_readable(self, model: onnx.ModelProto, name: str) -> bool:
        given = {value.name for value in model.graph.input} | {tensor.name for tensor in model.graph.initializer}
        if not model.graph.node and given.isdisjoint(value.name for value in model.graph.output):
            return self._fail(ErrorCode.MODEL_DESERIALIZE_FAILED, f"{name}: no ONNX graph in it")
        version = next((item.version for item in model.opset_import if item.domain in OWN_DOMAINS), 1)
        if version > NEWEST:
            fault = f"{name} is of opset {version}, and the newest known is {NEWEST}"
            return self._fail(ErrorCode.UNSUPPORTED_GRAPH, f"{fault}. Export it with opset_version={OPSET}.")
        if model.functions:
            names = ", ".join(sorted({function.name for function in model.functions}))
            remedy = "Inline them with onnx.inliner.inline_local_functions."
            return self._fail(
                ErrorCode.UNSUPPORTED_NODE, f"{NO_PLUGIN} {name} has functions of its own: {names}. {remedy}"
            )
        try:
            check_model(model)
        except onnx.checker.ValidationError as error:
            reason = " ".join(str(error).split())
            fault = f"{name} is not valid ONNX: {reason.rstrip('.')}. Export it again, with opset_version={OPSET}."
            return self._fail(ErrorCode.INVALID_GRAPH, fault)
        return True

    def _warn(self, message: str) -> None:
        self.logger.log(Logger.WARNING, message)

    def _fail(self, code: ErrorCode, description: str, node: int = -1, file: str = "") -> bool:
        self._errors.append(ParserError(code, description, node, file))
        self.logger.log(Logger.ERROR, description)
        return False


def _is_checked(node: onnx.NodeProto, version: int) -> bool:
    """Whether ONNX's checker can say of a node whether it is valid."""
    if node.op_type in WITHDRAWN and version in WITHDRAWN[node.op_type]:
        return False
    return bool(onnx.defs.has(node.op_type, version, ""))


def check_model(model: onnx.ModelProto) -> None:
    """Check a model as ONNX does; operators that ONNX lacks may be plugins, and are told with their nodes.

    Raises:
        onnx.checker.ValidationError: it is not valid.
    """
    if model.ByteSize() > LARGEST:
        return  # more than the checker takes without a file
    version = next((item.version for item in model.opset_import if item.domain in OWN_DOMAINS), 1)
    plugins = [node for node in model.graph.node if not node.domain and not _is_checked(node, version)]
    for node in plugins:
        node.domain = "plugins"
    declared = [item.domain for item in model.opset_import]
    foreign = {node.domain for node in model.graph.node} - {*declared} - {*OWN_DOMAINS}
    model.opset_import.extend(onnx.helper.make_opsetid(domain, 1) for domain in foreign)
    shapeless = [value for value in model.graph.output if not value.type.tensor_type.HasField("shape")]
    for value in shapeless:  # TensorRT finds the shapes of outputs itself
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.shape.SetInParent()
    try:
        onnx.checker.check_model(model)
    finally:
        for value in shapeless:
            value.type.tensor_type.ClearField("shape")
        for node in plugins:
            node.domain = ""
        del model.opset_import[len(declared) :]
