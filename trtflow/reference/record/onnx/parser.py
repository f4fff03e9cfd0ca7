"""What users call of TensorRT's ONNX parser.

Operators that TensorRT's parser maps to a layer of its own become that layer here too. All others that ONNX Runtime
runs become layers that carry their node (`IOnnxLayer`), in float32. As in TensorRT, what is wrong is collected, not
raised: `parse` returns False, and each error names its node.
"""

from __future__ import annotations

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from trtflow.formats import UserError
from trtflow.reference.record.network import INetworkDefinition
from trtflow.reference.record.onnx.errors import ErrorCode, ParserError
from trtflow.reference.record.onnx.parse import Parse
from trtflow.reference.record.onnx.registry import OPERATORS, OPSET, schema_of
from trtflow.reference.record.scope import Scope
from trtflow.reference.record.values import Logger


class OnnxParser(Scope):
    """Reads ONNX models into a network with an explicit batch.

    Args:
        network: the network to add to.
        logger: takes each error too.
    """

    def __init__(self, network: INetworkDefinition, logger: Logger) -> None:
        self.network, self.logger = network, logger
        self._errors: list[ParserError] = []

    num_errors = property(lambda self: len(self._errors), doc="Number of errors since they were last cleared.")

    def get_error(self, index: int) -> ParserError:
        """Return an error."""
        return self._errors[index]

    def clear_errors(self) -> None:
        """Forget all errors."""
        self._errors.clear()

    def supports_operator(self, op_name: str) -> bool:
        """Whether the parser takes an operator of ONNX's own domain."""
        return op_name in OPERATORS or onnx.defs.has(op_name, OPSET, "")

    def parse_from_file(self, model: str) -> bool:
        """Parse a model's file; weights in files beside it are found. False where something is wrong."""
        try:
            return self._parse(onnx.load(model), str(model))
        except (DecodeError, onnx.checker.ValidationError) as error:
            return self._fail(ErrorCode.MODEL_DESERIALIZE_FAILED, f"{model}: no ONNX model, or a damaged one ({error})")
        except FileNotFoundError as error:
            return self._fail(ErrorCode.MODEL_DESERIALIZE_FAILED, f"{error.filename}: no such file")

    def parse(self, model: bytes, path: str | None = None) -> bool:
        """Parse a model's bytes.

        Args:
            model: the model.
            path: its path, beside which weights in other files lie.
        """
        try:
            loaded = onnx.load_from_string(bytes(model))
            if path is not None:
                onnx.load_external_data_for_model(loaded, str(Path(path).parent))
        except (DecodeError, onnx.checker.ValidationError) as error:
            return self._fail(ErrorCode.MODEL_DESERIALIZE_FAILED, f"no ONNX model, or a damaged one ({error})")
        return self._parse(loaded, path or "")

    def _parse(self, model: onnx.ModelProto, path: str) -> bool:
        if self.network.has_implicit_batch_dimension:
            fault = "the network has an implicit batch. Create it with the flag EXPLICIT_BATCH."
            return self._fail(ErrorCode.INVALID_VALUE, fault)
        if not model.graph.node:
            return self._fail(ErrorCode.MODEL_DESERIALIZE_FAILED, f"{path or 'the model'}: no ONNX graph in it")
        before = len(self._errors)
        try:
            converted = _at_opset(model)
            Parse(converted, self.network, self._fail).run()
        except UserError as error:
            self._fail(ErrorCode.INVALID_GRAPH, str(error))
        for found in self._errors[before:]:
            found._file = path
        return len(self._errors) == before

    def _fail(self, code: ErrorCode, description: str, node: int = -1) -> bool:
        self._errors.append(ParserError(code, description, node))
        self.logger.log(Logger.ERROR, description)
        return False


def _at_opset(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model whose nodes mean in opset 17 what they say; it is converted only where one does not."""
    version = next((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), OPSET)

    def changed(node: onnx.NodeProto) -> bool:
        if node.domain not in ("", "ai.onnx") or node.op_type in OPERATORS:
            return False
        schemas = [schema_of(node, limit) for limit in (version, OPSET)]
        return (
            None not in schemas and schemas[0].since_version != schemas[1].since_version
        )  # unknown ones are told later

    if version == OPSET or not any(changed(node) for node in model.graph.node):
        return model
    try:
        return onnx.version_converter.convert_version(model, OPSET)
    except Exception as error:  # the converter raises whatever it meets
        raise UserError(
            f"the model's opset {version} cannot be brought to {OPSET} ({error}). Export it again."
        ) from error
