"""How operations of TensorFlow are written: one function a kind, in five modules that register them."""

from trtflow.converters.uff import axes, dense, elements, slices, windows

__all__ = ["axes", "dense", "elements", "slices", "windows"]
