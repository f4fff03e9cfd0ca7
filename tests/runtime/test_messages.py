"""Errors of an engine end with what TensorRT said."""

from __future__ import annotations

import types

import pytest

import trtflow.reference as trt
from trtflow.formats import UserError
from trtflow.runtime import messages
from trtflow.runtime.entry import create_context
from trtflow.runtime.parsers import parse_caffe, parse_uff


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch):
    monkeypatch.setattr(messages, "_errors", type(messages._errors)(maxlen=messages.KEPT))


def say(severity, text):
    messages.logger_of(trt).log(severity, text)


def test_the_last_error_that_tells_something_is_the_last_thing_said(capsys):
    say(trt.Logger.ERROR, "first")
    say(trt.Logger.ERROR, "2: [x.cpp::y::1] Error Code 2:\n OutOfMemory (no memory)")
    say(trt.Logger.WARNING, "a warning")
    say(trt.Logger.ERROR, "2: [builder.cpp::buildSerializedNetwork::751] (Assertion engine != nullptr failed. )")
    assert messages.because("no engine", "Lower it.") == (
        "no engine. Lower it. TensorRT says: 2: [x.cpp::y::1] Error Code 2: OutOfMemory (no memory)"
    )
    assert capsys.readouterr().err.splitlines()[2] == "[TRT] [W] a warning"


def test_without_an_error_the_fault_stands_alone():
    say(trt.Logger.INFO, "x")
    assert messages.because("no engine.", "Lower it.") == "no engine. Lower it."
    assert messages.because("no engine") == "no engine."


def test_parsers_and_contexts_that_fail_as_tensorrt_does_tell_why(tmp_path):
    """TensorRT's parsers return None or False; the reference raises, so what fails here has TensorRT's manners."""

    class Parser:
        def parse(self, *args, **named):
            say(trt.Logger.ERROR, "UffParser: Parser error: node_7: unsupported operation _Foo")
            return named.get("nothing")

        def register_input(self, *args): ...

        def register_output(self, *args): ...

    module = types.SimpleNamespace(
        UffParser=Parser, CaffeParser=Parser, UffInputOrder=trt.UffInputOrder, float32=trt.float32
    )
    with pytest.raises(UserError, match="could not read it.*unsupported operation _Foo$"):
        parse_uff(module, None, tmp_path / "m.uff", {"in": (1, 2, 3)}, ["out"])
    with pytest.raises(UserError, match="could not read it.*unsupported operation _Foo$"):
        parse_caffe(module, None, tmp_path / "a", tmp_path / "b", [])
    with pytest.raises(UserError, match="nvidia-smi shows it.*unsupported operation _Foo$"):
        create_context(types.SimpleNamespace(create_execution_context=lambda: None))


def test_the_reference_tells_it_too():
    """An ILogger of one's own takes what the reference says: here of an input that is too large."""

    class Mine(trt.ILogger):
        def __init__(self):
            trt.ILogger.__init__(self)
            self.said = []

        def log(self, severity, message):
            self.said.append((severity, message))

    logger = Mine()
    builder = trt.Builder(logger)
    network = builder.create_network(1)
    tensor = network.add_input("x", trt.float32, (2, 3))
    network.mark_output(network.add_activation(tensor, trt.ActivationType.RELU).get_output(0))
    plan = builder.build_serialized_network(network, builder.create_builder_config())
    context = trt.Runtime(logger).deserialize_cuda_engine(plan).create_execution_context()
    assert not context.set_binding_shape(0, (5, 3))
    assert logger.said
    assert logger.said[-1][0] == trt.ILogger.ERROR
    assert isinstance(trt.Logger(), trt.ILogger)


def test_a_logger_without_log_is_refused():
    with pytest.raises(NotImplementedError, match="log"):
        trt.ILogger().log(trt.ILogger.ERROR, "x")
