"""Take a published file from a mirror, and refuse any that is not the one that is meant.

python scripts/fetch_artefact.py --mirror /data/trtflow --file char_rnn/vocab.json \\
    --sha256 a3de99cbc0503b65f7f6999aaf17fb1263e0433650ee18cb2ebe76dacc6dccbc \\
    --out results/char_rnn/artefacts/vocab.json
"""

import shutil
from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.formats import FormatError, UserError
from trtflow.formats.files import atomic_path, md5_of, sha256_of

DIGESTS = {"SHA-256": sha256_of, "MD5": md5_of}


def main() -> None:
    """Read the command line, check and copy."""
    arguments = parser(__doc__)
    arguments.add_argument("--mirror", type=Path, help="folder with the published files")
    arguments.add_argument("--file", required=True, help="the file's path in it")
    checksum = arguments.add_mutually_exclusive_group()
    checksum.add_argument("--sha256", help="checksum that it must have")
    checksum.add_argument("--md5", help="the same, where that is what was published")
    arguments.add_argument("--out", type=Path, required=True, help="file to write")
    options = arguments.parse_args()

    if options.mirror is None:
        raise UserError(
            f"{options.file} is a published file. Set mirror in config/config.yaml to a folder that has it."
        )
    source = options.mirror / options.file
    if not source.exists():
        raise FormatError(source, "the mirror has no such file", "Put it there, or set mirror to another folder.")
    with atomic_path(options.out) as temporary:
        shutil.copyfile(source, temporary)
        for name, wanted in (("SHA-256", options.sha256), ("MD5", options.md5)):
            if wanted and (found := DIGESTS[name](temporary)) != wanted:
                raise FormatError(source, f"its {name} is {found}, not {wanted}", "Fetch it again.")


if __name__ == "__main__":
    run(main)
