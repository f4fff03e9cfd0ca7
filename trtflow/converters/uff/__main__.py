"""Convert a frozen TensorFlow graph to UFF, with the options of NVIDIA's convert-to-uff.

examples:
  convert-to-uff frozen.pb -O out -o model.uff
  convert-to-uff frozen.pb --list-nodes
  convert-to-uff frozen.pb -O NMS -p config.py    with plugins in place of namespaces
"""

from trtflow.cli import run
from trtflow.converters.uff.command import main as convert


def main() -> None:
    """Run the command, as convert-to-uff does once the package is installed."""
    run(lambda: convert(__doc__ or ""))


if __name__ == "__main__":
    main()
