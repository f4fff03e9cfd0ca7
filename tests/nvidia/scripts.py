"""Small scripts in the idioms of public ones for TensorRT; the tests run them as they are."""

from __future__ import annotations

# PyCUDA, buffers in a class, execute_async_v2: the ways of NVIDIA's samples of 8.0 to 8.5
PYCUDA = """
import sys
import numpy as np
import pycuda.autoinit
import pycuda.driver as cuda
import tensorrt as trt

logger = trt.Logger(trt.Logger.WARNING)


class HostDeviceMem(object):
    def __init__(self, host_mem, device_mem):
        self.host = host_mem
        self.device = device_mem


def build_engine(path):
    with trt.Builder(logger) as builder, builder.create_network(
        1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH)
    ) as network, builder.create_builder_config() as config, trt.OnnxParser(network, logger) as parser:
        config.max_workspace_size = 1 << 28
        with open(path, "rb") as model:
            if not parser.parse(model.read()):
                for error in range(parser.num_errors):
                    print(parser.get_error(error))
                sys.exit(3)
        plan = builder.build_serialized_network(network, config)
    with open(sys.argv[2], "wb") as f:
        f.write(plan)


def allocate_buffers(engine):
    inputs, outputs, bindings, stream = [], [], [], cuda.Stream()
    for index in range(engine.num_bindings):
        size = trt.volume(engine.get_binding_shape(index)) * engine.max_batch_size
        host_mem = cuda.pagelocked_empty(size, trt.nptype(engine.get_binding_dtype(index)))
        device_mem = cuda.mem_alloc(host_mem.nbytes)
        bindings.append(int(device_mem))
        (inputs if engine.binding_is_input(index) else outputs).append(HostDeviceMem(host_mem, device_mem))
    return inputs, outputs, bindings, stream


if __name__ == "__main__":
    build_engine(sys.argv[1])
    with open(sys.argv[2], "rb") as f, trt.Runtime(logger) as runtime:
        engine = runtime.deserialize_cuda_engine(f.read())
    inputs, outputs, bindings, stream = allocate_buffers(engine)
    with engine.create_execution_context() as context:
        np.copyto(inputs[0].host, np.load(sys.argv[3]).ravel())
        [cuda.memcpy_htod_async(inp.device, inp.host, stream) for inp in inputs]
        context.execute_async_v2(bindings=bindings, stream_handle=stream.handle)
        [cuda.memcpy_dtoh_async(out.host, out.device, stream) for out in outputs]
        stream.synchronize()
    np.save(sys.argv[4], outputs[0].host)
"""

# cuda-python, tensors by name, execute_async_v3: the ways of 8.6
CUDA_PYTHON = """
import ctypes
import sys
import numpy as np
import tensorrt as trt
from cuda import cuda, cudart


def check(call):
    err, res = call[0], call[1:]
    if isinstance(err, cuda.CUresult) and err != cuda.CUresult.CUDA_SUCCESS:
        raise RuntimeError("Cuda Error: {}".format(err))
    if isinstance(err, cudart.cudaError_t) and err != cudart.cudaError_t.cudaSuccess:
        raise RuntimeError("Cuda Runtime Error: {}".format(err))
    return res[0] if len(res) == 1 else res


logger = trt.Logger(trt.Logger.ERROR)
builder = trt.Builder(logger)
network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
parser = trt.OnnxParser(network, logger)
assert parser.parse(open(sys.argv[1], "rb").read())
config = builder.create_builder_config()
config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, 1 << 28)
engine = trt.Runtime(logger).deserialize_cuda_engine(builder.build_serialized_network(network, config))
context = engine.create_execution_context()
stream = check(cudart.cudaStreamCreate())
hosts, devices = {}, {}
for index in range(engine.num_io_tensors):
    name = engine.get_tensor_name(index)
    dtype = np.dtype(trt.nptype(engine.get_tensor_dtype(name)))
    size = trt.volume(engine.get_tensor_shape(name))
    memory = check(cudart.cudaMallocHost(size * dtype.itemsize))
    pointer = ctypes.cast(memory, ctypes.POINTER(np.ctypeslib.as_ctypes_type(dtype)))
    hosts[name] = np.ctypeslib.as_array(pointer, (size,))
    devices[name] = check(cudart.cudaMalloc(size * dtype.itemsize))
    context.set_tensor_address(name, devices[name])
hosts["x"][:] = np.load(sys.argv[3]).ravel()
h2d, d2h = cudart.cudaMemcpyKind.cudaMemcpyHostToDevice, cudart.cudaMemcpyKind.cudaMemcpyDeviceToHost
check(cudart.cudaMemcpyAsync(devices["x"], hosts["x"], hosts["x"].nbytes, h2d, stream))
context.execute_async_v3(stream)
check(cudart.cudaMemcpyAsync(hosts["y"], devices["y"], hosts["y"].nbytes, d2h, stream))
check(cudart.cudaStreamSynchronize(stream))
np.save(sys.argv[4], hosts["y"])
for name in hosts:
    check(cudart.cudaFree(devices[name]))
    check(cudart.cudaFreeHost(hosts[name].ctypes.data))
check(cudart.cudaStreamDestroy(stream))
"""

# the builder's own settings, an implicit batch, execute_async: the ways of 2019
OF_2019 = """
import sys
import numpy as np
import pycuda.driver as cuda
import pycuda.autoinit
import tensorrt as trt

TRT_LOGGER = trt.Logger()
with trt.Builder(TRT_LOGGER) as builder, builder.create_network() as network, \\
        trt.OnnxParser(network, TRT_LOGGER) as parser:
    builder.max_workspace_size = 1 << 28
    builder.max_batch_size = 2
    builder.fp16_mode = False
    with open(sys.argv[1], "rb") as model:
        parser.parse(model.read())
    engine = builder.build_cuda_engine(network)
    with open(sys.argv[2], "wb") as f:
        f.write(engine.serialize())
values = np.load(sys.argv[3]).astype(np.float)
data = np.ascontiguousarray(values, dtype=np.float32)
out = np.empty([len(data), 3], dtype=np.float32)
d_input, d_output = cuda.mem_alloc(data.nbytes), cuda.mem_alloc(out.nbytes)
stream = cuda.Stream()
context = engine.create_execution_context()
cuda.memcpy_htod_async(d_input, data, stream)
context.execute_async(len(data), [int(d_input), int(d_output)], stream.handle, None)
cuda.memcpy_dtoh_async(out, d_output, stream)
stream.synchronize()
np.save(sys.argv[4], out)
"""
