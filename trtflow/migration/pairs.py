"""Which tensors of a network get no Q/DQ pair, for TensorRT 8.6 does not build what would stand there, or misreads it.

What was tried on a GPU stands in docs/migrate.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import trtflow.reference as trt
from trtflow.reference.lower.int8_tensors import QUANTISED_LAYERS
from trtflow.reference.lower.precision import choose
from trtflow.reference.lower.quantised_forms import constant_product, passes_values
from trtflow.reference.record.values import volume


def leave_out_pairs(network: Any, scales: Mapping[str, np.float32]) -> dict[str, np.float32]:
    """Have layers compute in float that would read a tensor which cannot have a pair, and return the other scales.

    A tensor has none that is the product with a constant, or comes out of a resize, be it moved or limited after.
    A product stays quantised where a convolution alone is in front of it, which takes it in, and so does one with a
    single number of what has no pair itself.

    Args:
        network: the network, which is to run in INT8.
        scales: by the names of its tensors.
    """
    config = trt.IBuilderConfig()
    config.set_flag(trt.BuilderFlag.INT8)
    quantised = set(choose(network, config, scales).scales)
    without: set[Any] = set()
    for layer in network:
        moved = passes_values(layer) and not without.isdisjoint(layer.inputs)
        if moved or isinstance(layer, trt.IResizeLayer) or _is_misread(network, layer, quantised):
            without.update(layer.outputs)
    for layer in network:
        if isinstance(layer, (*QUANTISED_LAYERS, trt.IMatrixMultiplyLayer)) and layer.inputs[0] in without:
            layer.precision = trt.float32
    names = {tensor.name for tensor in without}
    return {name: scale for name, scale in scales.items() if name not in names}


def _is_misread(network: Any, layer: Any, quantised: set[str]) -> bool:
    """Whether a layer is a product that TensorRT merges with the quantisation behind it."""
    product = constant_product(layer)
    if product is None:
        return False
    tensor, shape = product
    if volume(shape) == 1:
        return tensor.name in quantised
    alone = [reader for reader in network if tensor in reader.inputs] == [layer] and not tensor.is_network_output
    return not (isinstance(tensor.producer, trt.IConvolutionLayer) and alone)
