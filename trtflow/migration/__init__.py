"""Out of TensorRT 8: Caffe models, UFF and frozen TensorFlow graphs to plain ONNX, calibration tables to Q/DQ."""
