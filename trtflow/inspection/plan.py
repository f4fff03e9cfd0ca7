"""An engine of the reference runtime: its layers as its inspector tells them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import trtflow.reference as trt
from trtflow.formats import FormatError, UserError
from trtflow.inspection.description import BATCH, Description, Layer, Tensor
from trtflow.inspection.onnx_model import tensor_of

NVIDIA = (b"ftrt", b"ptrt", b"trtf")  # how TensorRT's own engines begin
# what the inspector calls types, as NumPy has them
TYPES = {
    **dict.fromkeys(("float", "fp32"), "float32"),
    **dict.fromkeys(("half", "fp16"), "float16"),
    **{name: name for name in ("int8", "int32", "bool", "uint8")},
}


def describe_plan(path: Path) -> Description:
    """Return what an engine holds.

    Raises:
        FormatError: it is damaged, of NVIDIA's TensorRT, or of another version of the reference runtime.
    """
    data = path.read_bytes()
    if data[:4] in NVIDIA:
        fault = "an engine of NVIDIA's TensorRT, which only the version that built it reads"
        raise FormatError(path, fault, "Inspect the model that it was built from.")
    try:
        with trt.raising():
            engine = trt.Runtime(trt.Logger(trt.Logger.INTERNAL_ERROR)).deserialize_cuda_engine(data)
    except UserError as error:
        raise FormatError(path, str(error).rstrip(".")) from error
    assert engine is not None
    described = Description(str(path), "plan", {"TensorRT API": trt.__version__, "network": engine.name})
    if engine.has_implicit_batch_dimension:
        described.facts["largest batch"] = engine.max_batch_size
    described.inputs = [tensor_of(value) for value in engine.model.graph.input]
    described.outputs = [tensor_of(value) for value in engine.model.graph.output]
    told = json.loads(engine.create_engine_inspector().get_engine_information(trt.LayerInformationFormat.JSON))
    described.layers = [_layer(layer, engine.has_implicit_batch_dimension) for layer in told["Layers"]]
    if not all(isinstance(layer, dict) for layer in told["Layers"]):
        described.notes.append(
            "built to tell names of layers alone; ProfilingVerbosity.DETAILED gives types and shapes"
        )
    return described


def _layer(told: dict[str, Any] | str, implicit_batch: bool) -> Layer:
    """Return a layer; of one of an engine that was built to tell names alone there is no more than that."""
    if isinstance(told, str):
        return Layer(told, "?")
    batch = [BATCH] if implicit_batch else []
    outputs = [
        Tensor(tensor["Name"], _dtype(tensor), [*batch, *tensor["Dimensions"]]) for tensor in told.get("Outputs", ())
    ]
    inputs = [tensor["Name"] for tensor in told.get("Inputs", ())]
    return Layer(told["Name"], told["LayerType"], inputs, outputs, TYPES.get(str(told.get("Precision")).lower()))


def _dtype(tensor: dict[str, Any]) -> str | None:
    """Return the type of a tensor, a word of what TensorRT's inspector tells: Row major linear FP16 format."""
    words = str(tensor.get("Format/Datatype", tensor.get("Datatype", ""))).lower().split()
    return next((TYPES[word] for word in words if word in TYPES), None)
