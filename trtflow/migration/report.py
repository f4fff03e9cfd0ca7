"""The report of a migration: what became of each layer, and whether the result says the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnx

from trtflow.formats.calibration_table import CalibrationTable
from trtflow.formats.files import sha256_of
from trtflow.migration.agreement import FP32_LIMIT, Difference, agreement_gates, worst_of
from trtflow.migration.lowering import Lowered, objections
from trtflow.migration.originals import Asked
from trtflow.reporting.report import Gate

# of the largest value, in the mean: how far INT8 may be from the float32 original on inputs drawn by chance, which are
# not those that ranges were calibrated for; scales of another tensor are further off
ORIGINAL_INT8_LIMIT = 0.3
UNMATCHED_LIMIT = 0.02  # detections: one that is on the edge of the thresholds of two programs may fall to either side
OPSET_REASON = (
    "the newest that TensorRT 8.6 itself takes, so that one file runs beside the old engine and after it; "
    "Q/DQ with one scale a channel needs 13 or later"
)


def make_report(
    source: Path,
    form: str,
    target: Path,
    lowered: Lowered,
    table: CalibrationTable | None,
    differences: Mapping[int, Sequence[Difference]],
    asked: Asked,
) -> dict[str, Any]:
    """Return what `migrate` writes as JSON.

    Args:
        source: the model.
        form: caffe, uff, tensorflow or onnx.
        target: the ONNX file, written.
        lowered: what it was lowered to.
        table: the calibration table, where one was given.
        differences: between the ONNX model and the reference runtime, by batch.
        asked: what the original answered in a runtime of its own.
    """
    gates = agreement_gates(differences, table is not None) + original_gates(asked)
    graph = lowered.model.graph
    return {
        "schema": 1,
        "model": {"file": source.name, "form": form, "sha256": sha256_of(source)},
        "onnx": {
            "file": target.name,
            "sha256": sha256_of(target),
            "opset": lowered.model.opset_import[0].version,
            "opset_reason": OPSET_REASON,
            "inputs": [_binding(value) for value in graph.input],
            "outputs": [_binding(value) for value in graph.output],
            "operators": dict(sorted(Counter(node.op_type for node in graph.node).items())),
        },
        "tensorrt_objections": objections(lowered.model),
        "table": None if table is None else _table(lowered, table),
        "layers": lowered.layers,
        "differences": [{"batch": batch, **asdict(item)} for batch, found in differences.items() for item in found],
        "original": {**asdict(asked), "runtime": asked.runtime or None},
        "gates": [gate.to_json() for gate in gates],
        "passed": all(gate.passed for gate in gates),
    }


def original_gates(asked: Asked) -> list[Gate]:
    """Return a gate on the float32 values, one on the Q/DQ network's, and one on detections without a partner."""
    gates = []
    if asked.differences:
        worst = worst_of(item.largest for item in asked.differences)
        gates.append(Gate("original_difference", worst, "<=", FP32_LIMIT))
    if asked.quantised:
        worst = worst_of(item.mean for item in asked.quantised)
        gates.append(Gate("original_mean_difference_int8", worst, "<=", ORIGINAL_INT8_LIMIT))
    if asked.detections:
        worst = worst_of(item.unmatched for item in asked.detections)
        gates.append(Gate("original_detections_unmatched", worst, "<=", UNMATCHED_LIMIT))
    return gates


def _binding(value: onnx.ValueInfoProto) -> dict[str, Any]:
    kind = value.type.tensor_type
    shape = [size.dim_value if size.HasField("dim_value") else size.dim_param for size in kind.shape.dim]
    return {"name": value.name, "type": onnx.TensorProto.DataType.Name(kind.elem_type), "shape": shape}


def _table(lowered: Lowered, table: CalibrationTable) -> dict[str, Any]:
    return {
        "version": table.version,
        "algorithm": table.algorithm,
        "scales": lowered.scales,
        "unused": [name for name in table.scales if name not in lowered.scales],
    }


def to_text(report: Mapping[str, Any]) -> str:
    """Return the report for people."""
    made = report["onnx"]
    lines = [
        f"{report['model']['file']} ({report['model']['form']}) -> {made['file']}",
        f"ONNX opset {made['opset']}: {made['opset_reason']}.",
        *(f"input {item['name']}: {item['type']} {item['shape']}" for item in made["inputs"]),
        *(f"output {item['name']}: {item['type']} {item['shape']}" for item in made["outputs"]),
        "",
        *(
            f"TensorRT 8.6's parser, as the reference has it, refuses it: {text}"
            for text in report["tensorrt_objections"]
        ),
        "Layers without an operator of ONNX's, and what was written in their place:",
        *([_became(layer) for layer in report["layers"] if "became" in layer] or ["  none"]),
        "",
        "All layers (INT8 computes on INT8 inputs and weights):",
        *(_layer(layer) for layer in report["layers"]),
        "",
        *_quantisation(report["table"]),
        "Against the reference runtime, on inputs drawn by chance; a difference is of the output's largest value:",
        *(_difference(item) for item in report["differences"]),
        "",
        *_original(report["original"]),
        *gate_lines(report),
    ]
    return "\n".join(lines) + "\n"


def gate_lines(report: Mapping[str, Any]) -> list[str]:
    """Return a line a gate, and one for all."""
    return [*(_gate(gate) for gate in report["gates"]), "passed" if report["passed"] else "FAILED"]


def _became(layer: Mapping[str, Any]) -> str:
    return f"  {layer['name']}: {layer['type']} -> {_operators(layer)}: {layer['became']}"


def _layer(layer: Mapping[str, Any]) -> str:
    return f"  {layer['name']}: {layer['type']} ({layer['precision']}) -> {_operators(layer)}"


def _operators(layer: Mapping[str, Any]) -> str:
    return ", ".join(dict.fromkeys(layer["operators"])) or "nothing: its value is passed on"


def _quantisation(table: Mapping[str, Any] | None) -> list[str]:
    if table is None:
        return []
    made = f"TensorRT {table['version']}, {table['algorithm']}"
    unused = "; none is left over" if not table["unused"] else f"; {len(table['unused'])} that no INT8 layer reads"
    return [f"Q/DQ from the calibration table ({made}): {len(table['scales'])} tensors{unused}.", ""]


def _original(original: Mapping[str, Any]) -> list[str]:
    """Return what the original's own runtime said, or that none was asked."""
    if original["runtime"] is None:
        lines = ["No independent runtime has run the original:"]
    else:
        lines = [f"Against the original in {original['runtime']}, in float32:"]
    lines += [_difference(item) for item in original["differences"]]
    lines += [
        f"  {item['output']}: {item['matched']} of {item['wanted']} detections have one of the same label, score and "
        f"box among {item['found']}"
        for item in original["detections"]
    ]
    if original["quantised"]:
        lines += ["The same of the Q/DQ network, which is to differ as INT8 does:"]
        lines += [_difference(item) for item in original["quantised"]]
    return lines + [f"  not compared: {text}" for text in original["left_out"]]


def _difference(item: Mapping[str, Any]) -> str:
    ordered = ", compared in order" if item["ranked"] else ""
    batch = f", batch {item['batch']}" if "batch" in item else ""
    return f"  {item['output']}{batch}: at most {item['largest']:.2g}, mean {item['mean']:.2g}{ordered}"


def _gate(gate: Mapping[str, Any]) -> str:
    value = "no number" if gate["value"] is None else f"{gate['value']:.2g}"
    verdict = "passed" if gate["passed"] else "FAILED"
    return f"  gate {gate['name']}: {value} {gate['op']} {gate['limit']}: {verdict}"
