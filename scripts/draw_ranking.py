"""Write the answers of a recommender's engine as the guide's sample prints them, and plot how good they are.

python scripts/draw_ranking.py --predictions results/movielens/predictions.fp32.npz \\
    --out results/movielens/figures/ranking.png --all-out results/movielens/recommendations.txt \\
    --text-out results/movielens/figures/recommendations.txt
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.formats.arrays import read_arrays
from trtflow.formats.files import write_text
from trtflow.reporting.recommendations import rendering, write_ranking


def main() -> None:
    """Read the command line, write the texts, draw the plot."""
    arguments = parser(__doc__)
    arguments.add_argument("--predictions", type=Path, required=True, help="npz file of recommend.py or serve.py")
    arguments.add_argument("--count", type=int, default=50, help="users of the short text, which goes into the report")
    arguments.add_argument("--out", type=Path, required=True, help="PNG file to write")
    arguments.add_argument("--text-out", type=Path, required=True, help="text file of the first users to write")
    arguments.add_argument("--all-out", type=Path, required=True, help="text file of all users to write")
    options = arguments.parse_args()

    names = ("users", "choices", "best", "best_probabilities")
    users, *answers = read_arrays(options.predictions, *names)
    texts = rendering(users, *answers)
    write_text(options.all_out, "".join(texts))
    write_text(options.text_out, "".join(texts[: options.count]))
    write_ranking(options.out, *read_arrays(options.predictions, "probabilities", "choices"))


if __name__ == "__main__":
    run(main)
