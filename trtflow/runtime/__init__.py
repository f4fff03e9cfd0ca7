"""Runs engines on TensorRT's API, whichever implementation answers it."""
