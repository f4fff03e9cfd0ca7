"""List files, and those of folders, with their checksums, as sha256sum does: one file in place of thousands.

python scripts/list_files.py my/pictures/val --out val.sha256
python scripts/list_files.py VOC2012/Annotations --list VOC2012/ImageSets/Main/val.txt --folder VOC2012/JPEGImages \\
    --out val.sha256
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.datasets.labelled.lists import pictures_of
from trtflow.formats import UserError
from trtflow.formats.files import sha256_of, write_text


def files_of(place: Path) -> list[Path]:
    """Return a file, or all files in a folder and below.

    Raises:
        UserError: it is neither, or an empty folder.
    """
    files = sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]
    if not files:
        raise UserError(f"{place}: an empty folder. Put the files there, or correct the path.")
    return files


def main() -> None:
    """Read the command line and write the list."""
    arguments = parser(__doc__)
    arguments.add_argument("places", nargs="*", type=Path, help="files and folders")
    arguments.add_argument("--list", type=Path, help="list of pictures (.txt, COCO's .json): it, and what it names")
    arguments.add_argument("--folder", type=Path, help="that the names of the list start from; default: its own")
    arguments.add_argument("--out", type=Path, required=True, help="file to write: a checksum and a name a line")
    options = arguments.parse_args()

    files = [file for place in options.places for file in files_of(place)]
    if options.list:
        files += [options.list, *pictures_of(options.list, options.folder).paths]
    if not files:
        arguments.error("nothing to list: name files, folders, or --list")
    write_text(options.out, "".join(f"{sha256_of(file)}  {file}\n" for file in files))


if __name__ == "__main__":
    run(main)
