"""Lay out sampleNMT's published files as the engines' steps want them, with what the engines are built for.

python scripts/collect_nmt.py --artefacts results/nmt/artefacts --beam 5 --max-input-sequence-length 150 \\
    --data-dir results/nmt/data --export-dir results/nmt/export
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.datasets.translation import SOURCE, TARGET
from trtflow.formats.files import copy_file, write_json
from trtflow.formats.nmt_weights import FILES


def main() -> None:
    """Read the command line, copy the files and write the settings."""
    arguments = parser(__doc__)
    arguments.add_argument("--artefacts", type=Path, required=True, help="folder of the published files")
    arguments.add_argument("--beam", type=int, default=5, help="beam width")
    arguments.add_argument("--max-input-sequence-length", type=int, default=150, help="most words of a sentence")
    arguments.add_argument("--data-dir", type=Path, required=True, help="folder for the sentences")
    arguments.add_argument("--export-dir", type=Path, required=True, help="folder for vocabularies and weights")
    options = arguments.parse_args()

    places = {f"val.{language}": options.data_dir for language in (SOURCE, TARGET)}
    names = [*(f"vocab.{language}" for language in (SOURCE, TARGET)), *(f"{name}.bin" for name in FILES)]
    for name, folder in {**places, **dict.fromkeys(names, options.export_dir)}.items():
        copy_file(options.artefacts / name, folder / name)
    settings = {"beam": options.beam, "max_input_sequence_length": options.max_input_sequence_length}
    write_json(options.export_dir / "inference.json", settings)


if __name__ == "__main__":
    run(main)
