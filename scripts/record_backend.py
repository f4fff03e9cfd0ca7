"""Write down what engines depend on: runtime, version, device.

python scripts/record_backend.py --out results/backend.json
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.formats.files import write_json
from trtflow.runtime.backend import BACKENDS, describe


def main() -> None:
    """Read the command line and write the description."""
    arguments = parser(__doc__)
    arguments.add_argument("--backend", choices=BACKENDS, default="reference", help="implementation of TensorRT's API")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    options = arguments.parse_args()
    write_json(options.out, describe(options.backend))


if __name__ == "__main__":
    run(main)
