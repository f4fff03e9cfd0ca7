"""Every case of operator_cases.py: the reference refuses it with a reason, or runs it with another runtime's values.

What TensorRT 8.6 answered to the same cases stands in operator_answers.json, as `tests/gpu/run_operator_cases.py` wrote
it on a GPU, where it is there.
"""

from __future__ import annotations

import gc
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator
from operator_cases import Case, case, cases, draw, i64

import trtflow.reference as trt

pytestmark = pytest.mark.answers
HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "gpu"))

from run_operator_cases import answer  # noqa: E402

RECORDED = HERE / "operator_answers.json"
DIFFERS = {  # of which the reference answers something else than TensorRT 8.6.0 did on an H200, and why
    r"(?!Cast ).* int8( .*)?": "INT8 without pairs: refused by the parser here, by the builder there",
    r"Cast int8 .*": "the builder refuses an INT8 input without steps there",
    r"Cast (float|half|double) u?int8( constant)?": "TensorRT rounds, and UINT8 ends at 0; ONNX cuts off",
    r"Cast .* uint8( constant)?|Cast uint8 .*": "TensorRT takes casts of UINT8 that its documents exclude",
    r"(Equal|GreaterOrEqual|LessOrEqual|Greater|Less|IsNaN|Abs|Sign|Neg) (bool|uint8)( .*)?": "comparisons of BOOL",
    r"(Reshape|Squeeze|Unsqueeze|Flatten|Transpose|Pad|InstanceNormalization|LayerNormalization|QuantizeLinear"
    r"|Trilu) (uint8|bool)( .*)?": "UINT8 and BOOL inside of a network: the builder refuses what the parser took",
    r"(Trilu|Shrink|EyeLike|LpNormalization) half( .*)?": "half precision that the builder has no kernel for",
    r"Trilu \w+ k": "TensorRT takes the upper bound for another; the reference warns",
    r"\w*(Pool|Normalization|GridSample) int(32|64)": "whole numbers that TensorRT takes; some of its values are wrong",
    r"(Softmax|PRelu) float (rank [01]|\[\] \[\])": "TensorRT wants more dimensions, or ends the process",
    r"(Celu|ReduceL2|ReduceSumSquare) (bool|uint8|int32|int64)( .*)?|Range half|QuantizeLinear None": "both refuse",
}
TRACES = re.compile(r"Traceback|\b[A-Z]\w*(Error|Exception)\b|ONNXRuntime")  # of what broke inside
SHORTER = ("Selu",)  # operators whose constants TensorRT has with fewer digits: 1.6732 and 1.0507, as it answered
NARROW: dict[Any, Any] = {np.dtype(np.int64): np.int32, np.dtype(np.float64): np.float32}  # as TensorRT has them
SESSIONS = onnxruntime.SessionOptions()
SESSIONS.log_severity_level, SESSIONS.intra_op_num_threads = 4, 1

BY_OPERATOR: dict[str, list[Case]] = defaultdict(list)
for found in cases():
    BY_OPERATOR[found.name.split()[0]].append(found)
BY_NAME = {case.name: case for found in BY_OPERATOR.values() for case in found}


@pytest.fixture(scope="module", autouse=True)
def uncollected() -> Iterator[None]:
    """Leave the collector of cycles out: 2,181 networks are small, and looking at them is a fifth of the time."""
    gc.disable()
    yield
    gc.enable()


@cache
def answers(operator: str) -> dict[str, dict[str, Any]]:
    """Return what the reference makes of an operator's cases."""
    return {case.name: answer(trt, case.model.SerializeToString(), case.feeds) for case in BY_OPERATOR[operator]}


def independent(case: Case) -> dict[str, np.ndarray]:
    """Return ONNX Runtime's outputs by name, in TensorRT's types.

    Where it has no kernel for DOUBLE they are those of the same case in FLOAT, as which TensorRT has it; else those of
    ONNX's own evaluator.
    """
    names = [value.name for value in case.model.graph.output]
    single = BY_NAME.get(case.name.replace("double", "float"), case)
    values = _rows(case) if case.name == "OneHot bool" else _of_onnxruntime(case) or _of_onnxruntime(single)
    found = values or list(ReferenceEvaluator(case.model).run(names, case.feeds))
    return {name: _narrow(np.asarray(value)) for name, value in zip(names, found, strict=True)}


def _rows(case: Case) -> list[Any]:
    """Return the rows of a OneHot of BOOL, of which neither runtime has a kernel."""
    off, on = numpy_helper.to_array(case.model.graph.initializer[1])
    return [np.where(np.arange(3) == case.feeds["i"][:, None], on, off)]


def _narrow(array: np.ndarray) -> np.ndarray:
    return array.astype(NARROW.get(array.dtype, array.dtype))


def _of_onnxruntime(case: Case) -> list[Any] | None:
    model = case.model.SerializeToString()
    try:
        session = onnxruntime.InferenceSession(model, SESSIONS, providers=["CPUExecutionProvider"])
        return list(session.run(None, case.feeds))
    except Exception:  # of no common base: it has no kernel
        return None


def difference(outputs: dict[str, Any], wanted: dict[str, np.ndarray]) -> str:
    """Return how outputs differ from what is wanted; "" where they do not."""
    for name, array in wanted.items():
        told = outputs[name]
        if (told["shape"], told["dtype"]) != (list(array.shape), str(array.dtype)):
            return f"{name} is {told['dtype']} {told['shape']} and not {array.dtype} {list(array.shape)}"
        limits = {"rtol": 1e-2, "atol": 1e-2} if array.dtype == np.float16 else {"rtol": 1e-5, "atol": 1e-5}
        values = array.astype(np.float64).ravel()[:256]
        if not np.allclose(told["values"], values, equal_nan=True, **limits):
            return f"{name} is {told['values'][:8]} and not {values[:8].tolist()}"
    return ""


@pytest.mark.parametrize("operator", BY_OPERATOR)
def test_a_case_runs_or_is_refused_with_the_reason(operator: str) -> None:
    for name, told in answers(operator).items():
        if not told["parsed"]:
            for code, text in told["errors"]:
                assert code in ("INVALID_NODE", "UNSUPPORTED_NODE", "INVALID_GRAPH", "INVALID_VALUE"), (name, text)
                assert re.match(rf"node 0, 'asked' \({operator}\): \w|output 'y\d': \w", text), (name, text)
                assert not TRACES.search(text), (name, text)
        elif not told["built"]:
            assert any(re.match(r"ERROR: \w", text) for text in told["log"]), (name, told)
            assert not TRACES.search(" ".join(told["log"])), (name, told)


@pytest.mark.parametrize("operator", BY_OPERATOR)
def test_what_runs_has_the_values_of_an_independent_runtime(operator: str) -> None:
    told = answers(operator)
    ran = [case for case in BY_OPERATOR[operator] if "outputs" in told[case.name]]
    ran = [case for case in ran if operator not in SHORTER]
    faults = {case.name: difference(told[case.name]["outputs"], independent(case)) for case in ran}
    assert {name: fault for name, fault in faults.items() if fault} == {}


NARROWER = {  # operators that ONNX gives an INT64, of which TensorRT's parser has an INT32 whichever the model gives
    "Reshape": ({"x": draw("float", 2, 3, 4)}, {"s": i64(0, -1)}, {}),
    "Tile": ({"x": draw("float", 2, 3, 4)}, {"r": i64(1, 2, 2)}, {}),
    "Expand": ({"x": draw("float", 3, 1)}, {"s": i64(2, 1, 4)}, {}),
    "Unsqueeze": ({"x": draw("float", 2, 3)}, {"a": i64(0, -1)}, {}),
    "Squeeze": ({"x": draw("float", 1, 3, 1)}, {"a": i64(0)}, {}),
    "Pad": ({"x": draw("float", 2, 3)}, {"p": i64(0, 1, 0, 2)}, {}),
    "ConstantOfShape": ({}, {"s": i64(2, 3)}, {}),
    "ReduceSum": ({"x": draw("float", 2, 3, 4)}, {"a": i64(1)}, {}),
    "Trilu": ({"x": draw("float", 2, 3, 4)}, {"k": np.array(1)}, {"upper": 0}),
    "ReverseSequence": ({"x": draw("float", 2, 3, 4), "n": i64(1, 2, 2)}, {}, {"time_axis": 0, "batch_axis": 1}),
    "ScatterND": ({"x": draw("float", 2, 3), "i": i64([0, 1], [1, 2]), "u": draw("float", 2, seed=3)}, {}, {}),
}


@pytest.mark.parametrize("operator", NARROWER)
def test_int32_is_taken_where_onnx_wants_int64(operator: str) -> None:
    fed, constants, attributes = NARROWER[operator]
    wanted = independent(case(operator, operator, fed, constants, order=[*fed, *constants], **attributes))
    fed, constants = ({name: _narrow(array) for name, array in arrays.items()} for arrays in (fed, constants))
    found = case(operator, operator, fed, constants, order=[*fed, *constants], **attributes)
    told = answer(trt, found.model.SerializeToString(), fed)
    assert difference(told["outputs"], wanted) == ""


def disagreement(told: dict[str, Any], recorded: dict[str, Any]) -> str:
    """Return how an answer differs from TensorRT's; "" where it does not."""
    for step in ("parsed", "built"):
        if told.get(step) != recorded.get(step):
            return f"{step}: {told.get(step)}, and TensorRT's is {recorded.get(step)}: {recorded}"
    codes = [answer["errors"][0][0] for answer in (told, recorded) if answer.get("errors")]
    if len(set(codes)) > 1:
        return f"the error is of {codes[0]}, and TensorRT's of {codes[1]}"
    outputs = recorded.get("outputs", {})
    arrays = {
        name: np.reshape(np.asarray(value["values"]), value["shape"]).astype(value["dtype"])
        for name, value in outputs.items()
        if np.prod(value["shape"]) == len(value["values"])
    }
    return difference(told["outputs"], arrays) if "outputs" in told else ""


@pytest.mark.parametrize("operator", BY_OPERATOR)
def test_the_reference_answers_as_tensorrt(operator: str) -> None:
    faults = disagreements(operator)
    assert {name: fault for name, fault in faults.items() if not kinds_of(name)} == {}


def test_every_kind_that_differs_still_does() -> None:
    """A difference that is gone is to be taken out of the list."""
    differing = [name for operator in BY_OPERATOR for name in disagreements(operator)]
    assert {kind for name in differing for kind in kinds_of(name)} == set(DIFFERS)


def disagreements(operator: str) -> dict[str, str]:
    """Return how the reference's answers to an operator's cases differ from TensorRT's, by name; skip without these."""
    if not RECORDED.exists():
        pytest.skip("operator_answers.json is absent: tests/gpu/run_operator_cases.py writes it on a GPU")
    stated = {name: told for name, told in recorded().items() if "parsed" in told}  # a trial that broke states nothing
    faults = {name: disagreement(told, stated[name]) for name, told in answers(operator).items() if name in stated}
    return {name: fault for name, fault in faults.items() if fault}


@cache
def recorded() -> dict[str, Any]:
    """Return what TensorRT answered, by the case's name."""
    return dict(json.loads(RECORDED.read_text()))


def kinds_of(name: str) -> list[str]:
    """Return the kinds of differences that a case is of."""
    return [pattern for pattern in DIFFERS if re.fullmatch(pattern, name)]


@pytest.mark.parametrize("name", ["Gemm int32", "DepthToSpace bool", "Unique bool"])
def test_what_onnx_runtime_has_not_either_is_refused_beyond_tensorrt_too(name: str) -> None:
    builder = trt.Builder(trt.Logger())
    parser = trt.OnnxParser(builder.create_network(1), builder.logger)
    parser.beyond_tensorrt = True
    assert not parser.parse(BY_NAME[name].model.SerializeToString())
    assert parser.get_error(0).desc().endswith("ONNX Runtime has no kernel for it either.")
