"""From TensorFlow's frozen graphs to UFF, as NVIDIA's `uff` did for TensorFlow 1 (guide chapters 4, 13, 19, 22)."""

from trtflow.converters.uff.convert import from_tensorflow, from_tensorflow_frozen_model

__all__ = ["from_tensorflow", "from_tensorflow_frozen_model"]
