"""`import pycuda.autoprimaryctx`: start the driver and take the primary context for this thread."""

from trtflow.nvidia.pycuda.contexts import Context, Device, init
from trtflow.nvidia.pycuda.tools import make_default_context


def _retain(device: Device) -> Context:
    context = device.retain_primary_context()
    context.push()
    return context


init()
context = make_default_context(_retain)
device = context.get_device()
