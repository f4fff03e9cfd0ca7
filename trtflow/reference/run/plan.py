"""Plans: a lowered network as an ONNX model that carries what an engine must know.

A plan is the model's bytes, then a seal: an entry of metadata with the SHA-256 of all bytes before it. Both together
are one ONNX model, as protobuf joins messages that follow one another.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import onnx
from google.protobuf.message import DecodeError

from trtflow.reference.errors import PlanError
from trtflow.reference.record.enums import ErrorCodeTRT
from trtflow.reference.version import __version__

KEY, SEAL = "trtflow", "trtflow_sha256"  # of the metadata in the ONNX model
REBUILD = "Build the engine again."
UNREADABLE = ErrorCodeTRT.UNSPECIFIED_ERROR  # what TensorRT calls a fault of serialisation
FORMAT = 3  # of the metadata
FIELDS: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "implicit_batch": bool,
    "max_batch_size": int,
    "profiles": list,
    "verbosity": str,
    "layers": list,
    "refit": (dict, type(None)),
}


def versions() -> dict[str, str]:
    """Return the versions that a plan depends on."""
    import onnxruntime  # noqa: PLC0415 - it takes as long as all else together

    return {"tensorrt_api": __version__, "onnxruntime": onnxruntime.__version__, "plan": str(FORMAT)}


def write_plan(model: onnx.ModelProto, metadata: dict[str, Any]) -> bytes:
    """Serialise a network with its metadata; the same network and metadata give the same bytes."""
    del model.metadata_props[:]
    entry = model.metadata_props.add()
    entry.key = KEY
    entry.value = json.dumps({**metadata, "versions": versions()}, sort_keys=True)
    return sealed(model.SerializeToString(deterministic=True))


def sealed(body: bytes) -> bytes:
    """Return a model's bytes with the seal behind them."""
    return body + _seal(body)


def _seal(body: bytes) -> bytes:
    model = onnx.ModelProto()
    entry = model.metadata_props.add()
    entry.key, entry.value = SEAL, hashlib.sha256(body).hexdigest()
    return model.SerializeToString(deterministic=True)


SEAL_BYTES = len(_seal(b""))


def read_plan(plan: bytes) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """Return the network and the metadata of a plan.

    Raises:
        PlanError: the bytes are no plan of the reference runtime, are damaged, or come from another version.
    """
    content = bytes(memoryview(plan))
    body, seal = content[:-SEAL_BYTES], content[-SEAL_BYTES:]
    if SEAL.encode() not in seal:
        raise PlanError(f"not a plan of the reference runtime, or a damaged one. {REBUILD}", UNREADABLE)
    if seal != _seal(body):
        raise PlanError(f"the plan is damaged: its checksum does not match. {REBUILD}", UNREADABLE)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(body)
        metadata = json.loads({entry.key: entry.value for entry in model.metadata_props}[KEY])
        built = metadata["versions"]
    except (DecodeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise PlanError(f"not a plan of the reference runtime. {REBUILD}", UNREADABLE) from error
    if built != versions():
        fault = f"the plan was built with {built}, this is {versions()}. {REBUILD}"
        raise PlanError(fault, ErrorCodeTRT.FAILED_INITIALIZATION)
    wrong = [name for name, kind in FIELDS.items() if not isinstance(metadata.get(name), kind)]
    if wrong:
        raise PlanError(f"the plan says nothing of use about {', '.join(wrong)}. {REBUILD}", UNREADABLE)
    return model, metadata
