"""One parse: the files, the network, and the tensors so far."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trtflow.formats import FormatError, UserError
from trtflow.formats.caffe import LayerParameter, NetParameter, blob_to_array, inference_layers
from trtflow.formats.caffe.caffe_pb2 import TEST
from trtflow.formats.caffe.network import declared_inputs, inference_state, is_kept, layer_inputs
from trtflow.reference.errors import NetworkError
from trtflow.reference.record.caffe.table import CAFFE, FACTORY, TENSORRT, Added, Importer, misplaced, unread
from trtflow.reference.record.enums import DataType
from trtflow.reference.record.layers import ILayer
from trtflow.reference.record.network import INetworkDefinition
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.values import Dims, Logger, Weights

if TYPE_CHECKING:
    from trtflow.reference.record.caffe_parser import ICaffePluginFactoryV2

MOST_ELEMENTS = 2**31 - 1  # of a tensor in TensorRT
UNNAMED = re.compile(r"layer '\(Unnamed Layer[^']*': ")  # how an error names a layer that is being added
LEAST = 3  # dimensions that TensorRT's fully connected and scale layers need: C, H, W


@dataclass
class Net:
    """One parse.

    In Caffe's meaning a blob of fewer than four axes is a tensor with ones behind it, so that an axis has one index in
    both.

    Attributes:
        deploy, model: paths, for messages.
        definition: the prototxt.
        blobs: the caffemodel's blobs by layer.
        network: what is added to.
        dtype: type of the weights, FLOAT or HALF.
        means_caffe: whether layers are what Caffe means by them, not what TensorRT's parser makes of them.
        factory, namespace: of plugins by layer names.
        tensors: by blob.
        ranks: how many axes a blob has.
        regions: tensors that RPROI leads to, with an axis of regions between batch and channels, which TensorRT's
            layers pass over; as RPROI is TensorRT's own, they are read as TensorRT reads them.
        taken: how many blobs of weights the layer at hand has read.
    """

    deploy: str
    model: str
    definition: NetParameter
    blobs: dict[str, list[Any]]
    network: INetworkDefinition
    dtype: DataType
    means_caffe: bool = False
    factory: ICaffePluginFactoryV2 | None = None
    namespace: str = ""
    tensors: dict[str, ITensor] = field(default_factory=dict)
    ranks: dict[ITensor, int] = field(default_factory=dict)
    regions: set[ITensor] = field(default_factory=set)
    taken: int = 0

    def __post_init__(self) -> None:
        self.skip = int(self.network.has_implicit_batch_dimension)  # axes of Caffe's that the network leaves out

    def parse(self) -> dict[str, ITensor]:
        """Add all layers; return the tensors by blob, each named as its blob."""
        try:
            inputs = declared_inputs(self.definition)
            layers = inference_layers(self.definition) if self.means_caffe else self.tensorrt_layers()
        except UserError as error:
            raise FormatError(self.deploy, str(error), "Correct the prototxt.") from error
        for name, dims in inputs:
            self.add_input(name, dims)
        for layer in layers:
            self.add_layer(layer)
        self.name_tensors()
        return self.tensors

    def name_tensors(self) -> None:
        """Name tensors as their blobs: of several names TensorRT takes the last in the order of letters.

        In Caffe's meaning it is the last that was written, and inputs keep theirs.
        """
        if not self.means_caffe:
            for name, tensor in sorted(self.tensors.items()):
                tensor.name = name
            return
        inputs = {self.network.get_input(index).name for index in range(self.network.num_inputs)}
        for name, tensor in self.tensors.items():
            if name not in inputs and not tensor.is_network_input:
                tensor.name = name

    def tensorrt_layers(self) -> list[LayerParameter]:
        """Return the layers that TensorRT's parser reads: it knows no rules, but passes over `phase: TEST`."""
        self.check_form()
        if self.definition.layers:
            count = len(self.definition.layers)
            self.warn(f"TensorRT overlooks {count} layers in the form of 2014, layers {{ … }}; `migrate` reads them")
        state = inference_state(self.definition)
        for layer in self.definition.layer:
            if not is_kept(layer, state):
                self.ignores(layer, "include or exclude, by which Caffe leaves the layer out at inference")
            if layer.HasField("phase") and layer.phase == TEST:
                self.warn(f"layer {layer.name!r}: TensorRT leaves out layers of phase TEST, which Caffe runs")
        return [layer for layer in self.definition.layer if not (layer.HasField("phase") and layer.phase == TEST)]

    def check_form(self) -> None:
        """Refuse the SSD authors' own prototxt, which fails far from its cause otherwise."""
        for layer in self.definition.layer:
            if layer.type == "DetectionOutput" and len(layer.top) == 1:
                remedy = "Run scripts/convert_ssd_prototxt.py, which adds keep_count and replaces Flatten."
                raise NetworkError(layer.name, f"{self.deploy} is not in TensorRT's form: it has one top", remedy)

    def add_input(self, name: str, dims: Sequence[int]) -> ITensor:
        """Add an input of the network, of a shape with its batch."""
        if len(dims) != 4 and not (self.means_caffe and dims):
            raise NetworkError(name, f"an input of shape {list(dims)} in {self.deploy}", "TensorRT takes N, C, H, W.")
        if min(dims, default=0) < 1 or prod(dims[1:]) > MOST_ELEMENTS:
            fault = f"an input of shape {list(dims)} in {self.deploy}"
            raise NetworkError(name, fault, f"Sizes are positive, and a picture has at most {MOST_ELEMENTS} elements.")
        if not self.skip:
            self.warn("setting batch size to 1; set the shape after parsing, as the batch is explicit")
        behind = [*dims[1:], *[1] * (LEAST + 1 - len(dims))]
        tensor = self.network.add_input(name, DataType.FLOAT, Dims(behind if self.skip else [1, *behind]))
        self.tensors[name] = tensor
        return self.ranked(tensor, len(dims))

    def add_layer(self, layer: LayerParameter) -> None:
        """Add what a layer of the prototxt stands for."""
        if layer.type == "Input":
            self.add_inputs(layer)
            return
        importer = self.importer(layer)
        inputs = self.bottoms(layer, importer)
        self.check_fields(layer, importer)
        self.taken = 0
        added = self.add(importer, layer, inputs)
        self.check_blobs(layer)
        outputs = _outputs(added)
        if added is not None and len(outputs) != len(layer.top):
            fault = f"{len(layer.top)} tops in {self.deploy}, but {layer.type} has {len(outputs)} outputs"
            raise NetworkError(layer.name, fault, "Correct its tops.")
        for tensor in outputs:
            if prod(tensor.shape) > MOST_ELEMENTS:
                fault = f"an output of shape {tensor.shape} in {self.deploy}, more than {MOST_ELEMENTS} elements"
                raise NetworkError(layer.name, fault, "Correct the prototxt.")
        if self.regions.intersection(inputs):
            self.regions.update(outputs)
        for tensor in outputs:
            self.ranks.setdefault(tensor, self.rank(inputs[0]) if inputs else len(tensor.shape) + self.skip)
        if isinstance(added, ILayer):
            added.name = layer.name
        self.tensors.update(zip(layer.top, outputs, strict=False))

    def add(self, importer: Importer, layer: LayerParameter, inputs: list[ITensor]) -> Added:
        """Call what makes a layer; what does not fit is told under the layer's own name."""
        try:
            return importer.add(self, layer, inputs)
        except NetworkError as error:
            if UNNAMED.match(str(error)) is None:
                raise
            raise NetworkError(layer.name, UNNAMED.sub("", str(error))) from error

    def add_inputs(self, layer: LayerParameter) -> None:
        """Add the inputs of an Input layer."""
        try:
            shapes = layer_inputs(layer)
        except UserError as error:
            raise FormatError(self.deploy, str(error), "Correct the prototxt.") from error
        if len(layer.input_param.shape) != len(layer.top) and not self.means_caffe:
            fault = f"one shape for {len(layer.top)} tops in {self.deploy}, which TensorRT's parser does not take"
            raise NetworkError(layer.name, fault, "Give each top its shape.")
        for name, dims in shapes:
            self.add_input(name, dims)

    def importer(self, layer: LayerParameter) -> Importer:
        """Return what makes a layer: the plugin factory where it says so, else its type's."""
        if self.factory and self.factory.is_plugin_v2(layer.name):
            return TENSORRT[FACTORY]
        of_regions = any(self.tensors.get(name) in self.regions for name in layer.bottom)
        table = {**TENSORRT, **CAFFE} if self.means_caffe and not of_regions else TENSORRT
        if layer.type not in table or layer.type == FACTORY:
            known = ", ".join(sorted(set(table) - {FACTORY}))
            raise NetworkError(layer.name, f"unknown type {layer.type!r} in {self.deploy}", f"Known: Input, {known}.")
        return table[layer.type]

    def bottoms(self, layer: LayerParameter, importer: Importer) -> list[ITensor]:
        """Return the tensors that a layer reads."""
        found = len(layer.bottom)
        if found != importer.bottoms and (importer.bottoms is not None or not found):
            fault = f"expected {importer.bottoms or 'at least 1'} bottom blobs, found {found} in {self.deploy}"
            raise NetworkError(layer.name, fault, self.only_tensorrt(f"Correct the bottoms of this {layer.type}."))
        missing = [name for name in layer.bottom if name not in self.tensors]
        if missing:
            raise NetworkError(layer.name, f"no layer before it in {self.deploy} makes its input {missing[0]!r}")
        tensors = [self.tensors[name] for name in layer.bottom]
        if not self.means_caffe:
            for name, tensor in zip(layer.bottom, tensors, strict=True):
                if name in layer.top and tensor.is_network_input:
                    fault = f"in place on the network's input {name!r} in {self.deploy}"
                    remedy = "TensorRT does not support in-place operations on input tensors: name another top."
                    raise NetworkError(layer.name, fault, remedy)
        return tensors

    def check_fields(self, layer: LayerParameter, importer: Importer) -> None:
        """Say which fields nothing reads: TensorRT ignores them, Caffe does not; what a factory reads is its own."""
        if importer is TENSORRT[FACTORY]:
            return
        for name in misplaced(layer, importer):
            self.warn(f"layer {layer.name!r}: {name} has no meaning for the type {layer.type}")
        for name in unread(layer, importer):
            if self.means_caffe:
                fault = f"{name} in {self.deploy} is not supported"
                raise NetworkError(layer.name, fault, "Leave it out, or change it.")
            self.ignores(layer, name)

    def check_blobs(self, layer: LayerParameter) -> None:
        """Say which weights nothing read."""
        count = len(self.blobs.get(layer.name, []))
        if not 0 < self.taken < count:
            return
        fault = f"layer {layer.name!r} has {count} blobs of weights, of which {layer.type} takes {self.taken}"
        if self.means_caffe:
            raise FormatError(self.model, fault, self.right_model())
        self.warn(f"{self.model}: {fault}; TensorRT ignores the others")

    def weights(self, layer: LayerParameter, index: int, count: int | None = None) -> np.ndarray:
        """Return a blob of a layer as a flat array in the parser's type."""
        blobs = self.blobs.get(layer.name, [])
        self.taken = max(self.taken, index + 1)
        if index >= len(blobs):
            fault = f"layer {layer.name!r} has {len(blobs)} blobs of weights, needs {index + 1}"
            raise FormatError(self.model, fault, self.right_model())
        values = blob_to_array(blobs[index]).ravel()
        if count is not None and values.size != count:
            fault = f"layer {layer.name!r} has {values.size} weights in blob {index}, needs {count}"
            raise FormatError(self.model, fault, self.right_model())
        if self.dtype == DataType.FLOAT:
            return values
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if not np.isfinite(half).all():
            fault = f"layer {layer.name!r} has weights in blob {index} beyond what half precision holds"
            raise FormatError(self.model, fault, "Parse it with float32.")
        return half

    def bias(self, layer: LayerParameter, count: int) -> Weights:
        """Return the second blob; none, with a warning, where the caffemodel has no such blob, as TensorRT does."""
        if len(self.blobs.get(layer.name, [])) == 1 and not self.means_caffe:
            self.warn(f"{self.model}: weights for the bias of layer {layer.name!r} do not exist; TensorRT adds none")
            return Weights()
        return Weights(self.weights(layer, 1, count))

    def right_model(self) -> str:
        """Return the way out of weights that do not fit."""
        return f"Take the caffemodel that belongs to {Path(self.deploy).name}."

    def warn(self, message: str) -> None:
        """Log a warning."""
        self.network.logger.log(Logger.WARNING, message if self.deploy in message else f"{self.deploy}: {message}")

    def ignores(self, layer: LayerParameter, what: str) -> None:
        """Log that TensorRT's parser does not read something that Caffe does."""
        self.warn(f"layer {layer.name!r}: TensorRT ignores {what}; `migrate` computes what Caffe means, or refuses it")

    def only_tensorrt(self, remedy: str) -> str:
        """Return the way out of what TensorRT's parser refuses and Caffe takes."""
        return remedy if self.means_caffe else f"{remedy} `migrate` reads what Caffe does."

    def ranked(self, tensor: ITensor, rank: int) -> ITensor:
        """Note how many axes, with the batch, a tensor's blob has in Caffe."""
        self.ranks[tensor] = rank
        return tensor

    def rank(self, tensor: ITensor) -> int:
        """Return how many axes, with the batch, a tensor's blob has in Caffe."""
        return self.ranks.get(tensor, len(tensor.shape) + self.skip)

    def shape(self, tensor: ITensor) -> list[int]:
        """Return the sizes of a tensor's blob in Caffe behind the batch."""
        return list(tensor.shape)[1 - self.skip : self.rank(tensor) - self.skip]

    def axis(self, layer: LayerParameter, tensor: ITensor, axis: int, word: str = "axis") -> int:
        """Return an axis of Caffe's, negative from the end, counted with the batch.

        Raises:
            NetworkError: the blob has no such axis, or it is the batch.
        """
        rank = self.rank(tensor)
        found = axis + rank if axis < 0 else axis
        if not 0 <= found < rank:
            raise NetworkError(layer.name, f"{word} {axis} of a blob of {rank} axes", "Correct the prototxt.")
        if found == 0:
            raise NetworkError(layer.name, f"{word} {axis} is the batch", "Pictures of a batch are apart: change it.")
        return found


def _outputs(added: Added) -> list[ITensor]:
    if added is None:
        return []
    return added if isinstance(added, list) else [added] if isinstance(added, ITensor) else added.outputs
