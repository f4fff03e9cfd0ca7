"""Caffe's networks as TensorRT's parser reads them, and as Caffe means them: one small function a layer type.

`table` holds which function makes a type and which fields it reads; `net` is one parse; `windows`, `elements`, `shapes`
and `plugins` are TensorRT's 24 types and its plugins; the modules `meaning_…` say what Caffe means where TensorRT's
parser ignores a field or does not know a type.
"""

from trtflow.reference.record.caffe import (
    elements,
    meaning_branches,
    meaning_elements,
    meaning_shapes,
    meaning_windows,
    plugins,
    shapes,
    windows,
)

__all__ = [
    "elements",
    "meaning_branches",
    "meaning_elements",
    "meaning_shapes",
    "meaning_windows",
    "plugins",
    "shapes",
    "windows",
]
