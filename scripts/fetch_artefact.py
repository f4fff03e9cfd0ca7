"""Download a published file, and refuse any that is not the one that is meant.

python scripts/fetch_artefact.py --file char_rnn/vocab.json --out results/downloads/char_rnn/vocab.json
python scripts/fetch_artefact.py --file char_rnn/vocab.json --mirror /data/trtflow --out vocab.json
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.datasets.downloads import Patience, fetch, read_artefact

DOWNLOADS = Path(__file__).resolve().parents[1] / "config" / "downloads.yaml"


def main() -> None:
    """Read the command line and download."""
    arguments = parser(__doc__)
    arguments.add_argument("--downloads", type=Path, default=DOWNLOADS, help="where each file is published")
    arguments.add_argument("--file", required=True, help="its name there, and its path in a mirror")
    arguments.add_argument("--mirror", default="", help="folder or address that is tried first")
    arguments.add_argument("--attempts", type=int, default=4, help="tries in a row that may bring nothing new")
    arguments.add_argument("--timeout", type=float, default=30, help="seconds without a byte that end a try")
    arguments.add_argument("--out", type=Path, required=True, help="file to write")
    options = arguments.parse_args()
    artefact = read_artefact(options.downloads, options.file)
    fetch(artefact, options.out, options.mirror, Patience(options.attempts, options.timeout))


if __name__ == "__main__":
    run(main)
