"""From Darknet's `.cfg` and `.weights` to ONNX, with the names of the guide's yolov3_onnx (ch. 23)."""

from trtflow.converters.darknet.conversion import BATCH, INPUT, OPSET, convert

__all__ = ["BATCH", "INPUT", "OPSET", "convert"]
