"""How operations of TensorFlow are written: one function a kind, in three modules that register them."""

from trtflow.converters.uff import axes, elements, windows

__all__ = ["axes", "elements", "windows"]
