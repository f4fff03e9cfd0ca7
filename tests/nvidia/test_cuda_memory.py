"""Memory, streams and events of the stand-ins for PyCUDA and cuda-python, held against NumPy and CUDA's own rules."""

from __future__ import annotations

import ctypes
import mmap
import threading
from collections.abc import Callable

import numpy as np
import pytest

from trtflow.nvidia import nvidia_names
from trtflow.nvidia.cuda import cuda as driver
from trtflow.nvidia.cuda import cudart
from trtflow.nvidia.host import MEMORY, AddressError, Memory, copy
from trtflow.nvidia.pycuda import autoinit, compiler, gpuarray, tools
from trtflow.nvidia.pycuda import driver as cuda

VALUES = np.arange(12, dtype=np.float32).reshape(3, 4)
SUCCESS, INVALID = cudart.cudaError_t.cudaSuccess, cudart.cudaError_t.cudaErrorInvalidValue
TO_DEVICE = cudart.cudaMemcpyKind.cudaMemcpyHostToDevice
TO_HOST = cudart.cudaMemcpyKind.cudaMemcpyDeviceToHost


def test_copies_there_and_back() -> None:
    memory = cuda.mem_alloc(VALUES.nbytes)
    stream = cuda.Stream()
    cuda.memcpy_htod_async(memory, VALUES, stream)
    found = cuda.pagelocked_empty(12, np.float32)
    cuda.memcpy_dtoh_async(found, memory, stream)
    stream.synchronize()
    assert np.array_equal(found, VALUES.ravel())
    part = np.empty(4, np.float32)
    cuda.memcpy_dtoh(part, int(memory) + 16)  # an address within
    assert np.array_equal(part, VALUES[1])


def test_memory_like_an_array_has_its_size() -> None:
    memory = cuda.mem_alloc_like(VALUES)
    cuda.memcpy_htod(memory, VALUES)
    assert np.array_equal(cuda.from_device_like(memory, VALUES), VALUES)
    with pytest.raises(cuda.LogicError, match=f"{VALUES.nbytes} are left"):
        cuda.memcpy_htod(memory, np.concatenate([VALUES, VALUES]))


def test_errors_have_cudas_names_and_texts() -> None:
    code = cudart.cudaError_t.cudaErrorInvalidValue
    assert cudart.cudaGetErrorName(code)[1] == b"cudaErrorInvalidValue"
    assert cudart.cudaGetErrorString(code)[1] == b"invalid argument"
    assert driver.cuGetErrorString(driver.CUresult.CUDA_ERROR_INVALID_CONTEXT)[1] == b"invalid device context"
    for answer in (*map(cudart.cudaGetErrorString, cudart.cudaError_t), *map(driver.cuGetErrorString, driver.CUresult)):
        assert answer[0] == 0
        assert b" " in answer[1]


def test_device_addresses_are_real() -> None:
    memory = cuda.to_device(VALUES)
    assert np.array_equal((ctypes.c_float * 12).from_address(int(memory)), VALUES.ravel())
    assert int(memory) % 256 == 0


def test_a_copy_beyond_an_allocation_is_an_error_that_says_how_much_there_is() -> None:
    memory = cuda.mem_alloc(40)
    with pytest.raises(cuda.LogicError, match="48 bytes, but only 40 are left of device memory of 40 bytes"):
        cuda.memcpy_htod(memory, VALUES)
    with pytest.raises(cuda.LogicError, match="only 24 are left"):
        cuda.memcpy_dtoh(np.empty(12, np.float32), int(memory) + 16)
    with pytest.raises(cuda.LogicError, match="nothing is allocated at 0x10"):
        cuda.memcpy_dtoh(np.empty(1, np.float32), 16)


def test_freed_memory_is_an_error_until_long_after() -> None:
    memory = cuda.mem_alloc(4096)
    address = int(memory)
    memory.free()
    later = [cuda.mem_alloc(4096) for _ in range(20)]
    assert address not in map(int, later)
    with pytest.raises(cuda.LogicError, match="was freed"):
        cuda.memcpy_htod(address, VALUES)
    with pytest.raises(cuda.LogicError, match="was freed"):
        int(memory)
    with pytest.raises(cuda.LogicError, match="was freed"):
        memory.free()


def test_an_allocation_goes_with_its_last_holder() -> None:
    before = MEMORY.used
    address = int(cuda.mem_alloc(1 << 20))
    assert MEMORY.used == before
    with pytest.raises(AddressError, match="freed; keep it until its last use"):
        MEMORY.guard(address, 4)


def test_more_than_the_machine_has() -> None:
    with pytest.raises(cuda.MemoryError, match="out of memory"):
        cuda.mem_alloc(1 << 60)
    assert cudart.cudaMalloc(1 << 60)[0] == cudart.cudaError_t.cudaErrorMemoryAllocation


def test_strided_arrays_are_refused_and_readonly_bytes_taken() -> None:
    memory = cuda.mem_alloc(64)
    with pytest.raises(ValueError, match="ascontiguousarray"):
        cuda.memcpy_htod(memory, VALUES[:, ::2])
    cuda.memcpy_htod(memory, b"abcd")
    found = bytearray(4)
    cuda.memcpy_dtoh(found, memory)
    assert found == b"abcd"
    with pytest.raises(TypeError, match="cannot be written"):
        cuda.memcpy_dtoh(b"abcd", memory)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(), 5, (2, 3), (0, 3), (2, 3, 4)])
def test_pagelocked_arrays_are_laid_out_as_numpys(shape: tuple[int, ...], order: str) -> None:
    found, expected = cuda.pagelocked_empty(shape, np.int16, order), np.empty(shape, np.int16, order)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    if expected.size:
        assert found.strides == expected.strides
    assert isinstance(found.base, cuda.PagelockedHostAllocation)
    found[...] = 7
    assert found.sum() == 7 * expected.size


def test_a_thread_without_context_is_told_so() -> None:
    said: list[BaseException] = []

    def work() -> None:
        try:
            cuda.mem_alloc(4)
        except cuda.LogicError as error:
            said.append(error)
        context = cuda.Device(0).make_context()
        cuda.mem_alloc(4)
        context.pop()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert "no currently active context" in str(said[0])
    assert "pycuda.autoinit" in str(said[0])
    assert cuda.Context.get_current() is not None, autoinit.context


def test_a_detached_context_is_one_no_longer() -> None:
    context = cuda.Device(0).make_context()
    context.detach()
    with pytest.raises(cuda.LogicError, match="detached"):
        context.push()


def test_events_measure_and_must_be_recorded() -> None:
    start, end = cuda.Event(), cuda.Event()
    start.record()
    with pytest.raises(cuda.LogicError, match="not recorded"):
        end.time_since(start)
    end.record(cuda.Stream())
    end.synchronize()
    assert 0 <= start.time_till(end) < 10_000


def test_fills_are_numpys() -> None:
    memory = cuda.mem_alloc(64)
    for width, fill in ((1, cuda.memset_d8), (2, cuda.memset_d16), (4, cuda.memset_d32)):
        fill(memory, 0x01020304 & ((1 << 8 * width) - 1), 8)
        found = cuda.from_device(memory, 8, f"u{width}")
        assert np.array_equal(found, np.full(8, 0x01020304 & ((1 << 8 * width) - 1), f"u{width}"))


def test_kernels_are_refused_by_name() -> None:
    for call in (
        lambda: compiler.SourceModule("__global__ void f() {}"),
        lambda: compiler.compile(""),
        lambda: cuda.module_from_file("a.cubin"),
        lambda: cuda.In(VALUES),
    ):
        with pytest.raises(cuda.CompileError, match="cannot run on a CPU"):
            call()
    with pytest.raises(AttributeError, match=r"pycuda.driver.TextureReference is not answered"):
        cuda.TextureReference  # noqa: B018
    with nvidia_names(), pytest.raises(ModuleNotFoundError, match=r"pycuda.elementwise.* needs kernels"):
        import pycuda.elementwise  # noqa: F401, PLC0415


def test_arrays_of_the_device_compute_as_numpy() -> None:
    array = gpuarray.to_gpu(VALUES)
    assert np.array_equal((2 * array + array).get(), 3 * VALUES)
    assert np.array_equal(array[1].get(), VALUES[1])
    assert np.array_equal(array.reshape(4, 3).get(), VALUES.reshape(4, 3))
    assert gpuarray.sum(array).get() == VALUES.sum()
    assert gpuarray.dot(array, array).get() == (VALUES**2).sum()
    array += 1
    found = np.empty_like(VALUES)
    cuda.memcpy_dtoh(found, array.gpudata)
    assert np.array_equal(found, VALUES + 1)
    array.reshape(-1)[3:5].fill(0)
    assert np.array_equal(array.get().ravel()[2:6], [3, 0, 0, 6])
    with pytest.raises(ValueError, match="of float64"):
        array.set(np.zeros(12))
    assert tools.DeviceMemoryPool().allocate(8)


def test_cudart_answers_codes_and_values(capsys: pytest.CaptureFixture[str]) -> None:
    status, address = cudart.cudaMalloc(VALUES.nbytes)
    assert status == SUCCESS
    assert cudart.cudaMemcpy(address, VALUES, VALUES.nbytes, TO_DEVICE) == (SUCCESS,)
    found = np.zeros_like(VALUES)
    stream = cudart.cudaStreamCreate()[1]
    assert cudart.cudaMemcpyAsync(found.ctypes.data, address, found.nbytes, TO_HOST, stream) == (SUCCESS,)
    assert np.array_equal(found, VALUES)
    assert cudart.cudaMemcpy(found[0], address, found.nbytes, TO_HOST) == (INVALID,)
    assert "the array on the host has 16" in capsys.readouterr().err
    assert cudart.cudaFree(address) == (SUCCESS,)
    assert cudart.cudaFree(address) == (INVALID,)
    assert "was freed" in capsys.readouterr().err
    assert cudart.cudaFree(0) == (SUCCESS,)
    assert cudart.cudaStreamDestroy(stream) == (SUCCESS,)
    assert cudart.cudaStreamSynchronize(stream)[0] == cudart.cudaError_t.cudaErrorInvalidResourceHandle
    assert cudart.cudaGetErrorName(cudart.cudaError_t(1)) == (SUCCESS, b"cudaErrorInvalidValue")
    assert cudart.cudaSetDevice(3)[0] == cudart.cudaError_t.cudaErrorInvalidDevice


def test_rows_are_copied_at_their_pitch() -> None:
    address = cudart.cudaMalloc(3 * 32)[1]
    assert cudart.cudaMemset(address, 0xFF, 96) == (SUCCESS,)
    assert cudart.cudaMemcpy2D(address, 32, VALUES, 16, 16, 3, TO_DEVICE) == (SUCCESS,)
    found = np.empty((3, 8), np.float32)
    assert cudart.cudaMemcpy(found, address, 96, TO_HOST) == (SUCCESS,)
    assert np.array_equal(found[:, :4], VALUES)
    assert np.isnan(found[:, 4:]).all()
    assert cudart.cudaMemcpy2D(address, 32, VALUES, 16, 16, 4, TO_DEVICE) == (INVALID,)


def test_the_driver_interface() -> None:
    assert driver.cuInit(0) == (driver.CUresult.CUDA_SUCCESS,)
    device = driver.cuDeviceGet(0)[1]
    assert driver.cuCtxCreate(0, device)[0] == driver.CUresult.CUDA_SUCCESS
    pointer = driver.cuMemAlloc(VALUES.nbytes)[1]
    assert isinstance(pointer, driver.CUdeviceptr)
    driver.cuMemcpyHtoD(pointer, VALUES.ctypes.data, VALUES.nbytes)
    found = np.zeros_like(VALUES)
    assert driver.cuMemcpyDtoHAsync(found, pointer, found.nbytes, 0) == (driver.CUresult.CUDA_SUCCESS,)
    assert np.array_equal(found, VALUES)
    assert driver.cuModuleLoadData(b"")[0] == driver.CUresult.CUDA_ERROR_NOT_SUPPORTED
    with pytest.raises(AttributeError, match=r"cuda.cuda.cuTexRefCreate is not answered"):
        driver.cuTexRefCreate  # noqa: B018


def test_the_runtime_library_by_ctypes() -> None:
    with nvidia_names():
        library = ctypes.CDLL("/usr/local/cuda/lib64/libcudart.so.12")
        pointer = ctypes.c_void_p()
        assert library.cudaMalloc(ctypes.byref(pointer), ctypes.c_size_t(VALUES.nbytes)) == 0
        source = ctypes.c_void_p(VALUES.ctypes.data)
        assert library.cudaMemcpy(pointer, source, ctypes.c_size_t(VALUES.nbytes), ctypes.c_int(1)) == 0
        found = np.zeros_like(VALUES)
        target = ctypes.c_void_p(found.ctypes.data)
        assert library.cudaMemcpy(target, pointer, ctypes.c_size_t(found.nbytes), ctypes.c_int(2)) == 0
        assert np.array_equal(found, VALUES)
        assert library.cudaFree(pointer) == 0
        assert library.cudaFree(pointer) == 1
        assert library.cudaGetErrorString(1) == b"invalid argument"
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        assert library.cudaMemGetInfo(ctypes.byref(free), ctypes.byref(total)) == 0
        assert 0 < free.value <= total.value
        assert ctypes.cdll.LoadLibrary("libnvinfer.so.8").getInferLibVersion() == 8600
        with pytest.raises(AttributeError, match="cudaGraphLaunch"):
            library.cudaGraphLaunch  # noqa: B018
    assert ctypes.CDLL(None).getpid() > 0


def test_addresses_of_others_are_let_through() -> None:
    memory = Memory()
    array = np.zeros(4, np.float32)
    memory.guard(array.ctypes.data, array.nbytes)
    with pytest.raises(AddressError, match="no address was given"):
        memory.require(0, 4, "a copy")


READ_ONLY = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ)
NOWHERE = (0, 16, 1 << 46, 1 << 70, int(np.frombuffer(READ_ONLY, np.uint8).ctypes.data))


@pytest.mark.parametrize("address", NOWHERE, ids=["null", "page 0", "beyond", "no address", "read-only"])
def test_an_address_of_the_host_that_lies_nowhere_ends_in_a_code(address: int, capsys) -> None:
    """A processor would end the process."""
    memory = cuda.mem_alloc(8)
    assert cudart.cudaMemcpy(address, int(memory), 8, TO_HOST)[0] == INVALID
    assert driver.cuMemcpyDtoH(address, int(memory), 8)[0] == driver.CUresult.CUDA_ERROR_INVALID_VALUE
    if address != NOWHERE[-1]:  # which may be read
        assert cudart.cudaMemcpy(int(memory), address, 8, TO_DEVICE)[0] == INVALID
    assert "cudaMemcpy: copy: " in capsys.readouterr().err


def test_a_copy_from_memory_of_the_host_that_ends_too_soon() -> None:
    """A page is there, and behind it none that may be read."""
    pages = mmap.mmap(-1, 2 * mmap.PAGESIZE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    libc = ctypes.CDLL(None)
    behind = ctypes.c_void_p(start + mmap.PAGESIZE)
    assert libc.mprotect(behind, ctypes.c_size_t(mmap.PAGESIZE), 0) == 0
    memory = cuda.mem_alloc(2 * mmap.PAGESIZE)
    copy(int(memory), start, mmap.PAGESIZE)
    with pytest.raises(AddressError, match=f"byte {mmap.PAGESIZE} of {2 * mmap.PAGESIZE}"):
        copy(int(memory), start, 2 * mmap.PAGESIZE)
    assert libc.mprotect(behind, ctypes.c_size_t(mmap.PAGESIZE), 3) == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda memory: cuda.memcpy_dtod(memory, memory, -4),
        lambda memory: cuda.memset_d8(memory, 0, -1),
        lambda memory: cuda.memset_d32(memory, 0, -1),
        lambda memory: memory.as_buffer(-1),
    ],
)
def test_fewer_bytes_than_none_are_refused(call: Callable[[cuda.DeviceAllocation], object]) -> None:
    with pytest.raises(cuda.LogicError, match="-[14] bytes"):
        call(cuda.mem_alloc(16))


def test_fewer_bytes_than_none_have_a_code() -> None:
    address, array = int(cuda.mem_alloc(16)), VALUES.ctypes.data
    assert cudart.cudaMemset(0, 0, -1)[0] == INVALID
    assert cudart.cudaMemcpy(address, array, -4, TO_DEVICE)[0] == INVALID
    assert driver.cuMemcpyHtoD(address, array, -4)[0] == driver.CUresult.CUDA_ERROR_INVALID_VALUE
    for pitches, width, height in (((4, 4), -4, 2), ((4, 4), 4, -2), ((-4, 4), 4, 2), ((2, 4), 4, 2)):
        found = cudart.cudaMemcpy2D(address, pitches[0], array, pitches[1], width, height, TO_DEVICE)
        assert found[0] == cudart.cudaError_t.cudaErrorInvalidPitchValue


@pytest.mark.parametrize("shift", [4, -4])
def test_ranges_that_overlap_are_copied_as_if_they_did_not(shift: int) -> None:
    values = np.arange(1 << 16, dtype=np.int32)
    memory, count = cuda.to_device(values), values.nbytes - 4
    start = int(memory)
    cuda.memcpy_dtod(start + max(shift, 0), start + max(-shift, 0), count)
    found = cuda.from_device_like(memory, values)
    wanted = values.copy()
    if shift > 0:
        wanted[1:] = values[:-1]
    else:
        wanted[:-1] = values[1:]
    np.testing.assert_array_equal(found, wanted)
