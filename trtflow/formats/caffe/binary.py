"""Caffemodels and mean images: weights in protobuf's binary form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError, Message

from trtflow.formats.caffe.caffe_pb2 import DOUBLE, FLOAT, FLOAT16, BlobProto, NetParameter, Type
from trtflow.formats.caffe.upgrade import upgrade
from trtflow.formats.damage import is_shape_of
from trtflow.formats.errors import FormatError
from trtflow.formats.files import write_bytes
from trtflow.formats.messages import parse_message

AGAIN = "Fetch or export it again."
DATA_KEY = bytes([BlobProto.DATA_FIELD_NUMBER << 3 | 2])  # 2: the field has a length and bytes
RAW_TYPES = {DOUBLE: "<f8", FLOAT: "<f4", FLOAT16: "<f2"}  # of NVCaffe's raw_data


def read_caffemodel(path: str | Path, may_be_empty: bool = False) -> NetParameter:
    """Read weights; layers of the format of 2014 are upgraded.

    Args:
        path: the file.
        may_be_empty: whether no layer need have weights, as where a network has none.

    Raises:
        FormatError: the file is cut off or no caffemodel, or a blob is not what its shape says, or is not finite.
    """
    net = upgrade(_parse(path, NetParameter()))
    if not may_be_empty and not any(len(layer.blobs) for layer in net.layer):
        raise FormatError(path, "no layer in it has weights", AGAIN)
    for layer in net.layer:
        for index, blob in enumerate(layer.blobs):
            if fault := _fault(blob):
                raise FormatError(path, f"blob {index} of layer {layer.name!r} {fault}", AGAIN)
    return net


def write_caffemodel(net: NetParameter, path: str | Path) -> None:
    """Write weights; the same network gives the same bytes."""
    write_bytes(path, net.SerializeToString(deterministic=True))


def read_binaryproto(path: str | Path) -> np.ndarray:
    """Read a mean image, float32 [N, C, H, W]; of a shape of fewer axes, those in front are 1.

    Raises:
        FormatError: the file is cut off or no mean image, or has no values, or more than four axes.
    """
    blob = _parse(path, BlobProto())
    if fault := _fault(blob):
        raise FormatError(path, f"the mean image {fault}", AGAIN)
    array = blob_to_array(blob)
    if not array.size or array.ndim > 4:
        raise FormatError(path, f"the mean image has the shape {array.shape}", "It is N, C, H, W.")
    return array.reshape((1,) * (4 - array.ndim) + array.shape)


def write_binaryproto(array: np.ndarray, path: str | Path) -> None:
    """Write a mean image, [N, C, H, W], with the dimensions where Caffe's tools look for them."""
    blob = array_to_blob(array)
    blob.ClearField("shape")
    blob.num, blob.channels, blob.height, blob.width = array.shape
    write_bytes(path, blob.SerializeToString(deterministic=True))


def blob_to_array(blob: BlobProto) -> np.ndarray:
    """Return a blob as float32 in its shape, from any of the forms that Caffe and NVCaffe store numbers in.

    Raises:
        ValueError: raw_data is of no type of floating point, or no whole number of elements, or the shape is not that
            of the numbers; the readers refuse such a file first.
    """
    return _values(blob).reshape(blob_shape(blob))


def array_to_blob(array: np.ndarray) -> BlobProto:
    """Return an array as a blob of float32."""
    # On the wire the packed field `data` is the array's own bytes; extend() takes a Python float for each value,
    # for the 100 MB of a VGG some seconds and a gigabyte.
    packed = array.astype("<f4").tobytes()
    blob = BlobProto.FromString(DATA_KEY + _varint(len(packed)) + packed)
    blob.shape.dim.extend(array.shape)
    return blob


def blob_shape(blob: BlobProto) -> tuple[int, ...]:
    """Return the shape of a blob, in the form of today or of before."""
    if blob.HasField("shape"):
        return tuple(blob.shape.dim)
    return (blob.num, blob.channels, blob.height, blob.width)


def _parse(path: str | Path, message: Message) -> Message:
    data = Path(path).read_bytes()
    try:
        parse_message(message, data)
    except DecodeError as error:
        fault = f"cut off or damaged: its {len(data)} bytes are no {type(message).__name__}"
        raise FormatError(path, fault, AGAIN) from error
    return message


def _varint(number: int) -> bytes:
    """Return a length as protobuf writes it: 7 bits a byte, the lowest first, the top bit for "more follows"."""
    groups = [number >> shift & 0x7F for shift in range(0, max(number.bit_length(), 1), 7)]
    return bytes([*(group | 0x80 for group in groups[:-1]), groups[-1]])


def _values(blob: BlobProto) -> np.ndarray:
    """Return a blob's numbers as they lie, float32; in half precision they are exact, in double rounded."""
    if not blob.HasField("raw_data"):
        return np.array(blob.double_data or blob.data, np.float32)
    if blob.raw_data_type not in RAW_TYPES or not blob.HasField("raw_data_type"):
        name = Type.Name(blob.raw_data_type) if blob.HasField("raw_data_type") else "none"
        raise ValueError(f"has raw_data of the type {name}, not DOUBLE, FLOAT or FLOAT16")
    dtype = np.dtype(RAW_TYPES[blob.raw_data_type])
    if len(blob.raw_data) % dtype.itemsize:
        raise ValueError(f"has {len(blob.raw_data)} bytes of raw_data, no multiple of {dtype.itemsize}")
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite then, and refused
        return np.frombuffer(blob.raw_data, dtype).astype(np.float32)


def _fault(blob: BlobProto) -> str:
    """Say what is wrong with a blob, or nothing."""
    try:
        values = _values(blob)
    except ValueError as error:
        return str(error)
    shape = blob_shape(blob)
    if not is_shape_of(shape, len(values)):
        return f"has {len(values)} values for the shape {shape}"
    return "" if np.isfinite(values).all() else "has values that are not finite"
