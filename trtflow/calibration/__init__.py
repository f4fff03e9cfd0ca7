"""INT8 calibration: batches from files, and calibrators that serve them to TensorRT."""
