"""`torch.cuda` on the host: scripts that hold their engines' memory as PyTorch's tensors, and what a GPU would do."""

from __future__ import annotations

import argparse
import copy
import ctypes
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from test_eras import onnx_model
from torch.utils._device import _device_constructors

import trtflow
from trtflow.nvidia.command import add_arguments, main

MODULE = '''
import sys
import numpy as np
import tensorrt as trt
import torch


class TRTModule(torch.nn.Module):
    """A network of PyTorch's that runs an engine."""

    def __init__(self, engine):
        super().__init__()
        self.engine = engine
        self.context = engine.create_execution_context()
        self.names = [engine.get_binding_name(index) for index in range(engine.num_bindings)]

    def forward(self, value):
        bindings = [None] * len(self.names)
        outputs = []
        for index in range(len(self.names)):
            if self.engine.binding_is_input(index):
                bindings[index] = value.contiguous().data_ptr()
                continue
            shape = tuple(self.context.get_binding_shape(index))
            output = torch.empty(size=shape, dtype=torch.float32, device=torch.device("cuda"))
            outputs.append(output)
            bindings[index] = output.data_ptr()
        self.context.execute_async_v2(bindings, torch.cuda.current_stream().cuda_stream)
        return outputs[0]


logger = trt.Logger(trt.Logger.ERROR)
builder = trt.Builder(logger)
network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
assert trt.OnnxParser(network, logger).parse_from_file(sys.argv[1])
plan = builder.build_serialized_network(network, builder.create_builder_config())
device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
model = TRTModule(trt.Runtime(logger).deserialize_cuda_engine(plan)).to(device).eval()
# not contiguous: what is copied for the engine is nobody's but its address
value = torch.from_numpy(np.load(sys.argv[2])).T.contiguous().to(device, non_blocking=True).T
start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
start.record()
with torch.no_grad():
    results = [model(value).cpu().numpy() for _ in range(3)]
end.record()
torch.cuda.synchronize()
assert start.elapsed_time(end) > 0
assert all((result == results[0]).all() for result in results)
np.save(sys.argv[3], results[0])
'''
ADDRESSES = """
import sys
import numpy as np
import tensorrt as trt
import torch

logger = trt.Logger(trt.Logger.ERROR)
builder = trt.Builder(logger)
network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
assert trt.OnnxParser(network, logger).parse_from_file(sys.argv[1])
plan = builder.build_serialized_network(network, builder.create_builder_config())
engine = trt.Runtime(logger).deserialize_cuda_engine(plan)
context = engine.create_execution_context()
torch.cuda.set_device(0)
tensors = {}
for index in range(engine.num_io_tensors):
    name = engine.get_tensor_name(index)
    tensors[name] = torch.zeros(tuple(engine.get_tensor_shape(name)), device="cuda")
    context.set_tensor_address(name, tensors[name].data_ptr())
tensors["x"].copy_(torch.from_numpy(np.load(sys.argv[2])).pin_memory())
stream = torch.cuda.Stream()
with torch.cuda.stream(stream):
    assert context.execute_async_v3(stream.cuda_stream)
stream.synchronize()
(output,) = [tensor for name, tensor in tensors.items() if name != "x"]
np.save(sys.argv[3], output.detach().cpu().numpy())
"""


def command(*words: object) -> None:
    """Run `trtflow run` with these words in this process."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    main(parser.parse_args(list(map(str, words))))


@pytest.fixture
def names() -> Iterator[None]:
    with trtflow.nvidia_names():
        yield


@pytest.mark.parametrize("text", [MODULE, ADDRESSES], ids=["module", "addresses"])
def test_scripts_compute_what_onnx_runtime_does(text: str, tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=(1, 4)).astype(np.float32)
    np.save(tmp_path / "x.npy", values)
    model = tmp_path / "m.onnx"
    model.write_bytes(onnx_model(1))
    (tmp_path / "script.py").write_text(text)
    command(tmp_path / "script.py", model, tmp_path / "x.npy", tmp_path / "y.npy")
    expected = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, {"x": values})[0]
    assert np.allclose(np.load(tmp_path / "y.npy").ravel(), expected.ravel(), atol=1e-6)


def test_without_it_pytorch_is_as_it_is(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import sys, torch\nsys.exit(7 if torch.cuda.is_available() else 5)")
    with pytest.raises(SystemExit) as ended:
        command("--no-torch-cuda", script)
    assert ended.value.code == 5 or torch.cuda.is_available()
    with pytest.raises(SystemExit) as ended:
        command(script)
    assert ended.value.code == 7


def test_all_is_as_before_afterwards() -> None:
    before = (torch.zeros, torch.load, torch.Tensor.to, torch.nn.Module._apply, torch.cuda.Stream, torch.version.cuda)
    _device_constructors.cache_clear()
    with trtflow.nvidia_names():
        assert torch.zeros(1, device="cuda").is_cuda
        assert torch.zeros is not before[0]
        with torch.device("meta"):  # PyTorch notes its functions when it is asked for the first time
            assert torch.zeros(1).is_meta
    after = (torch.zeros, torch.load, torch.Tensor.to, torch.nn.Module._apply, torch.cuda.Stream, torch.version.cuda)
    assert after == before
    with torch.device("meta"):
        assert torch.zeros(1).is_meta


@pytest.mark.usefixtures("names")
def test_moves_are_copies() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    host = torch.from_numpy(array)
    moved = [host.cuda(), host.to("cuda"), host.to(torch.device("cuda", 0)), torch.as_tensor(array, device="cuda")]
    host.zero_()
    for tensor in moved:
        assert tensor.is_cuda
        assert str(tensor.device) == "cuda:0"
        assert tensor.sum().item() == 15
        back = tensor.cpu()
        tensor.zero_()
        assert back.sum() == 15
        assert not back.is_cuda
    assert moved[0].cuda() is moved[0]
    assert moved[0].to("cuda") is moved[0]
    assert host.to("cpu") is host


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize(
    ("make", "cuda"),
    [
        (lambda x: x + 1, True),
        (lambda x: x.half(), True),
        (lambda x: x.to(torch.float64), True),
        (lambda x: x.to("cpu", torch.float16), False),
        (lambda x: torch.zeros_like(x, dtype=torch.int32), True),
        (lambda x: torch.zeros_like(x, device="cpu"), False),
        (lambda x: x.new_zeros(2), True),
        (lambda x: torch.cat([x, x]), True),
        (lambda x: torch.max(x, 1).values, True),
        (lambda x: torch.split(x, 1)[1], True),
        (lambda x: x * torch.tensor(2.0), True),
        (lambda x: torch.tensor([1, 2], device=x.device), True),
        (lambda x: torch.randn(2).type_as(x), True),
        (lambda x: torch.randn(2).type("torch.cuda.HalfTensor"), True),
        (lambda x: torch.nn.functional.interpolate(x[None], scale_factor=2), True),
        (lambda x: torch.zeros(2), False),
    ],
)
def test_results_are_where_a_gpu_has_them(make: Callable[[torch.Tensor], torch.Tensor], cuda: bool) -> None:
    assert make(torch.randn(2, 3).cuda()).is_cuda is cuda


@pytest.mark.usefixtures("names")
def test_texts_are_those_of_a_gpu() -> None:
    value = torch.tensor(2.5).cuda()
    assert f"{value:.2f}" == "2.50"
    assert repr(value) == "tensor(2.5000, device='cuda:0')"
    assert str(torch.ones(2).cuda().type()) == "torch.cuda.FloatTensor"
    assert "device='cuda:0'" in repr(torch.nn.Linear(1, 1).cuda().weight)
    assert [float(part) for part in torch.ones(2).cuda()] == [1, 1]
    assert copy.deepcopy(value).is_cuda


@pytest.mark.usefixtures("names")
def test_what_a_gpu_refuses_is_refused() -> None:
    host, cuda = torch.randn(2, 3), torch.randn(2, 3, device="cuda")
    with pytest.raises(RuntimeError, match="same device, but found at least two devices"):
        host + cuda
    with pytest.raises(RuntimeError, match="same device, but found at least two devices"):
        torch.nn.Linear(3, 4)(cuda)
    with pytest.raises(TypeError, match="can't convert cuda:0 device type tensor to numpy"):
        cuda.numpy()
    with pytest.raises(TypeError, match=r"Use Tensor.cpu\(\)"):
        np.asarray(cuda)
    with pytest.raises(RuntimeError, match="invalid device ordinal"):
        torch.zeros(1, device="cuda:1")
    with pytest.raises(RuntimeError, match="no graph is captured on a CPU"):
        torch.cuda.CUDAGraph()


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize("default", ["set", "with"])
def test_a_default_device(default: str) -> None:
    if default == "with":
        with torch.device("cuda"):
            assert torch.ones(2).is_cuda
        return
    torch.set_default_device("cuda")
    try:
        assert torch.ones(2).is_cuda
        assert not torch.ones(2, device="cpu").is_cuda
    finally:
        torch.set_default_device(None)


def network() -> torch.nn.Module:
    torch.manual_seed(3)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.ReLU(), torch.nn.Linear(4, 2))


def trained(model: torch.nn.Module, values: torch.Tensor) -> torch.Tensor:
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        loss = model(values).square().mean()
        loss.backward()
        optimizer.step()
    return model.eval()(values).detach()


@pytest.mark.usefixtures("names")
def test_a_module_is_trained_as_on_the_host() -> None:
    values = torch.randn(8, 3)
    model = network().cuda()
    assert all(tensor.is_cuda for tensor in [*model.parameters(), *model.buffers()])
    found = trained(model, values.cuda())
    assert found.is_cuda
    assert next(model.parameters()).grad.is_cuda
    assert torch.equal(found.cpu(), trained(network(), values))
    model.half().cpu()
    assert all(type(parameter) is torch.nn.Parameter for parameter in model.parameters())
    assert next(model.parameters()).dtype == torch.float16


@pytest.mark.usefixtures("names")
def test_an_export_is_the_hosts() -> None:
    model, values = network().eval(), torch.randn(1, 3)
    files = []
    for given, inputs in ((model, values), (model.cuda(), values.cuda())):
        files.append(io.BytesIO())
        torch.onnx.export(given, inputs, files[-1], dynamo=False)
    assert files[0].getvalue() == files[1].getvalue()
    assert next(model.parameters()).is_cuda


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize(
    ("location", "cuda"),
    [(None, True), ("cpu", False), ("cuda", True), ({"cuda:0": "cpu"}, False), (lambda storage, _: storage, False)],
)
def test_files_remember_the_device(location: object, cuda: bool) -> None:
    file = io.BytesIO()
    torch.save({"on": torch.ones(2).cuda(), "off": torch.zeros(2), "state": network().cuda().state_dict()}, file)
    file.seek(0)
    found = torch.load(file, map_location=location)
    assert found["on"].is_cuda is cuda
    assert found["state"]["0.weight"].is_cuda is cuda
    assert found["off"].is_cuda is (location == "cuda")
    assert found["on"].tolist() == [1, 1]


def test_a_file_needs_nothing_of_ours() -> None:
    file = io.BytesIO()
    with trtflow.nvidia_names():
        torch.save(network().cuda(), file)
    file.seek(0)
    model = torch.load(file, map_location="cpu", weights_only=False)
    assert {type(parameter) for parameter in model.parameters()} == {torch.nn.Parameter}
    assert torch.equal(model[0].weight, network()[0].weight)


@pytest.mark.usefixtures("names")
def test_memory_behind_an_address_stays_for_a_while() -> None:
    address = (torch.ones(1000, device="cuda") * 3).data_ptr()
    others = [torch.zeros(1000, device="cuda") for _ in range(100)]
    assert ctypes.c_float.from_address(address).value == 3
    assert address not in [other.data_ptr() for other in others]
