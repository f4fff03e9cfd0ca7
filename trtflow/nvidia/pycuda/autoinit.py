"""`import pycuda.autoinit`: start the driver and make a context for this thread."""

from trtflow.nvidia.pycuda.contexts import init
from trtflow.nvidia.pycuda.tools import make_default_context

init()
context = make_default_context()
device = context.get_device()
