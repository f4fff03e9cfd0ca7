"""What a calibrator returns, held against what the network takes; each fault says what TensorRT would do.

TensorRT's own bindings (python/src/infer/pyInt8.cpp) take an exception or a wrong type for the end of the batches, and
copy as many addresses as there are inputs, however many the list has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from trtflow.formats import UserError
from trtflow.reference.errors import BuildError
from trtflow.reference.memory import MemoryFaultError, read
from trtflow.reference.record.calibrators import IInt8Calibrator
from trtflow.reference.record.enums import ErrorCodeTRT
from trtflow.reference.record.network import INetworkDefinition
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.values import Dims, ILogger, Logger

Shapes = Mapping[str, tuple[int, ...]]
ENDS = "TensorRT would take that for the end of the batches, and make a table of those before it"


def batches(
    network: INetworkDefinition, calibrator: IInt8Calibrator, shapes: Shapes
) -> Iterator[dict[str, np.ndarray]]:
    """Yield the calibrator's batches, an array of each input.

    Args:
        network: the network.
        calibrator: gives their addresses.
        shapes: of each input, for a network with an explicit batch.

    Raises:
        BuildError: what the calibrator returns is no batch of the network.
    """
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    wanted = _shapes(network, calibrator, inputs, shapes)
    count = 0
    while (given := calibrator.get_batch([tensor.name for tensor in inputs])) is not None:
        addresses = _addresses(given, inputs)
        if not addresses:
            return
        count += 1
        yield {
            tensor.name: _values(tensor, address, wanted[tensor.name], count)
            for tensor, address in zip(inputs, addresses, strict=True)
        }


def cache_of(calibrator: IInt8Calibrator, logger: ILogger) -> bytes:
    """Return the table that a calibrator has, empty where it has none or fails: TensorRT then calibrates anew.

    Raises:
        BuildError: it returns something that holds no bytes.
    """
    try:
        found: Any = calibrator.read_calibration_cache()
    except UserError:
        raise  # of a calibrator of ours, which says what to do
    except Exception as error:  # TensorRT's bindings catch it
        _tell(logger, "read_calibration_cache", error, "the network is calibrated anew")
        return b""
    try:
        return b"" if found is None else bytes(memoryview(found))
    except TypeError as error:
        raise BuildError(
            f"read_calibration_cache returned {_kind(found)}, not bytes or None. TensorRT would pass over it and "
            "calibrate again. Open the file in binary mode, 'rb'."
        ) from error


def give_table(calibrator: IInt8Calibrator, table: bytes, logger: ILogger) -> None:
    """Give a calibrator its new table; where it fails the table is lost, as in TensorRT."""
    try:
        calibrator.write_calibration_cache(memoryview(table))
    except UserError:
        raise  # of a calibrator of ours, which says what to do
    except Exception as error:  # TensorRT's bindings catch it
        _tell(logger, "write_calibration_cache", error, "the table is not kept")


def _tell(logger: ILogger, method: str, error: Exception, outcome: str) -> None:
    text = f"Exception caught in {method}(): {type(error).__name__}: {error}; {outcome}"
    if isinstance(error, TypeError) and "positional argument" in str(error):
        text += ". Since TensorRT 5.1 read_calibration_cache takes nothing, and write_calibration_cache the table alone"
    logger.log(ILogger.ERROR, text)


def _shapes(
    network: INetworkDefinition, calibrator: IInt8Calibrator, inputs: list[ITensor], shapes: Shapes
) -> dict[str, tuple[int, ...]]:
    """Return the shape of each input's batch, with the number of pictures that the calibrator says."""
    size: Any = calibrator.get_batch_size()
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
        raise BuildError(
            f"get_batch_size returned {size!r}, not a number of pictures from 1 on. TensorRT would read memory that no "
            "batch has. Return how many pictures a batch of get_batch holds."
        )
    if network.has_implicit_batch_dimension:
        return {tensor.name: (int(size), *tensor.shape) for tensor in inputs}
    for name, shape in shapes.items():
        if len(shape) > 1 and shape[0] > size:
            raise BuildError(
                f"get_batch_size returned {size}, but input {name!r} is calibrated with the shape {Dims(shape)}, the "
                f"best of the calibration profile. TensorRT would read {shape[0]} pictures at each address, beyond the "
                "batch. "
                "Give batches of as many, or set a calibration profile whose best shape has as many as a batch."
            )
        if len(shape) > 1 and shape[0] < size:
            text = (
                f"calibration: batches have {size} pictures, but input {name!r} takes {shape[0]}, the best of the "
                "calibration profile; the others are passed over, as TensorRT does"
            )
            network.logger.log(Logger.WARNING, text)
    return {name: tuple(shape) for name, shape in shapes.items()}


def _addresses(given: Any, inputs: list[ITensor]) -> list[Any]:
    """Return the addresses that get_batch gave, none where that is the end."""
    if isinstance(given, (str, bytes)) or not hasattr(given, "__len__") or not hasattr(given, "__getitem__"):
        raise BuildError(
            f"get_batch returned {_kind(given)}, not a list of addresses. {ENDS}. Return a list with one address for "
            f"each of {_names(inputs)}, or None at the end."
        )
    addresses = list(given)
    if addresses and len(addresses) != len(inputs):
        more = "read the others from wherever memory goes on" if len(addresses) < len(inputs) else "take the first"
        raise BuildError(
            f"get_batch returned {len(addresses)} addresses for {len(inputs)} inputs, {_names(inputs)}. TensorRT would "
            f"{more}. Return one for each, in this order."
        )
    return addresses


def _values(tensor: ITensor, address: Any, shape: tuple[int, ...], number: int) -> np.ndarray:
    try:
        return read(address, shape, tensor.dtype)
    except MemoryFaultError as fault:
        would = ENDS if "no address" in str(fault) else "TensorRT would fail with an illegal memory access"
        raise BuildError(
            f"batch {number} of input {tensor.name!r}, {Dims(shape)} {tensor.dtype.name}: {fault}. {would}. Return "
            "where the batch lies on the device, and keep its memory until the next call.",
            ErrorCodeTRT.UNSPECIFIED_ERROR,
        ) from fault


def _kind(value: Any) -> str:
    return f"{value!r:.40}, of type {type(value).__name__}"


def _names(inputs: list[ITensor]) -> str:
    return ", ".join(repr(tensor.name) for tensor in inputs)
