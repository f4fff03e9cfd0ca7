"""Write down what engines depend on: runtime, version, device.

python scripts/record_backend.py --out results/backend.json
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.formats.files import write_json
from trtflow.runtime.backend import CHOICES, PROVIDERS, describe


def main() -> None:
    """Read the command line and write the description."""
    arguments = parser(__doc__)
    arguments.add_argument("--backend", choices=CHOICES, default="auto", help="implementation of TensorRT's API")
    arguments.add_argument("--engine-python", default="python3.10", help="the Python that has TensorRT")
    arguments.add_argument(
        "--beyond-tensorrt", action="store_true", help="have the reference run operators of ONNX that TensorRT refuses"
    )
    arguments.add_argument(
        "--provider", choices=PROVIDERS, default=PROVIDERS[0], help="what the reference runs networks in"
    )
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    options = arguments.parse_args()
    backend = describe(options.backend, options.engine_python, options.beyond_tensorrt, options.provider)
    print(f"backend {backend['name']}: {backend['version']} on {backend['device']}")
    if "why" in backend:
        print(f"not TensorRT, because: {backend['why']}")
    write_json(options.out, backend)


if __name__ == "__main__":
    run(main)
