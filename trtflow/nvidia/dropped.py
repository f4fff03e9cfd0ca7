"""Names that NumPy, Pillow, onnx and Python's own library dropped, given back with the meaning that they had.

Methods of arrays (`ndarray.tostring`, `ndarray.itemset`) are not among them: types of C code take no new attributes.
"""

from __future__ import annotations

import importlib.util
import math
import struct
import sys
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from trtflow.nvidia.patches import Patches

# what NumPy's release notes of 1.20, 1.24, 1.25 and 2.0 to 2.4 say to write instead
_NUMPY_ALIASES = {
    "int": int, "float": float, "complex": complex, "object": object, "str": str, "unicode": str,
    "float_": "float64", "complex_": "complex128", "cfloat": "complex128", "singlecomplex": "complex64",
    "longfloat": "longdouble", "longcomplex": "clongdouble", "clongfloat": "clongdouble", "string_": "bytes_",
    "bytes0": "bytes_", "unicode_": "str_", "str0": "str_", "object0": "object_", "void0": "void", "bool8": "bool_",
    "int0": "intp", "uint0": "uintp", "product": "prod", "cumproduct": "cumprod", "sometrue": "any", "alltrue": "all",
    "round_": "round", "trapz": "trapezoid", "row_stack": "vstack", "mat": "asmatrix",
    "Inf": math.inf, "Infinity": math.inf, "infty": math.inf, "PINF": math.inf, "NINF": -math.inf,
    "NaN": math.nan, "NAN": math.nan, "PZERO": 0.0, "NZERO": -0.0, "math": math,
    "issubclass_": issubclass, "typeDict": "sctypeDict",
}  # fmt: skip
_KINDS = {"int": "bhilq", "uint": "BHILQ", "float": "efdg", "complex": "FDG", "others": "?OSUV"}  # of np.sctypes
_PILLOW_IMAGE = {"ANTIALIAS": "LANCZOS", "LINEAR": "BILINEAR", "CUBIC": "BICUBIC"}


class _ByType(dict[Any, Any]):
    """A table of something that follows from a type, under each name that the type has."""

    def __init__(self, of_type: Callable[[Any], Any]) -> None:
        super().__init__()
        self._of_type = of_type

    def __missing__(self, kind: Any) -> Any:
        return self._of_type(kind)


def patch_numpy(patches: Patches, numpy: ModuleType) -> None:
    """Give NumPy's names back."""
    for name, value in _NUMPY_ALIASES.items():
        given = getattr(numpy, value, None) if isinstance(value, str) else value
        if given is not None and name not in vars(numpy):
            patches.set(numpy, name, given)
    tables: dict[str, Any] = {
        "nbytes": _ByType(lambda kind: numpy.dtype(kind).itemsize),
        "cast": _ByType(lambda kind: partial(numpy.asarray, dtype=kind)),
        "sctypes": {name: [numpy.dtype(code).type for code in kinds] for name, kinds in _KINDS.items()},
    }
    for name, table in tables.items():
        patches.add(numpy, name, table)
    functions = {
        "issctype": lambda rep: (
            isinstance(rep, (type, numpy.dtype))
            and issubclass(rep if isinstance(rep, type) else rep.type, numpy.generic)
        ),
        "obj2sctype": lambda rep, default=None: numpy.dtype(rep).type,
        "sctype2char": lambda sctype: numpy.dtype(sctype).char,
        "find_common_type": lambda array_types, scalar_types: numpy.result_type(*array_types, *scalar_types),
        "asscalar": lambda a: a.item(),
        "alen": lambda a: len(numpy.atleast_1d(a)),
        "msort": lambda a: numpy.sort(a, axis=0),
        "rank": numpy.ndim,
        "in1d": lambda ar1, ar2, **more: numpy.isin(numpy.ravel(ar1), ar2, **more),
        "asfarray": lambda a, dtype=numpy.float64: numpy.asarray(
            a, dtype if numpy.issubdtype(dtype, numpy.inexact) else numpy.float64
        ),
    }
    for name, function in functions.items():
        if name not in vars(numpy):
            patches.set(numpy, name, function)
    patches.set(numpy, "fromstring", _fromstring(numpy, numpy.fromstring))


def _fromstring(numpy: ModuleType, of_text: Any) -> Any:
    """Return NumPy's function of text, which reads bytes too where no separator is given."""

    def fromstring(string: Any, dtype: Any = float, count: int = -1, *, sep: str = "", like: Any = None) -> Any:
        """Return a new array of the values in text, or in bytes where `sep` is empty."""
        if sep:
            return of_text(string, dtype, count, sep=sep)
        data = string.encode("latin-1") if isinstance(string, str) else string
        return numpy.frombuffer(data, dtype, count).copy()

    return fromstring


def patch_image(patches: Patches, image: ModuleType) -> None:
    """Give back the filters of `PIL.Image` by their old names."""
    for name, today in _PILLOW_IMAGE.items():
        patches.add(image, name, getattr(image.Resampling, today))


def patch_draw(patches: Patches, draw: ModuleType) -> None:
    """Give back `ImageDraw.textsize`, by way of what Pillow says to use instead."""

    def textsize(self: Any, text: str, font: Any = None, spacing: float = 4, **more: Any) -> tuple[int, int]:
        """Return width and height of text as it would be drawn."""
        _, _, right, bottom = self.textbbox((0, 0), text, font, spacing=spacing, **more)
        return math.ceil(right), math.ceil(bottom)

    patches.add(draw.ImageDraw, "textsize", textsize)
    patches.add(draw.ImageDraw, "multiline_textsize", textsize)


def patch_font(patches: Patches, font: ModuleType) -> None:
    """Give back `getsize` and `getoffset` of fonts."""

    def getsize(self: Any, text: str, *options: Any, **more: Any) -> tuple[int, int]:
        """Return width and height of text."""
        _, _, right, bottom = self.getbbox(text, *options, **more)
        return math.ceil(right), math.ceil(bottom)

    def getoffset(self: Any, text: str) -> tuple[int, int]:
        """Return where the text begins."""
        left, top, _, _ = self.getbbox(text)
        return int(left), int(top)

    for kind in (font.FreeTypeFont, font.ImageFont, font.TransposedFont):
        patches.add(kind, "getsize", getsize)
    patches.add(font.FreeTypeFont, "getoffset", getoffset)


def patch_time(patches: Patches, time: ModuleType) -> None:
    """Give back `time.clock`, which ended with Python 3.7."""
    patches.add(time, "clock", time.process_time)


def patch_collections(patches: Patches, collections: ModuleType) -> None:
    """Give back the abstract classes that `collections` had until Python 3.9."""
    for name in collections.abc.__all__:
        patches.add(collections, name, getattr(collections.abc, name))


def patch_onnx(patches: Patches, onnx: ModuleType) -> None:
    """Give back `onnx.mapping`, which 1.19 dropped, and the two functions of bfloat16 that graphsurgeon calls."""
    if importlib.util.find_spec("onnx.mapping") is None:
        mapping = _mapping(onnx)
        patches.set(onnx, "mapping", mapping)
        patches.set_item(sys.modules, mapping.__name__, mapping)
    patches.add(onnx.helper, "float32_to_bfloat16", _float32_to_bfloat16)
    patches.add(onnx.numpy_helper, "bfloat16_to_float32", _bfloat16_to_float32)


def _mapping(onnx: ModuleType) -> ModuleType:
    """Return the module's tables, of the types that onnx had when they were last kept."""
    helper, types = onnx.helper, onnx.TensorProto
    mapping = ModuleType("onnx.mapping")
    kinds = range(types.FLOAT, types.BFLOAT16 + 1)
    of_numpy = {kind: helper.tensor_dtype_to_np_dtype(kind) for kind in kinds if kind != types.BFLOAT16}
    storage = {kind: helper.tensor_dtype_to_storage_tensor_dtype(kind) for kind in kinds}
    vars(mapping).update(
        NP_TYPE_TO_TENSOR_TYPE={value: kind for kind, value in of_numpy.items()},
        TENSOR_TYPE_TO_NP_TYPE=of_numpy | {int(types.BFLOAT16): of_numpy[types.FLOAT]},
        TENSOR_TYPE_TO_STORAGE_TENSOR_TYPE=storage,
        STORAGE_TENSOR_TYPE_TO_FIELD={kind: helper.tensor_dtype_to_field(kind) for kind in {*storage.values()}},
    )
    return mapping


def _float32_to_bfloat16(fval: float, truncate: bool = False) -> int:
    """Return the bits of a bfloat16, rounded to even."""
    bits = int.from_bytes(struct.pack("<f", fval), "little")
    if truncate:
        return bits >> 16
    return 0x7FC0 if math.isnan(fval) else (bits + (bits >> 16 & 1) + 0x7FFF) >> 16


def _bfloat16_to_float32(data: Any, dims: Any = None) -> Any:
    """Return float32 values, given the bits of bfloat16 ones."""
    import numpy  # noqa: PLC0415 - with onnx it is loaded

    values = (numpy.asarray(data).astype(numpy.int32) << 16).view(numpy.float32)
    return values if dims is None else values.reshape(dims)


HOOKS = {
    "time": patch_time,
    "collections": patch_collections,
    "numpy": patch_numpy,
    "onnx": patch_onnx,
    "PIL.Image": patch_image,
    "PIL.ImageDraw": patch_draw,
    "PIL.ImageFont": patch_font,
}
