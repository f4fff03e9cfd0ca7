"""An engine of the reference runtime: its layers as its inspector has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import trtflow.reference as trt
from trtflow.formats import FormatError, UserError
from trtflow.inspection.description import Description, Layer, Tensor

NVIDIA = (b"ftrt", b"ptrt", b"trtf")  # how TensorRT's own engines begin
BATCH = "N"
NAMES = {"FLOAT": "float32", "HALF": "float16", "INT8": "int8", "INT32": "int32", "BOOL": "bool", "UINT8": "uint8"}


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
        engine = trt.Runtime(trt.Logger(trt.Logger.INTERNAL_ERROR)).deserialize_cuda_engine(data)
    except UserError as error:
        raise FormatError(path, str(error).rstrip(".")) from error
    facts = {"TensorRT API": trt.__version__, "network": engine.name}
    if engine.has_implicit_batch_dimension:
        facts["largest batch"] = engine.max_batch_size
    described = Description(str(path), "plan", facts)
    for index in range(engine.num_io_tensors):
        name = engine.get_tensor_name(index)
        dtype, shape = NAMES[engine.get_binding_dtype(name).name], engine.get_binding_shape(name)
        tensor = Tensor(name, dtype, _shape(engine, shape))
        (described.inputs if engine.binding_is_input(name) else described.outputs).append(tensor)
    described.layers = [_layer(engine, layer) for layer in engine.layers]
    return described


def _shape(engine: Any, shape: Any) -> list[int | str]:
    return [BATCH, *shape] if engine.has_implicit_batch_dimension else list(shape)


def _layer(engine: Any, layer: dict[str, Any]) -> Layer:
    """Return a layer; one of an engine that was built to tell names alone has no tensors."""
    outputs = [
        Tensor(item["name"], NAMES.get(item["dtype"]), _shape(engine, item["shape"]))
        for item in layer.get("outputs", ())
    ]
    inputs = [item["name"] for item in layer.get("inputs", ())]
    return Layer(layer["name"], layer["type"], inputs, outputs, NAMES.get(layer["precision"], layer["precision"]))
