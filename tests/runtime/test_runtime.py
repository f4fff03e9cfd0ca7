"""Sessions, engines that know where they were made, and trtexec's percentiles."""

import json

import numpy as np
import pytest

import trtflow.reference as trt
from trtflow.formats import FormatError, UserError
from trtflow.formats.files import write_json
from trtflow.runtime.backend import describe, load, read_backend
from trtflow.runtime.build import build_plan
from trtflow.runtime.session import Session, load_engine
from trtflow.runtime.timing import measure, percentile


def define(trt_module, network):
    tensor = network.add_input("x", trt_module.float32, (1, 2, 2))
    output = network.add_activation(tensor, trt_module.ActivationType.RELU).get_output(0)
    output.name = "y"
    network.mark_output(output)


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "engine.fp32.plan"
    path.write_bytes(build_plan(trt, define, "fp32", 4))
    write_json(path.with_suffix(".json"), {"backend": describe("reference")})
    return path


def test_session_runs_a_batch(plan):
    session = Session(*load_engine(plan, describe("reference")))
    x = np.arange(-6, 6, dtype=np.float32).reshape(3, 1, 2, 2)
    np.testing.assert_array_equal(session.run({"x": x})["y"], x.clip(0))


@pytest.mark.parametrize("shape", [(5, 1, 2, 2), (1, 2, 2, 2)])
def test_session_names_the_input_that_does_not_fit(plan, shape):
    session = Session(*load_engine(plan, describe("reference")))
    with pytest.raises(UserError, match=r"input 'x': got an array of shape"):
        session.run({"x": np.zeros(shape, np.float32)})


def test_engine_from_elsewhere_says_what_to_rebuild(plan):
    other = {**describe("reference"), "device": "NVIDIA H200", "compute_capability": "9.0"}
    with pytest.raises(FormatError, match=r"engine.fp32.plan: built with device .* not NVIDIA H200.* make .* again"):
        load_engine(plan, other)


def test_damaged_engine_names_the_file(plan):
    plan.write_bytes(plan.read_bytes()[:50])
    with pytest.raises(FormatError, match=r"engine.fp32.plan: not a plan of the reference runtime"):
        load_engine(plan, describe("reference"))


def test_backend_file_is_checked(tmp_path):
    path = tmp_path / "backend.json"
    path.write_text(json.dumps({"name": "reference"}))
    with pytest.raises(FormatError, match="not a description of a backend"):
        read_backend(path)
    with pytest.raises(UserError, match="unknown backend 'cuda'"):
        load("cuda")


def test_percentiles_are_elements_as_in_trtexec():
    times = np.arange(1, 101, dtype=float)[::-1]
    assert [percentile(times, percent) for percent in (50, 95, 99)] == [50, 95, 99]
    assert percentile(np.array([3.0]), 99) == 3.0


def test_queries_are_timed_in_turns():
    calls = []
    result = measure({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, duration_s=0.01)
    turns = calls[calls.index("b") :]
    first = next(index for index in range(len(turns)) if turns[index] == "a" and turns[index + 1] == "b")
    assert set(zip(turns[first::2], turns[first + 1 :: 2], strict=False)) == {("a", "b")}
    latency = result["a"]["latency_ms"]
    assert 0 < latency["median"] <= latency["p95"] <= latency["p99"]
    assert result["a"]["throughput_per_s"] > 0
