"""Addresses that are none: refused in the log with False, as TensorRT does, and never garbage or a crash."""

import ctypes
import mmap

import numpy as np
import pytest
from networks import build

import trtflow.reference as trt
from trtflow.reference import memory
from trtflow.reference.memory import MemoryFaultError, read, write
from trtflow.runtime.build import build_plan

FLOATS = np.arange(1, 13, dtype=np.float32)


def define(network, tensor):
    return network.add_activation(tensor, trt.ActivationType.RELU).get_output(0)


@pytest.fixture(scope="module")
def context():
    return build(define, (12,)).context


@pytest.fixture
def read_only():
    """The address of a page that may be read alone; the next page is no memory."""
    size = mmap.PAGESIZE
    libc = ctypes.CDLL(None, use_errno=True)
    pages = mmap.mmap(-1, 2 * size)
    address = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    assert libc.mprotect(ctypes.c_void_p(address), size, mmap.PROT_READ) == 0
    assert libc.mprotect(ctypes.c_void_p(address + size), size, 0) == 0
    yield address
    assert libc.mprotect(ctypes.c_void_p(address), 2 * size, mmap.PROT_READ | mmap.PROT_WRITE) == 0


def run(context, capsys, source, target):
    done = context.execute(1, [source, target])
    return done, capsys.readouterr().err


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        (0, "its address is null"),
        (4, "cannot be read"),
        (FLOATS.ctypes.data + 2, "is not a multiple of 4, the bytes of a float32"),
        (1 << 46, "cannot be read"),
        (-8, "is no address"),
        (1 << 70, "is no address"),
        (None, "is no address"),
        ("x", "is no address"),
        (1e6, "is no address"),
        ([FLOATS.ctypes.data], "is no address"),
        (FLOATS, "is no address"),
        (np.float64(64), "is no address"),
    ],
    ids=[
        *("null", "low", "unaligned", "unmapped", "negative", "large", "none", "text", "fraction", "list", "array"),
        "numpys_fraction",
    ],
)
def test_an_input_that_lies_nowhere(context, capsys, address, fault):
    out = np.full(12, 7, np.float32)
    done, said = run(context, capsys, address, out.ctypes.data)
    assert not done
    assert "input 'x'" in said
    assert fault in said
    assert (out == 7).all()


@pytest.mark.parametrize(
    "address", [0, 4, FLOATS.ctypes.data + 1, 1 << 46, None], ids=["null", "low", "unaligned", "unmapped", "none"]
)
def test_an_output_that_lies_nowhere(context, capsys, address):
    done, said = run(context, capsys, FLOATS.ctypes.data, address)
    assert not done
    assert "output 'y'" in said


def test_bindings_may_be_an_array_of_addresses(context, capsys):
    out = np.zeros(12, np.float32)
    assert context.execute(1, np.array([FLOATS.ctypes.data, out.ctypes.data]))
    np.testing.assert_array_equal(out, FLOATS)
    assert not context.execute(1, np.array([], np.int64))
    assert "0 bindings, but the engine has 2" in capsys.readouterr().err


def test_memory_that_may_only_be_read_or_is_too_small(context, capsys, read_only):
    end = read_only + mmap.PAGESIZE
    out = np.zeros(12, np.float32)
    assert run(context, capsys, end - FLOATS.nbytes, out.ctypes.data)[0]
    done, said = run(context, capsys, end - FLOATS.nbytes + 4, out.ctypes.data)
    assert not done
    assert "byte 44 of 48 from its address" in said
    done, said = run(context, capsys, FLOATS.ctypes.data, read_only)
    assert not done
    assert "output 'y': byte 0 of 48 from its address" in said
    assert "cannot be written" in said


def context_by_name():
    """Return a context whose tensors x and y have their addresses by name."""

    def explicit(trt_module, network):
        output = define(network, network.add_input("x", trt_module.float32, (12,)))
        output.name = "y"
        network.mark_output(output)

    plan = build_plan(trt, explicit, "fp32", 1, explicit_batch=True)
    return trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan).create_execution_context()


def test_tensors_by_name_are_held_to_the_same(capsys):
    context = context_by_name()
    out = np.zeros(12, np.float32)
    context.set_tensor_address("x", FLOATS.ctypes.data + 1)
    context.set_tensor_address("y", out.ctypes.data)
    assert not context.execute_async_v3(0)
    assert "input 'x'" in capsys.readouterr().err
    context.set_tensor_address("x", FLOATS.ctypes.data)
    assert context.execute_async_v3(0)
    np.testing.assert_array_equal(out, FLOATS)


@pytest.mark.parametrize("address", [FLOATS, "8", 1.5, None], ids=["array", "text", "fraction", "none"])
def test_an_address_that_is_no_number_is_none_by_name(address):
    with pytest.raises(TypeError, match="set_tensor_address of 'x': .* is no address"):
        context_by_name().set_tensor_address("x", address)


@pytest.mark.parametrize("nbytes", [mmap.PAGESIZE, 4 << 20])
def test_memory_that_was_given_back_is_noticed(nbytes):
    pages = mmap.mmap(-1, nbytes)
    values = np.frombuffer(pages, np.float32)
    values[-1] = 1
    address = values.ctypes.data
    assert read(address, values.shape, trt.float32)[-1] == 1
    del values
    pages.close()
    with pytest.raises(MemoryFaultError, match="cannot be read"):
        read(address, (nbytes // 4,), trt.float32)


@pytest.mark.parametrize("count", [0, 1, 12, 1 << 15, 1 << 20])
@pytest.mark.parametrize("kernel", [True, False])
def test_what_is_written_is_read(monkeypatch, count, kernel):
    if not kernel:  # an operating system without such calls
        monkeypatch.setattr(memory, "_READ", (None, memory._READ[1]))
        monkeypatch.setattr(memory, "_WRITE", (None, memory._WRITE[1]))
    values, place = np.random.default_rng(0).normal(size=count).astype(np.float32), np.zeros(count, np.float32)
    for _ in range(2):
        write(place.ctypes.data, values)
        np.testing.assert_array_equal(read(place.ctypes.data, (count,), trt.float32), values)
        np.testing.assert_array_equal(place, values)
        place[:] = 0


def test_an_allocator_that_gives_no_memory_is_told(capsys):
    """Its address is held to what any other is; sizes that depend on values come with one."""

    class Allocator(trt.IOutputAllocator):
        def __init__(self, address):
            trt.IOutputAllocator.__init__(self)
            self.address = address

        def reallocate_output(self, tensor_name, memory, size, alignment):
            return self.address

        def notify_shape(self, tensor_name, shape):
            pass

    context = context_by_name()
    context.set_tensor_address("x", FLOATS.ctypes.data)
    for address in (8, FLOATS.ctypes.data + 1, 1 << 46, "x", FLOATS, 1.5):
        context.set_output_allocator("y", Allocator(address))
        assert not context.execute_async_v3(0)
        assert "output 'y'" in capsys.readouterr().err


@pytest.mark.parametrize("value", [3, "x", object()])
def test_what_is_no_allocator_is_refused(value):
    """As TensorRT's own setters do."""
    for holder in (trt.Runtime(trt.Logger()), trt.Builder(trt.Logger())):
        with pytest.raises(TypeError, match="gpu_allocator: .* is no IGpuAllocator"):
            holder.gpu_allocator = value
    context = context_by_name()
    with pytest.raises(TypeError, match="set_output_allocator: .* is no IOutputAllocator"):
        context.set_output_allocator("y", value)
    assert context.set_output_allocator("y", None)


@pytest.mark.parametrize("bindings", [8, {0: 8, 1: 8}, "88", iter([8, 8])])
def test_bindings_that_are_no_list_are_refused(context, bindings):
    with pytest.raises(TypeError, match="is no list of addresses, one for each input and output"):
        context.execute(1, bindings)
