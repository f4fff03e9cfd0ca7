"""Draw what the engine of a character model wrote behind each seed, as text and as a picture.

python scripts/draw_text.py --predictions results/char_rnn/predictions.fp32.npz \\
    --framework results/char_rnn/model/predictions.npz --vocabulary results/char_rnn/export/vocab.json \\
    --seeds "The " --out results/char_rnn/figures/generated.png --text-out results/char_rnn/figures/generated.txt
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.datasets.characters import decode, read_vocabulary
from trtflow.formats.arrays import read_arrays
from trtflow.formats.files import write_text
from trtflow.reporting.text import rendering, write_text_figure


def main() -> None:
    """Read the command line, write the text, draw the picture."""
    arguments = parser(__doc__)
    arguments.add_argument("--predictions", type=Path, required=True, help="npz file of generate.py")
    arguments.add_argument("--framework", type=Path, required=True, help="npz file of predict_char_rnn.py")
    arguments.add_argument("--vocabulary", type=Path, required=True, help="JSON file of make_text.py")
    arguments.add_argument("--seeds", nargs="+", required=True, help="beginnings that were written on from")
    arguments.add_argument("--out", type=Path, required=True, help="PNG file to write")
    arguments.add_argument("--text-out", type=Path, required=True, help="text file to write")
    options = arguments.parse_args()

    vocabulary = read_vocabulary(options.vocabulary)
    written, wanted = (
        [decode(row, vocabulary) for row in read_arrays(path, "generated")[0]]
        for path in (options.predictions, options.framework)
    )
    write_text(options.text_out, rendering(options.seeds, written))
    write_text_figure(options.out, options.seeds, written, wanted)


if __name__ == "__main__":
    run(main)
