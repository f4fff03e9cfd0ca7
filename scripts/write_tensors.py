"""List the tensors of a sample's network that INT8 needs a range of, as sampleINT8API's --write_tensors does.

python scripts/write_tensors.py --sample int8_api --export-dir results/int8_api/export \\
    --backend-file results/backend.json --out results/int8_api/tensors.txt
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.calibration.tensors import ranged_tensors
from trtflow.cli import parser
from trtflow.formats.checksums import verify_checksums
from trtflow.formats.files import write_text
from trtflow.runtime.backend import load_backend, read_backend
from trtflow.runtime.entry import create_builder
from trtflow.runtime.launch import run_on_backend
from trtflow.samples import definition
from trtflow.samples import load as load_sample


def main() -> None:
    """Read the command line, define the network, and write a line a tensor; nothing is built."""
    arguments = parser(__doc__)
    arguments.add_argument("--sample", required=True, help="name of the sample")
    arguments.add_argument("--export-dir", type=Path, required=True, help="folder of the exported model")
    arguments.add_argument("--backend-file", type=Path, required=True, help="results/backend.json")
    arguments.add_argument("--out", type=Path, required=True, help="text file to write")
    options = arguments.parse_args()

    verify_checksums(options.export_dir)
    trt, sample = load_backend(read_backend(options.backend_file)), load_sample(options.sample)
    explicit = getattr(sample, "EXPLICIT_BATCH", False)
    builder = create_builder(trt, trt.Logger(trt.Logger.WARNING))
    network = builder.create_network(int(explicit) << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
    definition(sample, options.export_dir, "fp32")(trt, network)
    write_text(options.out, "".join(f"TensorName: {tensor.name}\n" for tensor in ranged_tensors(trt, network)))


if __name__ == "__main__":
    run_on_backend(main)
