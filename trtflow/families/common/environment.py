"""TensorFlow's environment, which it reads when it is loaded: import this before it."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # no notes on CPU instructions
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # the same results on every processor
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
