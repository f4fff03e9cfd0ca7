"""Copy a downloaded file, or one of an unpacked archive, to where a sample wants it.

python scripts/place_artefact.py --source results/downloads/char_rnn/vocab.json \\
    --out results/char_rnn/artefacts/vocab.json
python scripts/place_artefact.py --source results/unpacked/nmt/sampleNMT_data.tar.bz2 --member vocab.bpe.32000.de \\
    --md5 c1d0ca6d4994c75574f28df7c9e8253f --out results/nmt/artefacts/vocab.de
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.datasets.archives import find_member
from trtflow.formats import FormatError
from trtflow.formats.files import copy_file, md5_of


def main() -> None:
    """Read the command line, check and copy."""
    arguments = parser(__doc__)
    arguments.add_argument("--source", type=Path, required=True, help="the file, or the folder of its archive")
    arguments.add_argument("--member", help="end of its path in that folder")
    arguments.add_argument("--md5", help="checksum that a member must have, where one was published")
    arguments.add_argument("--out", type=Path, required=True, help="file to write")
    options = arguments.parse_args()

    source = find_member(options.source, options.member) if options.member else options.source
    if options.md5 and (found := md5_of(source)) != options.md5:
        raise FormatError(source, f"its MD5 is {found}, not {options.md5}", "Fetch the archive again.")
    copy_file(source, options.out)


if __name__ == "__main__":
    run(main)
