"""Faults of TensorRT 8.6's own plugins that end the process without a message: refused with one beforehand."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from trtflow.formats import UserError

ROI_POOLING, FEATURES = "RPROI_TRT", 2  # the plugin, and which of its inputs is the map
INT_BYTES = 4


def refuse_faulty_int8(trt: ModuleType, network: Any) -> None:
    """Refuse a network whose INT8 engine TensorRT cannot build or run for a fault in a plugin.

    RPROI_TRT lays boxes, as int32, behind a channel of an INT8 map in shared memory, and with a number of cells that is
    no multiple of 4 at an address that CUDA refuses ("misaligned address"). The builder meets that while it times the
    plugin, and aborts (plugin/common/kernels/roiPooling.cu of TensorRT 8.6.0). The reference runtime would not, but an
    engine of one backend should be one of the other.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        network: a network that INT8 is allowed for.

    Raises:
        UserError: it has such a plugin.
    """
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        if layer.type != trt.LayerType.PLUGIN_V2:
            continue
        if type(layer) is trt.ILayer:  # TensorRT's Python gives all layers as this, the reference as they are
            layer.__class__ = trt.IPluginV2Layer
        if not isinstance(layer, trt.IPluginV2Layer) or layer.plugin.plugin_type != ROI_POOLING:
            continue
        height, width = tuple(layer.get_input(FEATURES).shape)[-2:]
        if height * width % INT_BYTES:
            raise UserError(
                f"{ROI_POOLING} of TensorRT 8.6 aborts the process with an INT8 map of {height} x {width} cells, for "
                f"their number is no multiple of {INT_BYTES}. Give the network's pictures another size, or leave int8 "
                "out of precisions."
            )
