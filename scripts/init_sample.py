"""Write the YAML file of a sample for a model of your own: `trtflow init`, from a checkout.

python scripts/init_sample.py model.onnx --data pictures
"""

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.commands.init import add_arguments
from trtflow.commands.init import main as init_sample


def main() -> None:
    """Read the command line and write the file."""
    arguments = parser(__doc__)
    add_arguments(arguments)
    init_sample(arguments.parse_args())


if __name__ == "__main__":
    run(main, trace=False)  # for people: what is wrong is a line
