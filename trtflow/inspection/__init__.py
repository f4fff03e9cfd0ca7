"""What is in a file that people have of TensorRT 8's time: a model in any form, an engine, a calibration table.

`describe` reads a file and returns a `Description`. Nothing is built or run. Shapes are those that the reference
runtime's parsers, ONNX, TensorFlow or Darknet's rules give; where they refuse a layer, what they say is a note, and
layers stand without shapes from there on.
"""

from trtflow.inspection.description import Blob, Description, Layer, Range, Tensor
from trtflow.inspection.forms import FORMS, describe

__all__ = ["FORMS", "Blob", "Description", "Layer", "Range", "Tensor", "describe"]
