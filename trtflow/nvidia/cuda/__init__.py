"""cuda-python on the host: `from cuda import cudart`, `from cuda import cuda`, `from cuda.bindings import runtime`.

Each function returns a tuple that begins with CUDA's error code, as cuda-python's do; what was wrong is also said on
standard error, since a code alone does not tell.
"""
