"""A model and a calibration table to plain ONNX, and what became of each layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

import trtflow.reference as trt
from trtflow.formats import FormatError
from trtflow.formats.calibration_table import CalibrationTable, read_table, table_version
from trtflow.migration.pairs import leave_out_pairs
from trtflow.reference.lower.graph import SEPARATOR, lowering_of
from trtflow.reference.lower.int8_tensors import all_tensors, constant_factor, moves_values
from trtflow.reference.lower.lower import lower
from trtflow.reference.lower.precision import choose
from trtflow.reference.record.layers import IPluginV2Layer
from trtflow.reference.run.graph_index import drop_unread, reads
from trtflow.reference.run.plan import read_plan
from trtflow.runtime.build import build_plan
from trtflow.runtime.model_file import ModelFile
from trtflow.runtime.plugins import load_plugins

LARGEST_BATCH = 3  # of the engine that the ONNX model is checked against
PLUGINS = ("CustomClipPlugin", "FlattenConcat")  # of plugins/, which a UFF graph may name
UNNAMED = "(Unnamed Layer"  # TensorRT's own names of tensors inside what was one layer of the model
STANDARD_DOMAINS = ("", "ai.onnx")


@dataclass(frozen=True)
class Lowered:
    """A model as ONNX.

    Attributes:
        model: the ONNX model.
        plan: the engine of the reference runtime that it is checked against.
        layers: of each layer `name`, `type`, `operators` (ONNX's, in order), `precision` and, of one that ONNX has no
            operator for, `became`, what was written in its place.
        scales: INT8 scale (range / 127) of each tensor that has a Q/DQ pair.
        network: the recorded network, whose lowering the model is.
        table: the calibration table, without the scales of tensors that get no pair; None for none.
    """

    model: onnx.ModelProto
    plan: bytes
    layers: list[dict[str, Any]]
    scales: dict[str, float]
    network: Any
    table: CalibrationTable | None

    @property
    def tensors(self) -> dict[str, Any]:
        """The network's tensors by name."""
        return {tensor.name: tensor for tensor in all_tensors(self.network)}


def read_scales(path: Path, version: str = table_version(trt.__version__)) -> CalibrationTable:
    """Return a calibration table that is of a version, as its header has it: 8600 for 8.6.0.

    Raises:
        FormatError: it is damaged, or of another version.
    """
    table = read_table(path)
    if table.version != version:
        remedy = f"Calibrate again, or take its scales as they are with --table-version {table.version}."
        raise FormatError(path, f"made by TensorRT {table.version}, but {version} is to use it", remedy)
    return table


def lower_model(file: ModelFile, table: CalibrationTable | None = None, source: Path = Path("table")) -> Lowered:
    """Return a model as ONNX, in float32, or in INT8 where a table has its scales.

    Args:
        file: the model.
        table: scales by tensor; None for none.
        source: what errors call the table.

    Raises:
        FormatError: the table names tensors that the model does not have.
        NetworkError, BuildError, UserError: a layer that cannot be lowered, or a tensor that has no scale.
    """
    load_plugins(trt, PLUGINS)
    networks: list[Any] = []
    used = [] if table is None else [table]  # the last: without the scales of tensors that get no pair
    meant = replace(file, as_caffe=file.form == "caffe")

    def define(trt: Any, network: Any) -> None:
        meant.define(trt, network)
        if table is not None:
            _check_names(network, table, source)
            _ask_for_int8(trt, network, table)
            used.append(replace(table, scales=leave_out_pairs(network, table.scales)))
        networks.append(network)

    precision, calibrator = ("fp32", None) if table is None else ("int8", _calibrator(used))
    with trt.raising():  # what the builder says, without what TensorRT's builder may mean on a GPU
        plan = build_plan(trt, define, precision, LARGEST_BATCH, calibrator, explicit_batch=file.explicit_batch)
    model, metadata = read_plan(plan)
    del model.metadata_props[:]
    quantise_in_graph(model)
    _drop_unread(model.graph)
    check_plain(model)
    network = networks[0]
    layers = _layers(network, model, metadata["layers"])
    table = used[-1] if used else None
    return Lowered(model, plan, layers, _scales(network, model, table), network, table)


def values_of(
    lowered: Lowered, names: Sequence[str], feeds: Mapping[str, np.ndarray], *, quantised: bool = False
) -> dict[str, np.ndarray]:
    """Return values of any tensors of the network, by name, as its lowering gives them in ONNX Runtime.

    Args:
        lowered: the network.
        names: of its tensors, but not of inputs.
        feeds: its inputs.
        quantised: whether in INT8 by the table, else in float32.
    """
    config = trt.IBuilderConfig()
    scales = None
    if quantised:
        assert lowered.table is not None
        config.set_flag(trt.BuilderFlag.INT8)
        scales = lowered.table.scales
    wanted = list(dict.fromkeys(names))
    if not wanted:
        return {}
    tensors = lowered.tensors
    model = lower(lowered.network, choose(lowered.network, config, scales), [tensors[name] for name in wanted])
    return run_onnx(model, dict(feeds))


class OnnxRunner:
    """A model in ONNX Runtime exactly as it is written: no fusing, no integer kernels.

    Args:
        model: the model.
        fast: whether ONNX Runtime may change it after all.
    """

    def __init__(self, model: onnx.ModelProto, *, fast: bool = False) -> None:
        options = onnxruntime.SessionOptions()
        if not fast:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def run(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the outputs for inputs by name."""
        names = [value.name for value in self._session.get_outputs()]
        return dict(zip(names, self._session.run(names, feeds), strict=True))


def run_onnx(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run a model once, as `OnnxRunner` does."""
    return OnnxRunner(model).run(feeds)


def quantise_in_graph(model: onnx.ModelProto) -> None:
    """Store INT8 kernels as float32 in front of a Q/DQ pair, which computes the same.

    TensorRT 8 takes no INT8 weights from ONNX ("invalid weights type of Int8"); later ones and ONNX Runtime take both.
    """
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in stored:
            kernel, scale, zero = node.input
            steps, factors = (numpy_helper.to_array(stored[name]) for name in (kernel, scale))
            axes: dict[str, Any] = {item.name: item.i for item in node.attribute}
            if factors.ndim:
                factors = np.moveaxis(factors.reshape(-1, *[1] * (steps.ndim - 1)), 0, axes["axis"])
            values = steps * factors
            stored[kernel].CopyFrom(numpy_helper.from_array(values.astype(np.float32), kernel))
            quantised = f"{kernel}_steps"
            nodes.append(helper.make_node("QuantizeLinear", [kernel, scale, zero], [quantised], name=quantised, **axes))
            node.input[0] = quantised
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def check_plain(model: onnx.ModelProto) -> None:
    """Let ONNX check a model, types and shapes too, and refuse operators that are not ONNX's own."""
    onnx.checker.check_model(model, full_check=True)
    foreign = [node for node in model.graph.node if node.domain not in STANDARD_DOMAINS]
    if foreign:
        fault = f"node {foreign[0].name!r} is {foreign[0].op_type} of the domain {foreign[0].domain!r}"
        raise FormatError("model", fault, "Other runtimes have no such operator.")


def objections(model: onnx.ModelProto) -> list[str]:
    """Return what TensorRT 8.6's ONNX parser has against a model, as the reference runtime has that parser.

    Shape with a start or an end it takes, and passes over them.
    """
    parser = trt.OnnxParser(trt.INetworkDefinition(1), trt.Logger(trt.Logger.INTERNAL_ERROR))
    parser.parse(model.SerializeToString())
    cut = [node.name for node in model.graph.node if node.op_type == "Shape" and node.attribute]
    found = [parser.get_error(index).desc() for index in range(parser.num_errors)]
    return found + [f"node {name!r} (Shape): TensorRT passes over its start and end" for name in cut]


def _ask_for_int8(trt: Any, network: Any, table: CalibrationTable) -> None:
    """Have products with constant matrices run in INT8, where the table has the scales of what they read."""
    for layer in network:
        if constant_factor(layer) is None:
            continue
        pending, scaled = [layer.inputs[0]], True
        while pending and scaled:
            tensor = pending.pop()
            scaled = tensor.name in table.scales
            producer = tensor.producer
            pending += producer.inputs if producer is not None and moves_values(producer) else []
        if scaled:
            layer.precision = trt.int8


def _drop_unread(graph: onnx.GraphProto) -> None:
    """Remove nodes and weights that nothing reads, as the matrix in float of a product in INT8."""
    drop_unread(graph)
    read = {name for node in graph.node for name in reads(node)} | {value.name for value in graph.output}
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _calibrator(tables: Sequence[CalibrationTable]) -> Any:
    """Return a calibrator that serves the scales of the last table, whatever version and algorithm they are of."""

    class Calibrator(trt.IInt8EntropyCalibrator2):
        def get_batch_size(self) -> int:
            return 1

        def get_batch(self, names: list[str]) -> None:
            return None

        def read_calibration_cache(self) -> bytes:
            scales = tables[-1].scales
            return CalibrationTable(table_version(trt.__version__), "EntropyCalibration2", scales).to_bytes()

        def write_calibration_cache(self, cache: memoryview) -> None:
            return None

    return Calibrator()


def _check_names(network: Any, table: CalibrationTable, source: Path) -> None:
    """Refuse the table of another model."""
    known = {tensor.name for tensor in all_tensors(network)}
    unknown = [name for name in table.scales if name not in known and not name.startswith(UNNAMED)]
    if unknown:
        fault = f"{len(unknown)} of its {len(table.scales)} tensors are not in the model, first {unknown[0]!r}"
        raise FormatError(source, fault, "Give the table that was made of this model.")


def _layers(network: Any, model: onnx.ModelProto, described: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what became of each layer, in network order; Q/DQ pairs are told by the scales."""
    operators: dict[str, list[str]] = {}
    for node in model.graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            operators.setdefault(node.name.rpartition(SEPARATOR)[0], []).append(node.op_type)
    return [
        {
            "name": layer.name,
            "type": layer.plugin.plugin_type if isinstance(layer, IPluginV2Layer) else layer.title,
            "operators": operators.get(layer.name, []),
            "precision": entry["precision"],
            **({"became": _first_line(lowering_of(layer).__doc__)} if isinstance(layer, IPluginV2Layer) else {}),
        }
        for layer, entry in zip(network, described, strict=True)
    ]


def _first_line(text: str | None) -> str:
    return (text or "").partition("\n")[0]


def _scales(network: Any, model: onnx.ModelProto, table: CalibrationTable | None) -> dict[str, float]:
    """Return the scales that the model really uses, in network order."""
    if table is None:
        return {}
    stored = {tensor.name for tensor in model.graph.initializer}
    pairs = [node for node in model.graph.node if node.op_type == "QuantizeLinear" and node.input[0] not in stored]
    quantised = {node.name.rpartition(SEPARATOR)[0] for node in pairs}
    names = [tensor.name for tensor in all_tensors(network)]
    return {name: float(table.scales[name]) for name in names if name in quantised}
