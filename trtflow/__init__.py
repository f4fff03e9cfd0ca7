"""NVIDIA's TensorRT samples as one reproducible workflow."""

__version__ = "0.1.0"
