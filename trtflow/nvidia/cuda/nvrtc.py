"""`cuda.nvrtc`: the compiler for kernels, which a CPU cannot answer."""

from trtflow.nvidia.cuda.calls import module_getattr

__getattr__ = module_getattr("cuda.nvrtc", "nvrtc")
