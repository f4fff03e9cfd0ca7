"""Sessions, engines that know where they were made, and trtexec's percentiles."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import trtflow.reference as trt
from trtflow.formats import FormatError, UserError
from trtflow.formats.files import write_json
from trtflow.runtime.backend import check_device, describe, load, other_python, read_backend
from trtflow.runtime.build import build_plan
from trtflow.runtime.entry import create_builder, create_context, create_runtime, engine_of
from trtflow.runtime.loop import StepLoop
from trtflow.runtime.origin import read_origin, write_engine
from trtflow.runtime.session import Session, load_engine
from trtflow.runtime.slots import Query
from trtflow.runtime.timing import BRIEF_QUERIES, LEAST_QUERIES, measure, percentile

ROOT = Path(__file__).resolve().parents[2]


def define(trt_module, network):
    tensor = network.add_input("x", trt_module.float32, (1, 2, 2))
    output = network.add_activation(tensor, trt_module.ActivationType.RELU).get_output(0)
    output.name = "y"
    network.mark_output(output)


@pytest.mark.parametrize(("create", "name"), [(create_builder, "Builder"), (create_runtime, "Runtime")])
def test_a_gpu_without_free_memory_is_named(create, name):
    """What TensorRT 8.6.0 did on a GPU whose memory another process held."""

    def refuse(logger):
        raise TypeError("pybind11::init(): factory function returned nullptr")

    with pytest.raises(UserError, match=r"could not start on this GPU.*nvidia-smi"):
        create(SimpleNamespace(**{name: refuse}), None)
    assert isinstance(create(trt, trt.Logger()), getattr(trt, name))


def test_an_engine_without_memory_for_its_context_is_named():
    """TensorRT 8.6.0 returned None for an engine of ssd with 1.2 GB of the GPU free."""
    engine = SimpleNamespace(create_execution_context=lambda: None, max_batch_size=1)
    for make in (create_context, partial(Session, trt), partial(StepLoop, trt, feedback={})):
        with pytest.raises(UserError, match=r"could not make a context.*lower max_batch_size"):
            make(engine)


def test_a_plan_that_tensorrt_does_not_load_is_no_engine():
    """NVIDIA's runtime returns None and says why on its own; the reference says it itself."""
    runtime = SimpleNamespace(deserialize_cuda_engine=lambda plan: None)
    with pytest.raises(UserError, match="cannot load its own plan"):
        engine_of(
            SimpleNamespace(__name__="trt", ILogger=trt.ILogger, Logger=trt.Logger, Runtime=lambda logger: runtime), b""
        )
    assert engine_of(trt, build_plan(trt, define, "fp32", 1)).num_bindings == 2


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "engine.fp32.plan"
    write_engine(path, build_plan(trt, define, "fp32", 4), {"backend": describe("reference")})
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


@pytest.mark.parametrize(
    "origin", ["{}", '{"backend": "reference"}', '{"backend": {}}', "[]", "{", "\xff", "[" * 100000]
)
def test_an_origin_that_is_none_names_its_file(plan, origin):
    path = plan.with_suffix(".json")
    path.write_text(origin)
    with pytest.raises(FormatError, match=rf"{path}: not the origin of a plan .*Delete it and make the engine again"):
        load_engine(plan, describe("reference"))


def test_damaged_engine_names_the_file(plan):
    write_engine(plan, plan.read_bytes()[:50], {"backend": describe("reference")})
    with pytest.raises(FormatError, match=r"engine.fp32.plan: .*not a plan of the reference runtime"):
        load_engine(plan, describe("reference"))


def test_a_plan_that_was_changed_since_it_was_written(plan):
    damaged = bytearray(plan.read_bytes())
    damaged[-1] ^= 1
    plan.write_bytes(damaged)
    with pytest.raises(FormatError, match=r"engine.fp32.plan: the plan is damaged: .*Delete it and make .* again"):
        load_engine(plan, describe("reference"))


def json_or_none(data):
    try:
        return json.loads(data)
    except ValueError:
        return None


def test_every_bit_of_an_origin_counts(plan):
    path = plan.with_suffix(".json")
    whole = path.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        if json_or_none(damaged) == json.loads(whole):
            continue  # a blank between that became another
        with pytest.raises(FormatError, match="Delete it and make the engine again"):
            read_origin(plan)
    path.write_bytes(whole)
    assert read_origin(plan)["backend"] == describe("reference")


def test_backend_file_is_checked(tmp_path):
    path = tmp_path / "backend.json"
    path.write_text(json.dumps({"name": "reference"}))
    with pytest.raises(FormatError, match="not a description of a backend"):
        read_backend(path)
    with pytest.raises(UserError, match="unknown backend 'cuda'"):
        load("cuda")


ANSWER = {"version": "8.6.0", "device": "NVIDIA H200", "compute_capability": "9.0", "driver": "580.1"}


def engine_python(folder, answer):
    """Return a command that answers as the engine's Python does."""
    path = folder / "python3.10"
    path.write_text(
        f"#!/bin/sh\necho '{json.dumps(answer)}'\n" if isinstance(answer, dict) else f"#!/bin/sh\n{answer}\n"
    )
    path.chmod(0o755)
    return str(path)


def test_auto_takes_tensorrt_where_it_answers(tmp_path):
    python = engine_python(tmp_path, ANSWER)
    assert describe("auto", python) == {"name": "tensorrt", **ANSWER, "python": python}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"error": "no GPU: CUDA finds none."}, "no GPU: CUDA finds none"),
        ("echo 'Illegal instruction' >&2; exit 132", "failed: Illegal instruction"),
        ("exit 0", "failed: no message"),
    ],
)
def test_without_tensorrt_auto_takes_the_reference_and_says_why(tmp_path, answer, message):
    python = engine_python(tmp_path, answer)
    found = describe("auto", python)
    assert found["name"] == "reference"
    assert message in found["why"]
    with pytest.raises(UserError, match=message):
        describe("tensorrt", python)


def test_missing_engine_python_is_named():
    with pytest.raises(UserError, match=r"'/no/python' is not there. Set engine_python .* or backend to reference"):
        describe("tensorrt", "/no/python")


def test_this_python_has_no_tensorrt():
    with pytest.raises(UserError, match=r"cannot import tensorrt .* Set engine_python"):
        load("tensorrt")
    with pytest.raises(UserError, match="TensorRT cannot be imported"):
        check_device({"name": "tensorrt", **ANSWER})


@pytest.fixture
def tensorrt_backend(tmp_path, monkeypatch):
    monkeypatch.delenv("TRTFLOW_SWITCHED_TO", raising=False)
    path = tmp_path / "backend.json"
    write_json(path, {"name": "tensorrt", **ANSWER, "python": sys.executable})
    return path


def test_scripts_switch_to_the_engines_python_once(tensorrt_backend):
    assert os.path.samefile(other_python(tensorrt_backend), sys.executable)
    with pytest.raises(UserError, match="has no tensorrt"):
        other_python(tensorrt_backend)


def test_scripts_stay_where_the_reference_is(tmp_path):
    write_json(tmp_path / "backend.json", describe("reference"))
    assert other_python(tmp_path / "backend.json") is None


@pytest.mark.parametrize("key", ["version", "device", "compute_capability"])
def test_backend_of_another_gpu_is_refused(monkeypatch, key):
    monkeypatch.setattr("trtflow.runtime.backend.probe_here", lambda: {**ANSWER, key: "another"})
    with pytest.raises(FormatError, match=rf"{key} is .*, but this process has another. Delete it and run snakemake"):
        check_device({"name": "tensorrt", **ANSWER})


PYCUDA = {  # what of it opens the GPU
    "__init__": "",
    "driver": "class Error(Exception): pass\nclass MemoryError(Error): pass",
    "autoprimaryctx": "from pycuda import driver, tools",
}
NO_CONTEXT = {
    "the driver": ("driver.MemoryError", "cuDevicePrimaryCtxRetain failed: out of memory"),
    "PyCUDA": (
        "RuntimeError",
        "make_default_context() wasn't able to create a context on any of the 1 detected devices",
    ),
}


@pytest.fixture
def pycuda(tmp_path, monkeypatch):
    """A folder of modules that stand for PyCUDA's; they are forgotten behind the test."""
    folder = tmp_path / "pycuda"
    folder.mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == "pycuda"]:
        del sys.modules[name]


@pytest.mark.parametrize("who", NO_CONTEXT)
def test_a_gpu_without_free_memory_is_said_before_tensorrt_crashes(pycuda, monkeypatch, who):
    error, words = NO_CONTEXT[who]
    for name, text in {**PYCUDA, "tools": f"from pycuda import driver\nraise {error}({words!r})"}.items():
        (pycuda / f"{name}.py").write_text(text)
    monkeypatch.setattr("trtflow.runtime.backend.probe_here", lambda: ANSWER)
    with pytest.raises(UserError, match=rf"cannot be opened \({re.escape(words)}\).*nvidia-smi"):
        check_device({"name": "tensorrt", **ANSWER})


@pytest.mark.parametrize(("module", "name"), [("trtflow.runtime.launch", "run_on_backend"), ("trtflow.cli", "run")])
def test_where_python_was_stands_in_the_log_of_a_process_that_tensorrt_ended(tmp_path, module, name):
    script = tmp_path / "script.py"
    script.write_text(
        f"import os\nfrom {module} import {name}\ndef parse_model():\n    os.abort()\n{name}(parse_model)\n"
    )
    ended = subprocess.run(
        [sys.executable, script],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == -signal.SIGABRT
    assert "Fatal Python error: Aborted" in ended.stderr
    assert "in parse_model" in ended.stderr


def test_percentiles_are_elements_as_in_trtexec():
    times = np.arange(1, 101, dtype=float)[::-1]
    assert [percentile(times, percent) for percent in (50, 95, 99)] == [50, 95, 99]
    assert percentile(np.array([3.0]), 99) == 3.0


class Clock:
    """Stands in for a session: each query takes as long as it is told, and is noted."""

    def __init__(self, name, calls, depth, seconds=0.001):
        self.device, self.name, self.calls, self.seconds = SimpleNamespace(depth=depth), name, calls, seconds

    def queries(self, batch_size, *, graph):
        end = 0.0
        while True:
            self.calls.append(self.name)
            time.sleep(self.seconds)
            ms = self.seconds * 1000
            yield Query(h2d=0.25 * ms, compute=0.5 * ms, d2h=0.25 * ms, enqueue=0.1, start=end, end=end + ms / 2)
            end += ms / 2  # the copies of one overlap with the next


def test_engines_of_a_cpu_are_timed_in_turns():
    calls = []
    result = measure({name: Clock(name, calls, depth=1) for name in "ab"}, 4, duration_s=0.01)
    turns = calls[-2 * LEAST_QUERIES :]
    assert set(zip(turns[::2], turns[1::2], strict=True)) == {("a", "b")}
    latency = result["a"]["latency_ms"]
    assert 0 < latency["median"] <= latency["p95"] <= latency["p99"]
    assert result["a"]["queries_per_s"] == pytest.approx(1000)  # the other's time in between does not count
    assert result["a"]["images_per_s"] == pytest.approx(4000)


@pytest.mark.parametrize("depth", [1, 2])
def test_who_only_asks_whether_engines_run_has_three_queries_of_each(depth):
    calls = []
    measure({name: Clock(name, calls, depth, seconds=0.02) for name in "ab"}, 1, duration_s=0.001, brief=True)
    assert sorted(calls) == sorted("ab" * (1 + BRIEF_QUERIES))  # and one to warm up


def test_engines_of_a_gpu_are_timed_in_one_piece():
    calls = []
    result = measure({name: Clock(name, calls, depth=2) for name in "ab"}, 1, duration_s=0.01)
    assert calls == sorted(calls)
    assert result["b"]["latency_ms"]["median"] == pytest.approx(1)
    assert result["b"]["queries_per_s"] == pytest.approx(2000)  # from the first start to the last end: they overlap
    assert (result["b"]["h2d_ms"], result["b"]["compute_ms"]) == pytest.approx((0.25, 0.5))


class OneAhead:
    """Stands in for a session of a GPU: a query takes 1 ms of a clock that all share, and the next is sent before."""

    def __init__(self, clock):
        self.device, self.clock = SimpleNamespace(depth=2), clock

    def queries(self, batch_size, *, graph):
        sent = self.clock["ms"]
        while True:
            time.sleep(0.001)
            self.clock["ms"] += 1
            yield Query(h2d=0.25, compute=0.5, d2h=0.25, enqueue=0.1, start=sent, end=self.clock["ms"])
            sent = self.clock["ms"] - 1


def test_throughput_of_a_gpu_has_no_other_engines_time_in_it():
    clock = {"ms": 0}
    found = measure({name: OneAhead(clock) for name in "abc"}, 1, duration_s=0.01)
    for row in found.values():  # n queries take n + 1 ms, for the first was sent before the one ahead of it had ended
        assert 900 < row["queries_per_s"] < 1000
