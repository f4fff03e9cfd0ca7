"""INT8 calibration as the builder does it: run the network in float32, watch every tensor, write the table."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping

import numpy as np

from trtflow.formats.calibration_table import CalibrationTable, table_version
from trtflow.reference.batches import Shapes, batches, cache_of, give_table
from trtflow.reference.entropy import STEPS, Entropy, Legacy, MinMax
from trtflow.reference.errors import BuildError
from trtflow.reference.lower.blocks import layers_in_blocks
from trtflow.reference.lower.int8_tensors import all_tensors, fused_activation
from trtflow.reference.lower.lower import lower
from trtflow.reference.lower.precision import Precisions, quantises_itself
from trtflow.reference.record import layers as L  # noqa: N812 - the table of layer classes
from trtflow.reference.record.calibrators import IInt8Calibrator, IInt8LegacyCalibrator
from trtflow.reference.record.enums import ActivationType, CalibrationAlgoType, DataType, PoolingType
from trtflow.reference.record.layer import FLOATS
from trtflow.reference.record.network import INetworkDefinition
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.values import Logger
from trtflow.reference.version import __version__

VERSION = table_version(__version__)
ALGORITHMS = {
    CalibrationAlgoType.ENTROPY_CALIBRATION_2: "EntropyCalibration2",
    CalibrationAlgoType.ENTROPY_CALIBRATION: "EntropyCalibration",
    CalibrationAlgoType.MINMAX_CALIBRATION: "MinMaxCalibration",
    CalibrationAlgoType.LEGACY_CALIBRATION: "LegacyCalibration",
}
Collector = Entropy | MinMax | Legacy
ANY_TABLE = False  # whether a table is taken as TensorRT takes it; `trtflow run --any-table` sets it


def scales(network: INetworkDefinition, calibrator: IInt8Calibrator, shapes: Shapes) -> Mapping[str, np.float32]:
    """Return the scale of each tensor, from the calibrator's table or else from its batches.

    Args:
        network: the network.
        calibrator: serves the table or the batches.
        shapes: of a batch of each input, for batches that a network with an explicit batch takes; with an implicit
            batch it is the calibrator that says how many pictures a batch has.

    A network that quantises itself, with quantize and dequantize layers, has none.

    A new table is given to the calibrator. Its entries are those of TensorRT: the inputs, then every layer's
    float outputs. Calibration after fusion (Entropy, Legacy) has no entry in front of a fused ReLU; calibration before
    it (Entropy2, MinMax) gives a pool's output, max or average, the scale of its input. The output of a clip, as ReLU6
    is one, has the scale of its larger bound, whatever the batches hold; a pool behind it does not.

    Raises:
        FormatError: the calibrator's table is of another version or algorithm.
        BuildError: the calibrator gave no batch, or something that is none.
    """
    if quantises_itself(network):
        return {}
    algorithm = calibrator.get_algorithm()
    if cache := cache_of(calibrator, network.logger):
        return _scales_of(CalibrationTable.from_bytes(cache, "calibration cache"), network, ALGORITHMS[algorithm])
    found = {name: collector.scale() for name, collector in collect(network, calibrator, shapes).items()}
    if algorithm in (CalibrationAlgoType.ENTROPY_CALIBRATION_2, CalibrationAlgoType.MINMAX_CALIBRATION):
        _share_over_pools(network, found)
    found |= _bounds_of_clips(network)
    give_table(calibrator, _table(calibrator, found).to_bytes(), network.logger)
    return found


def _scales_of(table: CalibrationTable, network: INetworkDefinition, algorithm: str) -> Mapping[str, np.float32]:
    """Return the scales of a calibrator's table, with a warning where any is taken and it is of another version.

    Raises:
        FormatError: it is of another version or algorithm.
    """
    if ANY_TABLE and table.algorithm == algorithm:
        if not table.is_of(VERSION, algorithm):
            text = f"calibration cache: made by TRT-{table.version}-{algorithm}, not TRT-{VERSION}; taken as it is"
            network.logger.log(Logger.WARNING, text)
    else:
        table.check(VERSION, algorithm, "calibration cache")
    return table.scales


def _table(calibrator: IInt8Calibrator, found: Mapping[str, np.float32]) -> CalibrationTable:
    algorithm = ALGORITHMS[calibrator.get_algorithm()]
    if isinstance(calibrator, IInt8LegacyCalibrator):
        return CalibrationTable("0", algorithm, found, calibrator.get_regression_cutoff(), calibrator.get_quantile())
    return CalibrationTable(VERSION, algorithm, found)


def collect(network: INetworkDefinition, calibrator: IInt8Calibrator, shapes: Shapes) -> dict[str, Collector]:
    """Run the calibrator's batches through the network; return what was seen of each tensor that gets an entry.

    Args and errors are those of `scales`.
    """
    tensors = _watched(network, calibrator.get_algorithm())
    inside = [tensor for tensor in tensors if not tensor.is_network_input]
    import onnxruntime  # noqa: PLC0415 - it takes as long as all else together

    model = lower(network, Precisions(dict.fromkeys(network, DataType.FLOAT), {}), inside).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    del model  # the session has weights of its own
    make = _collector(calibrator)
    collectors = {tensor.name: make() for tensor in tensors}
    softmaxes = {tensor.name for tensor in tensors if isinstance(tensor.producer, L.ISoftMaxLayer)}
    outputs = [tensor.name for tensor in inside]
    count, spoilt = 0, Counter[str]()
    for feeds in batches(network, calibrator, shapes):
        seen = deque([*feeds.items(), *zip(outputs, session.run(outputs, feeds), strict=True)])
        while seen:  # and is let go: all tensors of a picture may be hundreds of megabytes, which the next one needs
            name, values = seen.popleft()
            if name not in collectors:
                continue
            spoilt[name] += values.size - int(np.isfinite(values).sum())
            # one ulp above 1 would double the range of a softmax
            collectors[name].observe(np.minimum(values, 1) if name in softmaxes else values)
        count += 1
    if not count:
        raise BuildError("the calibrator gave no batch. Check the list of its batch files.")
    for name, wrong in (+spoilt).items():
        text = (
            f"calibration: tensor {name!r} had {wrong} values that are no numbers (NaN or infinite) in {count} batches"
        )
        network.logger.log(Logger.WARNING, text)
    return collectors


def _watched(network: INetworkDefinition, algorithm: CalibrationAlgoType) -> list[ITensor]:
    """Return the tensors that get an entry, in network order."""
    tensors = [tensor for tensor in all_tensors(network) if tensor.native_dtype in FLOATS]
    inside = layers_in_blocks(network)
    tensors = [
        tensor
        for tensor in tensors
        if not isinstance(tensor.producer, L.IConstantLayer)
        and (tensor.producer is None or tensor.producer not in inside)
    ]
    if algorithm in (CalibrationAlgoType.ENTROPY_CALIBRATION, CalibrationAlgoType.LEGACY_CALIBRATION):
        fused = {layer.inputs[0] for layer in network if fused_activation(network, layer)}
        tensors = [tensor for tensor in tensors if tensor not in fused]
    return tensors


def _collector(calibrator: IInt8Calibrator) -> Callable[[], Collector]:
    algorithm = calibrator.get_algorithm()
    if algorithm == CalibrationAlgoType.MINMAX_CALIBRATION:
        return MinMax
    if algorithm != CalibrationAlgoType.LEGACY_CALIBRATION:
        return Entropy
    assert isinstance(calibrator, IInt8LegacyCalibrator)
    quantile, cutoff = calibrator.get_quantile(), calibrator.get_regression_cutoff()
    return lambda: Legacy(quantile, cutoff)


def _bounds_of_clips(network: INetworkDefinition) -> dict[str, np.float32]:
    clips = [layer for layer in network if isinstance(layer, L.IActivationLayer)]
    clips = [layer for layer in clips if layer.activation_type == ActivationType.CLIP]
    return {
        layer.outputs[0].name: np.float32(np.float32(max(abs(layer.alpha), abs(layer.beta))) / STEPS) for layer in clips
    }


def _share_over_pools(network: INetworkDefinition, found: dict[str, np.float32]) -> None:
    for layer in network:
        if isinstance(layer, L.IPoolingLayer) and layer.pooling_type != PoolingType.MAX_AVERAGE_BLEND:
            found[layer.outputs[0].name] = found[layer.inputs[0].name]
