"""The API of TensorRT 8.6.0, name by name and member by member, on instances."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from types import BuiltinMethodType
from typing import Any

import api_instances
import numpy as np
import pytest

import trtflow.reference as trt

TABLE = Path(__file__).parents[2] / ".." / "shared" / "facts" / "api86.json"
NAMES: dict[str, Any] = json.loads(TABLE.read_text())["names"] if TABLE.exists() else {}
shared = pytest.mark.skipif(not NAMES, reason="../shared/facts/api86.json is not here")
# what pybind11 writes of a signature: "name(self: type, first: type = default, ...) -> type", cut where it is long
PARAMETER = re.compile(r"(\w+): ([\w.:\[\]<>, ]+?)(?: = ([^,()]+|<[^>]+>))?(?=, \w+: |\)|$)")
WRITE_ONLY = {("Builder", "gpu_allocator"), ("Runtime", "gpu_allocator"), ("IExecutionContext", "device_memory")}
# what Python itself has of every class, or calls under another name
OF_PYTHON = {"__init__", "__repr__", "__str__", "__hash__", "__eq__", "__del__"}


def named(path: str) -> Any:
    found: Any = trt
    for part in path.split("."):
        found = getattr(found, part)
    return found


def kinds(*wanted: str) -> list[str]:
    return [name for name, entry in NAMES.items() if entry["kind"] in wanted]


def signatures(lines: list[str]) -> list[list[tuple[str, str | None]]]:
    """Return the parameters of each overload: name, and the default's text or None."""
    found = []
    for line in lines:
        if "*args" in line or "->" not in line:
            continue
        inner = line[line.index("(") + 1 : line.rindex(") ->")]
        pairs = [(match[1], match[3] and match[3].strip()) for match in PARAMETER.finditer(f"{inner})")]
        found.append([pair for pair in pairs if pair[0] != "self"])
    return found


def as_text(value: Any) -> str:
    return repr(value) if isinstance(value, str) else str(value)


def default_of(text: str) -> str:
    """Return a default without pybind11's form of an enumeration, «<Type.NAME: 0>»."""
    return text.strip("<>").split(": ")[0].replace("Severity.", "Severity.")


def fits(function: Any, parameters: list[tuple[str, str | None]]) -> bool:
    """Whether a function takes these parameters, by name where pybind11 names them, with these defaults."""
    if isinstance(function, BuiltinMethodType):  # of Python's list, which has no signature
        return True
    own = [item for item in inspect.signature(function).parameters.values() if item.name != "self"]
    if any(item.kind in (item.VAR_POSITIONAL, item.VAR_KEYWORD) for item in own):
        return True
    if len(parameters) > len(own):
        return False
    named_alike = all(
        item.name == name or re.fullmatch(r"arg\d+|x|i|s|L", name)
        for item, (name, _) in zip(own, parameters, strict=False)
    )
    required = all(item.default is not item.empty for item in own[len(parameters) :])
    told = [(item, text) for item, (_, text) in zip(own, parameters, strict=False) if text is not None]
    return named_alike and required and all(as_text(item.default) == default_of(text) for item, text in told)


@shared
def test_every_name_is_there() -> None:
    assert [name for name in NAMES if not _has(name)] == []


def _has(name: str) -> bool:
    try:
        named(name)
    except AttributeError:
        return False
    return True


@shared
@pytest.mark.parametrize("name", kinds("enum"))
def test_enumeration(name: str) -> None:
    kind, entry = named(name), NAMES[name]
    assert {member: int(value) for member, value in kind.__members__.items()} == entry["members"]
    first = next(iter(kind.__members__.values()))
    assert str(first) == entry["str"]
    assert repr(first) == f"<{entry['str']}: {first.value}>"


@shared
@pytest.mark.parametrize("name", kinds("function"))
def test_function(name: str) -> None:
    overloads = signatures(NAMES[name]["sig"])
    assert callable(named(name))
    assert all(fits(named(name), parameters) for parameters in overloads)


@shared
@pytest.mark.parametrize("name", kinds("value"))
def test_value(name: str) -> None:
    if name != "CURDIR":  # a folder of the machine
        assert str(named(name)) == NAMES[name]["value"].rsplit("/", 1)[-1]


@shared
@pytest.mark.parametrize("name", kinds("class"))
def test_class(name: str) -> None:
    kind, entry = named(name), NAMES[name]
    bases = [base.__name__ for base in kind.__mro__]
    assert [base for base in entry["bases"] if base not in bases] == []
    made = api_instances.make(name)
    assert isinstance(made, kind)
    faults = [
        f"{member}: {fault}"
        for member, told in entry["members"].items()
        if (fault := fault_of(name, kind, made, member, told))
    ]
    assert faults == []


def fault_of(  # noqa: PLR0911 - one answer for each kind
    name: str, kind: type, made: Any, member: str, told: Any
) -> str:
    """Return in what a member differs from TensorRT's; nothing where it does not."""
    if member in OF_PYTHON and told != "value None":
        return "" if hasattr(kind, member) else "is not there"
    if (name, member) in WRITE_ONLY:
        return _settable(made, member, None)
    if told == "value None":
        return "" if getattr(made, member) is None else "is not None"
    try:
        value = getattr(made, member)
    except AttributeError as error:
        return f"is not there ({error})"
    except trt.NetworkError as error:  # that of a plugin whose bytes are TensorRT's own affair
        return "" if "private to TensorRT" in str(error) else str(error)
    if isinstance(told, list):
        return _callable_fault(value, told)
    if told == "method":
        return "" if callable(value) else "cannot be called"
    if told.startswith("value"):
        return "" if str(value) == told.removeprefix("value ") else f"is {value}"
    return _read_only(made, member) if told.endswith("read only") else _settable(made, member, value)


def _callable_fault(value: Any, told: list[str]) -> str:
    if not callable(value):
        return "cannot be called"
    overloads = signatures(told)
    if overloads and not any(fits(value, parameters) for parameters in overloads):
        return f"takes {inspect.signature(value)}, not {told[0]}"
    return ""


def _read_only(made: Any, member: str) -> str:
    try:
        setattr(made, member, getattr(made, member))
    except AttributeError:
        return ""
    return "can be set"


def _settable(made: Any, member: str, value: Any) -> str:
    try:
        setattr(made, member, value)
    except AttributeError as error:
        return f"cannot be set ({error})"
    except (TypeError, ValueError, trt.NetworkError):  # its own value is none that can be set
        return ""
    return ""


@shared
@pytest.mark.parametrize("name", kinds("class"))
def test_attributes_of_ones_own_are_refused(name: str) -> None:
    if NAMES[name]["dynamic_attributes"] or name in USERS:
        return
    made = api_instances.make(name)
    with pytest.raises(AttributeError):
        made.attribute_of_ones_own = 1
    with pytest.raises(AttributeError):
        _ = made.attribute_of_ones_own


# classes that users derive from, whose own attributes are Python's affair; and lists
USERS = {
    "IAlgorithmSelector",
    "ICaffePluginFactoryV2",
    "IErrorRecorder",
    "IGpuAllocator",
    "IInt8Calibrator",
    "IInt8EntropyCalibrator",
    "IInt8EntropyCalibrator2",
    "IInt8LegacyCalibrator",
    "IInt8MinMaxCalibrator",
    "IOutputAllocator",
    "IProfiler",
    "NodeIndices",
    "PluginFieldCollection",
    "PluginFieldCollection_",
    "Profiler",
    "SubGraphCollection",
}


def test_enumerations_are_no_numbers() -> None:
    assert (str(trt.float32), repr(trt.int8), int(trt.bool)) == ("DataType.FLOAT", "<DataType.INT8: 2>", 4)
    assert trt.float32 != 0
    assert trt.DataType(1) is trt.float16
    assert f"{trt.uint8}" == "DataType.UINT8"
    assert trt.Logger.ERROR < trt.Logger.WARNING
    assert trt.EngineCapability.STANDARD.name == "DEFAULT"
    assert {trt.TensorFormat.HWC: 1}[trt.TensorFormat(8)] == 1
    with pytest.raises(TypeError):
        _ = trt.float32 < trt.float16  # type: ignore[operator] # pybind11 orders what is arithmetic alone
    with pytest.raises(TypeError):
        _ = 1 << trt.BuilderFlag.FP16  # type: ignore[operator]
    with pytest.raises(TypeError, match="matching type"):
        _ = trt.BuilderFlag.FP16 < 3
    with pytest.raises(TypeError):
        list(trt.LayerType)


def test_shapes_are_what_users_take_them_for() -> None:
    shape = trt.Dims([2, 3, 4])
    shape[0] = -1
    assert shape == (-1, 3, 4)
    assert shape == [-1, 3, 4]
    assert (shape[1:], list(shape)) == ((3, 4), [-1, 3, 4])
    assert (str(trt.Dims((5,))), str(trt.Dims4(1, 2, 3, 4)), trt.DimsHW((7, 8)).w) == ("(5,)", "(1, 2, 3, 4)", 8)
    with pytest.raises(TypeError):
        hash(shape)
    with pytest.raises(ValueError, match="at most 8"):
        trt.Dims(range(9))
    network = trt.Builder(trt.Logger()).create_network(1)
    tensor = network.add_input("x", trt.float32, (1, 2))
    tensor.shape[0] = 9  # of a copy, as in TensorRT
    assert tensor.shape == (1, 2)


@pytest.mark.answers
def test_errors_are_logged_recorded_and_answered() -> None:
    class Log(trt.ILogger):
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.said: list[str] = []

        def log(self, severity: trt.ILogger.Severity, msg: str) -> None:
            self.said.append(f"{severity.name} {msg}")

    log, recorder = Log(), api_instances.Recorder()
    builder = trt.Builder(log)
    builder.error_recorder = recorder
    network, config = builder.create_network(1), builder.create_builder_config()
    x = network.add_input("x", trt.float32, (2, 3))
    assert network.add_convolution_nd(x, 1, (9, 9), np.zeros(3, np.float32)) is None
    assert (network.get_layer(0), network.get_output(3)) == (None, None)
    assert builder.build_serialized_network(network, config) is None
    assert builder.build_engine(network, config) is None
    assert trt.Runtime(log).deserialize_cuda_engine(b"no plan") is None
    assert config.create_timing_cache(b"no cache") is None
    assert trt.CaffeParser().parse("absent.prototxt", "absent.caffemodel", network, trt.float32) is None
    assert trt.UffParser().parse("absent.uff", network) is False
    assert all(line.startswith("ERROR ") for line in log.said)
    assert len(log.said) >= 7
    assert recorder.num_errors() >= 4
    assert "the network has no outputs" in " ".join(recorder.texts)
    assert all(len(text) <= recorder.MAX_DESC_LENGTH for text in recorder.texts)


def test_what_cannot_be_on_a_cpu_says_so() -> None:
    for call in (
        lambda: trt.Runtime(trt.Logger()).load_runtime("libnvinfer_lean.so"),
        lambda: trt.get_plugin_registry().load_library("libplugins.so"),
    ):
        with pytest.raises(trt.DeviceError, match="runs on a CPU, where that cannot be"):
            call()
