"""A model in files, as TensorRT's parsers take it: what to parse, and the names to give the parser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from trtflow.runtime.build import INT8
from trtflow.runtime.parsers import parse_caffe, parse_onnx, parse_uff


@dataclass(frozen=True)
class ModelFile:
    """A model.

    Attributes:
        form: caffe, onnx or uff.
        path: caffemodel, ONNX or UFF file.
        deploy: prototxt of a caffemodel.
        inputs: shape of each input by name, without the batch; -1 is a size that an ONNX model leaves open.
        outputs: names of the outputs.
        as_caffe: whether a Caffe model is what Caffe means by it, where TensorRT's parser takes something for another.
        turned: whether inputs are C, H, W where the framework has H, W, C.
        unquantised: of an ONNX model that says itself what is INT8, the same in float32.
    """

    form: str
    path: Path
    deploy: Path | None = None
    inputs: Mapping[str, Sequence[int]] = field(default_factory=dict)
    outputs: Sequence[str] = ()
    as_caffe: bool = False
    turned: bool = False
    unquantised: Path | None = None

    def in_precision(self, precision: str) -> ModelFile:
        """Return what an engine of a precision takes: of a model that is quantised INT8 alone takes it so."""
        if self.unquantised is None or precision in INT8:
            return self
        return replace(self, path=self.unquantised, unquantised=None)

    @property
    def explicit_batch(self) -> bool:
        """Whether the network that takes it must have an explicit batch."""
        return self.form == "onnx"

    def define(self, trt: ModuleType, network: Any) -> None:
        """Add its layers to a network and mark its outputs; errors as of `trtflow.runtime.parsers`."""
        if self.form == "onnx":
            parse_onnx(trt, network, self.path)
        elif self.form == "uff":
            parse_uff(trt, network, self.path, self.inputs, self.outputs)
        else:
            assert self.deploy is not None
            parse_caffe(trt, network, self.deploy, self.path, self.outputs, self.as_caffe)

    def to_json(self) -> dict[str, Any]:
        """Return it for a JSON file that lies beside the model's own files."""
        files = {"path": self.path, "deploy": self.deploy, "unquantised": self.unquantised}
        return {**asdict(self), **{key: path.name if path else None for key, path in files.items()}}

    @classmethod
    def from_json(cls, values: Mapping[str, Any], folder: Path) -> ModelFile:
        """Return what `to_json` gave, of files in a folder."""
        named = {"path": values["path"], "deploy": values["deploy"], "unquantised": values.get("unquantised")}
        return cls(**{**values, **{key: folder / name if name else None for key, name in named.items()}})
