"""Tells of each operator of ONNX what TensorRT 8.6's parser and the reference make of it: docs/operators.md."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping

import onnx

from trtflow.reference.record.onnx.operators import SUPPORTED
from trtflow.reference.record.onnx.opsets import changes
from trtflow.reference.record.onnx.registry import OPERATORS, OPSET

HEADER = """# Operators of ONNX

What TensorRT 8.6's ONNX parser takes and refuses, and what the reference makes of it. Written by
`python tests/reference/onnx_table.py --docs` from `../shared/cases/onnx/trt86.json`, TensorRT 8.6.0's answers to
{count} models on an H200, and from the registry of `trtflow/reference/record/onnx`;
`tests/reference/test_onnx_table.py` holds that it is current, and that the reference answers to every model of the
table as TensorRT did.

| TensorRT's answer | models | the reference |
|---|---|---|
{answers}

- **layer**: the operator becomes layers of TensorRT's API, as in TensorRT's parser; their precision is the builder's.
- **node**: the operator stays a node of ONNX, in float32.
- Models are those of one node of that operator; «refused» counts the forms that TensorRT refuses, with its words.
- Other operators of ONNX are refused with TensorRT's words, «Plugin not found», unless a plugin of that name is
  registered or the parser's `beyond_tensorrt` is true, which leaves them to ONNX Runtime and warns of each.
"""
ANSWERS = {
    "passed": "the same outputs (rtol 1e-3, atol 1e-5; float16 2e-2)",
    "refused": "refused, with TensorRT's words and the way out",
    "wrong_values": "ONNX's values, with a warning that TensorRT's differ",
    "wrong_shape": "ONNX's values, with a warning that TensorRT's differ",
    "build_failed": "taken by the parser, refused by the builder",
    "unknown": "parsed (the trial itself broke on TensorRT: no statement)",
}


def document(table: Mapping[str, Mapping[str, str]], operators: Mapping[str, list[str]]) -> str:
    """Return the text.

    Args:
        table: TensorRT's answers by case, each with `result` and, where it refused, `says`.
        operators: the operators of each case's nodes.
    """
    counts = Counter(entry["result"] for entry in table.values())
    answers = "\n".join(f"| {kind} | {counts[kind]} | {text} |" for kind, text in ANSWERS.items())
    results: dict[str, Counter[str]] = defaultdict(Counter)
    words: dict[str, Counter[str]] = defaultdict(Counter)
    for case, entry in table.items():
        if len(operators[case]) == 1:
            operator = operators[case][0]
            results[operator][entry["result"]] += 1
            if entry["result"] == "refused":
                words[operator][quoted(entry["says"])] += 1
    lines = [HEADER.format(count=len(table), answers=answers), "## What TensorRT has", ""]
    lines += ["| operator | here | passed | refused | forms that are refused |", "|---|---|---|---|---|"]
    lines += [_row(operator, results[operator], words[operator]) for operator in sorted(SUPPORTED)]
    lines += ["", "## What it has not", "", _beyond(), "", "## Opsets", "", _opsets()]
    return "\n".join(lines) + "\n"


def quoted(says: str) -> str:
    """Return what TensorRT's words say in quotes, or their first line."""
    found = re.search(r'"(.*?)("|$)', says, re.DOTALL)  # the table cuts long ones
    return found.group(1) if found else says.splitlines()[0]


def _row(operator: str, results: Counter[str], words: Counter[str]) -> str:
    here = "layer" if operator in OPERATORS else "node"
    nameless = [re.sub(r"node_of_\w+", "…", text).rstrip(".") for text in words]
    forms = "; ".join(dict.fromkeys(nameless)).replace("|", "\\|")
    return f"| {operator} | {here} | {results['passed'] or ''} | {results['refused'] or ''} | {forms} |"


def _beyond() -> str:
    known = {schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ""}
    others = sorted(name for name in known - SUPPORTED if onnx.defs.has(name, OPSET, ""))
    return f"Of opset {OPSET}, refused unless `beyond_tensorrt` is true: {', '.join(others)}."


def _opsets() -> str:
    text = [
        f"Models of opsets 5 to 21 are read as opset {OPSET} has them; these operators changed, and are brought to",
        "that form. What of a later opset TensorRT 8.6 passes over or takes for something else is refused, and so are",
        "operators that came later (Gelu, Mish and the like). `trtflow migrate MODEL.onnx` and the workflow's import",
        "bring such a model down where opset 17 can say the same; else the error says what to export with.",
        "",
        "| operator | forms of opsets below | of opsets behind 17 |",
        "|---|---|---|",
    ]
    text += [
        f"| {operator} | {', '.join(map(str, before)) or ''} | {'yes' if behind else ''} |"
        for operator, (before, behind) in sorted(changes().items())
    ]
    return "\n".join(text)
