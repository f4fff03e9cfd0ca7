"""PyCUDA's names on the host: `import pycuda.driver as cuda` as scripts for TensorRT write it.

Device memory is memory of the process, streams have done what they are given when a call returns, and a context is
needed where PyCUDA needs one. Kernels cannot be compiled: what would is refused by name.
"""

VERSION = (2022, 2, 2)
VERSION_STATUS = ""
VERSION_TEXT = "2022.2.2"
