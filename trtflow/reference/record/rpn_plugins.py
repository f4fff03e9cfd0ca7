"""The plugin of Faster R-CNN as TensorRT registers it (guide §12.1): RPROI_TRT, proposals and RoI pooling in one."""

from __future__ import annotations

from typing import Any

import numpy as np

from trtflow.reference.errors import NetworkError
from trtflow.reference.record.plugins import IPluginCreator, IPluginV2, get_plugin_registry
from trtflow.reference.record.values import Dims


class RPROI(IPluginV2):
    """From a region proposal network's scores and offsets, a feature map and im_info to rois and pooled features.

    Inputs: scores [2 A, H, W], background first; offsets [4 A, H, W]; the map [C, H, W]; im_info [1, 1, 3], the
    picture's height, width and scale. Outputs: rois [1, nmsMaxOut, 4], xmin, ymin, xmax, ymax in pixels, best first and
    noughts behind the last; features [nmsMaxOut, C, poolingH, poolingW].
    """

    plugin_type = "RPROI_TRT"
    num_outputs = 2

    def __init__(self, **attributes: Any) -> None:
        for count, values in (("anchorsRatioCount", "anchorsRatios"), ("anchorsScaleCount", "anchorsScales")):
            if attributes[values].size != attributes[count]:
                raise ValueError(f"{attributes[values].size} {values} for {count} {attributes[count]}")
        super().__init__(**attributes)

    def anchors(self) -> np.ndarray:
        """Return centre x, centre y, width and height of the first cell's anchors in pixels, float64 [A, 4]."""
        stride = self.attributes["featureStride"]
        ratios, scales = (self.attributes[key].astype(np.float64) for key in ("anchorsRatios", "anchorsScales"))
        widths = np.floor(np.sqrt(stride**2 / ratios) + 0.5)
        heights = np.floor(widths * ratios + 0.5)
        sizes = np.stack([widths, heights], 1)[:, None] * scales[None, :, None]
        return np.concatenate([np.full_like(sizes, (stride - 1) / 2), sizes], axis=2).reshape(-1, 4)

    def get_output_shape(self, index: int, input_shapes: list[Dims]) -> Dims:
        """Return (1, nmsMaxOut, 4) for the rois and (nmsMaxOut, C, poolingH, poolingW) for the features."""
        attributes = self.attributes
        count = attributes["anchorsRatioCount"] * attributes["anchorsScaleCount"]
        self._check(input_shapes, count)
        if index == 0:
            return Dims((1, attributes["nmsMaxOut"], 4))
        return Dims((attributes["nmsMaxOut"], input_shapes[2][0], attributes["poolingH"], attributes["poolingW"]))

    def _check(self, inputs: list[Dims], count: int) -> None:
        shapes = ", ".join(map(str, inputs))
        fits = len(inputs) == 4 and all(len(shape) == 3 for shape in inputs)
        fits = fits and (inputs[0][0], inputs[1][0]) == (2 * count, 4 * count)
        if not fits or len({tuple(shape[1:]) for shape in inputs[:3]}) != 1 or tuple(inputs[3]) != (1, 1, 3):
            remedy = f"It takes ({2 * count}, H, W), ({4 * count}, H, W), (C, H, W) and im_info (1, 1, 3)."
            raise NetworkError(self.plugin_type, f"inputs of shape {shapes}", remedy)


CREATOR = IPluginCreator(
    RPROI,
    {
        "poolingH": 7,
        "poolingW": 7,
        "featureStride": 16,
        "preNmsTop": 6000,
        "nmsMaxOut": 300,
        "anchorsRatioCount": 3,
        "anchorsScaleCount": 3,
        "iouThreshold": 0.7,
        "minBoxSize": 16.0,
        "spatialScale": 0.0625,
        "anchorsRatios": None,
        "anchorsScales": None,
    },
)


def register() -> None:
    """Add the creator to the registry; harmless when it is there."""
    get_plugin_registry().register_creator(CREATOR)
