"""Unpack a published archive into a folder that nothing in it can leave.

python scripts/unpack_artefact.py --archive results/downloads/nmt/sampleNMT_data.tar.bz2 \\
    --max-bytes 2000000000 --max-files 1000 --out results/unpacked/nmt/sampleNMT_data.tar.bz2
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.datasets.archives import unpack


def main() -> None:
    """Read the command line and unpack."""
    arguments = parser(__doc__)
    arguments.add_argument("--archive", type=Path, required=True, help="zip, tar, tar.gz, tar.bz2 or tar.xz")
    arguments.add_argument("--max-bytes", type=int, required=True, help="most bytes that its files may have together")
    arguments.add_argument("--max-files", type=int, required=True, help="most files and folders")
    arguments.add_argument("--out", type=Path, required=True, help="folder to write")
    options = arguments.parse_args()
    unpack(options.archive, options.out, options.max_bytes, options.max_files)


if __name__ == "__main__":
    run(main)
