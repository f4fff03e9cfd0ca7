"""NVIDIA's Python packages by their own names, answered on a CPU: scripts for TensorRT run as they are.

    with trtflow.nvidia_names():
        import tensorrt, pycuda.driver

`trtflow run SCRIPT.py` and the pytest plugin `trtflow.nvidia.pytest_plugin` do the same for a script and for tests.
"""

from trtflow.nvidia.names import Names, nvidia_names

__all__ = ["Names", "nvidia_names"]
