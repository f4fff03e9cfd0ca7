"""Take published files as what an engine is built from, with checksums; of pictures, with the side of the input too.

python scripts/take_model.py model.onnx=results/onnx_mnist/artefacts/model.onnx --out-dir results/onnx_mnist/export
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.formats import UserError
from trtflow.formats.checksums import write_checksums
from trtflow.formats.files import copy_file
from trtflow.models import input_size


def named(text: str) -> tuple[str, Path]:
    """Return NAME and FILE of NAME=FILE."""
    name, equals, path = text.partition("=")
    if not (name and equals and path) or "/" in name:
        raise UserError(f"{text!r} is not NAME=FILE, where NAME is what it is called in --out-dir.")
    return name, Path(path)


def main() -> None:
    """Read the command line, copy, and write checksums."""
    arguments = parser(__doc__)
    arguments.add_argument("files", nargs="+", metavar="NAME=FILE", help="files to take, and what to call them")
    arguments.add_argument("--size", type=int, help="side of the network's input, pixels, to write down")
    arguments.add_argument("--out-dir", type=Path, required=True, help="folder to write")
    options = arguments.parse_args()

    files = dict(named(text) for text in options.files)
    for name, path in files.items():
        copy_file(path, options.out_dir / name)
    if options.size is not None:
        input_size.write_input_size(options.out_dir, options.size)
    write_checksums(options.out_dir, list(files))


if __name__ == "__main__":
    run(main)
