"""Plans: a lowered network as an ONNX model that carries what an engine must know."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import onnx
from google.protobuf.message import DecodeError

from trtflow.reference.errors import PlanError
from trtflow.reference.version import __version__

KEY = "trtflow"  # of the metadata in the ONNX model
REBUILD = "Build the engine again."
FORMAT = 3  # of the metadata


def versions() -> dict[str, str]:
    """Return the versions that a plan depends on."""
    import onnxruntime  # noqa: PLC0415 - it takes as long as all else together

    return {"tensorrt_api": __version__, "onnxruntime": onnxruntime.__version__, "plan": str(FORMAT)}


def write_plan(model: onnx.ModelProto, metadata: dict[str, Any]) -> bytes:
    """Serialise a network with its metadata; the same network and metadata give the same bytes."""
    graph = model.graph.SerializeToString(deterministic=True)
    digest = hashlib.sha256(graph).hexdigest()
    del model.metadata_props[:]
    entry = model.metadata_props.add()
    entry.key = KEY
    entry.value = json.dumps({**metadata, "versions": versions(), "sha256": digest}, sort_keys=True)
    return model.SerializeToString(deterministic=True)


def read_plan(plan: bytes) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """Return the network and the metadata of a plan.

    Raises:
        PlanError: the bytes are no plan of the reference runtime, are damaged, or come from another version.
    """
    model = onnx.ModelProto()
    try:
        model.ParseFromString(bytes(memoryview(plan)))
        metadata = json.loads({entry.key: entry.value for entry in model.metadata_props}[KEY])
    except (DecodeError, KeyError, ValueError) as error:
        raise PlanError(f"not a plan of the reference runtime, or a damaged one. {REBUILD}") from error
    if metadata["versions"] != versions():
        raise PlanError(f"the plan was built with {metadata['versions']}, this is {versions()}. {REBUILD}")
    digest = hashlib.sha256(model.graph.SerializeToString(deterministic=True)).hexdigest()
    if digest != metadata["sha256"]:
        raise PlanError(f"the plan is damaged: its checksum does not match. {REBUILD}")
    return model, metadata
