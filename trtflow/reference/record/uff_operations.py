"""What UFF's operations become in a network, after NVIDIA's "UFF Operators": a small function each, in five modules."""

from trtflow.reference.record import uff_axes, uff_inputs, uff_windows  # noqa: F401 - register themselves
from trtflow.reference.record.uff_elements import ACTIVATIONS, BINARY, UNARY
from trtflow.reference.record.uff_plugins import add_plugin
from trtflow.reference.record.uff_registry import OPERATIONS

__all__ = ["ACTIVATIONS", "BINARY", "OPERATIONS", "UNARY", "add_plugin"]
