"""Old members of layers and the networks that add them."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from trtflow.nvidia.eras.warning import warn
from trtflow.nvidia.patches import Patches


def give(patches: Patches, trt: ModuleType) -> None:
    """Give the products of matrices that say «transposed» by a truth value, and `IResizeLayer.align_corners`."""
    operations, coordinates = trt.MatrixOperation, trt.ResizeCoordinateTransformation

    def add_matrix_multiply_deprecated(self: Any, input0: Any, transpose0: bool, input1: Any, transpose1: bool) -> Any:
        """Add a product of matrices, each transposed or not; of TensorRT 5 to 7."""
        warn("INetworkDefinition.add_matrix_multiply_deprecated", "network.add_matrix_multiply")
        first, second = (operations.TRANSPOSE if turned else operations.NONE for turned in (transpose0, transpose1))
        return self.add_matrix_multiply(input0, first, input1, second)

    def aligned(self: Any) -> bool:
        warn("IResizeLayer.align_corners", "layer.coordinate_transformation")
        return bool(self.coordinate_transformation == coordinates.ALIGN_CORNERS)

    def align(self: Any, value: bool) -> None:
        warn("IResizeLayer.align_corners", "layer.coordinate_transformation")
        self.coordinate_transformation = coordinates.ALIGN_CORNERS if value else coordinates.ASYMMETRIC

    patches.set(trt.INetworkDefinition, "add_matrix_multiply_deprecated", add_matrix_multiply_deprecated)
    patches.set(trt.IResizeLayer, "align_corners", property(aligned, align, doc="Of TensorRT 6 and 7."))
