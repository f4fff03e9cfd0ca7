"""What NumPy, Pillow and onnx dropped is back under the flag, with the meaning that it had, and gone afterwards."""

from __future__ import annotations

import collections
import math
import sys
import time

import ml_dtypes
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from trtflow.nvidia import nvidia_names
from trtflow.nvidia.dropped import _NUMPY_ALIASES

DATA = np.array([[3.5, 1.0], [2.0, -4.0]])


def test_names_are_there_only_meanwhile() -> None:
    lacking = [name for name in (*_NUMPY_ALIASES, "asscalar", "asfarray", "in1d") if name not in vars(np)]
    assert {"int", "float", "object", "float_", "Inf", "product", "in1d"} <= set(lacking)
    with nvidia_names(dropped_names=True):
        assert set(lacking) <= set(vars(np))
        assert Image.ANTIALIAS == Image.Resampling.LANCZOS
    assert not set(lacking) & set(vars(np))
    assert not hasattr(Image, "ANTIALIAS")


@pytest.mark.parametrize("options", [{"era": 7}, {"era": 7, "dropped_names": False}, {}])
def test_an_era_gives_them_unless_told_otherwise(options: dict) -> None:
    with nvidia_names(**options):
        assert hasattr(np, "float") is (options == {"era": 7})


def test_types_and_functions_mean_what_they_did() -> None:
    with nvidia_names(dropped_names=True):
        assert np.zeros(2, np.float).dtype == np.float64
        assert np.zeros(2, np.int).dtype == np.array([1]).dtype
        assert np.zeros(2, np.object).dtype == object
        assert np.float_(1).dtype == np.float64
        assert np.product(DATA) == 3.5 * 1 * 2 * -4
        assert np.array_equal(np.cumproduct(DATA), [3.5, 3.5, 7, -28])
        assert (np.sometrue(DATA > 3), np.alltrue(DATA > 3)) == (True, False)
        assert np.asscalar(np.array([2.5])) == 2.5
        assert np.array_equal(np.msort(DATA), [[2, -4], [3.5, 1]])
        assert np.array_equal(np.in1d(DATA, [1, 2]), [False, True, True, False])
        assert np.asfarray([1, 2]).dtype == np.float64
        assert np.asfarray([1, 2], np.float32).dtype == np.float32
        assert np.trapz([1, 2, 3]) == 4
        assert np.Inf == np.PINF == math.inf == -np.NINF
        assert math.isnan(np.NaN)


def test_tables_of_types() -> None:
    with nvidia_names(dropped_names=True):
        assert (np.nbytes[np.float32], np.nbytes["f8"], np.nbytes[bool]) == (4, 8, 1)
        assert np.cast[np.int32]([1.5, -2.5]).tolist() == [1, -2]
        assert np.cast["f"](3).dtype == np.float32
        assert np.sctypes["float"][1:3] == [np.float32, np.float64]
        assert np.find_common_type([np.float32, np.int64], []) == np.float64
        assert (np.issctype(np.float32), np.issctype(3), np.sctype2char(np.int8)) == (True, False, "b")
        assert np.obj2sctype(np.zeros(1, np.float16).dtype) is np.float16
        assert np.typeDict["float32"] is np.float32


def test_what_python_dropped() -> None:
    with nvidia_names(dropped_names=True):
        before = time.clock()
        assert isinstance([], collections.Sequence)
        assert isinstance({}, collections.Mapping)
        assert 0 <= time.clock() - before < 60
    assert not hasattr(time, "clock")
    assert not hasattr(collections, "Sequence")


def test_fromstring_reads_bytes_and_text() -> None:
    with pytest.raises(ValueError, match="frombuffer"):
        np.fromstring(b"\1\0\2\0", np.int16)
    with nvidia_names(dropped_names=True):
        found = np.fromstring(b"\1\0\2\0", np.int16)
        found[0] = 5  # a copy, which can be written
        assert np.array_equal(found, [5, 2])
        assert np.array_equal(np.fromstring(b"\1\2\3", np.uint8, 2), [1, 2])
        assert np.array_equal(np.fromstring("1,2", dtype=int, sep=","), [1, 2])


def test_sizes_of_text() -> None:
    font = ImageFont.load_default()
    draw = ImageDraw.Draw(Image.new("L", (80, 30)))
    with nvidia_names(dropped_names=True):
        width, height = font.getsize("dog: 0.98")
        assert draw.textsize("dog: 0.98", font) == (width, height)
        draw.text((0, 0), "dog: 0.98", 255, font)
    drawn = np.argwhere(np.asarray(draw._image))
    assert drawn[:, 1].max() < width <= drawn[:, 1].max() + 4
    assert drawn[:, 0].max() < height <= drawn[:, 0].max() + 4
    assert not hasattr(font, "getsize")


def test_what_onnx_dropped() -> None:
    with nvidia_names(dropped_names=True):
        import onnx.mapping  # noqa: PLC0415 - there is none otherwise
        from onnx import mapping  # noqa: PLC0415

        types = onnx.TensorProto
        assert mapping.NP_TYPE_TO_TENSOR_TYPE[np.dtype("float16")] == types.FLOAT16
        assert mapping.TENSOR_TYPE_TO_NP_TYPE[types.INT64] == np.int64
        assert mapping.TENSOR_TYPE_TO_NP_TYPE[types.STRING].kind == "O"
        assert mapping.TENSOR_TYPE_TO_NP_TYPE[types.BFLOAT16] == np.float32
        assert mapping.STORAGE_TENSOR_TYPE_TO_FIELD[types.FLOAT] == "float_data"
        values = np.float32([1.0, -2.5, 3.14159, 1.00390625, 1e30, np.nan])
        bits = [onnx.helper.float32_to_bfloat16(value) for value in values]
        wanted = values.astype(ml_dtypes.bfloat16)
        assert np.array_equal(np.uint16(bits), wanted.view(np.uint16))
        found = onnx.numpy_helper.bfloat16_to_float32(np.uint16(bits), (2, 3))
        assert np.array_equal(found, wanted.astype(np.float32).reshape(2, 3), equal_nan=True)
        assert onnx.helper.float32_to_bfloat16(3.14159, truncate=True) == 0x4049
    assert not hasattr(onnx, "mapping")
    assert "onnx.mapping" not in sys.modules
