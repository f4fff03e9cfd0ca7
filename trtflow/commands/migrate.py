"""Write a Caffe, UFF or TensorFlow model as plain ONNX, INT8 as Q/DQ from a calibration table, and check the result.

examples:
  trtflow migrate model.caffemodel    with model.prototxt beside it
  trtflow migrate model.caffemodel --deploy deploy.prototxt --table CalibrationTable --out model.int8.onnx
  trtflow migrate model.uff --output NMS
  trtflow migrate model.onnx --table CalibrationTable

A frozen graph (.pb) needs TensorFlow, and the check of a Caffe model OpenCV: pip install 'trtflow[migrate]'.
docs/migrate.md tells what is written and how it is checked.
"""

from trtflow.migration.command import add_options as add_arguments
from trtflow.migration.command import migrate as main

__all__ = ["add_arguments", "main"]
