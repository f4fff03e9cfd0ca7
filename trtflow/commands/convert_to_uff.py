"""Convert a frozen TensorFlow graph to UFF, with the options of NVIDIA's convert-to-uff.

examples:
  trtflow convert-to-uff frozen.pb -O out -o model.uff
  trtflow convert-to-uff frozen.pb --list-nodes
  trtflow convert-to-uff frozen.pb -O NMS -p config.py    with plugins in place of namespaces

Needs TensorFlow: pip install 'trtflow[tensorflow]'. docs/uff.md tells what UFF can say.
"""

from trtflow.converters.uff.command import add_arguments
from trtflow.converters.uff.command import convert as main

__all__ = ["add_arguments", "main"]
