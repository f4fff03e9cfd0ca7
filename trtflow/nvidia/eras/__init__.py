"""What TensorRT 5, 6 and 7 had and 8.6 has not: given to the reference while an era is asked for.

Each old member warns once and says what it is today. An era gives members and takes none away. What was there before:
the documentation of the Python API of 5.1, 6.0 and 7.2, and the lists of removed members in the release notes of 8.0.
"""

from __future__ import annotations

from types import ModuleType

from trtflow.nvidia.eras import builder, engine, implicit_onnx, layers, shapes
from trtflow.nvidia.eras.warning import forget
from trtflow.nvidia.patches import Patches

VERSIONS = {5: "5.1.5.0", 6: "6.0.1.5", 7: "7.2.3.4"}
LAST_OF_IMPLICIT_ONNX = 6  # 7.0 parses ONNX into networks with an explicit batch alone


def give_era(patches: Patches, era: int, trt: ModuleType) -> None:
    """Give the reference the members of an era.

    Args:
        patches: takes them back.
        era: 5, 6 or 7.
        trt: the reference.
    """
    forget()
    patches.set(trt, "__version__", VERSIONS[era])  # scripts choose by it between old ways and new ones
    builder.give(patches, trt)
    engine.give(patches, trt)
    layers.give(patches, trt)
    shapes.give(patches, trt)
    if era <= LAST_OF_IMPLICIT_ONNX:
        implicit_onnx.give(patches, trt)
