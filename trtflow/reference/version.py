"""The version of TensorRT whose API the reference runtime implements."""

__version__ = "8.6.0"
