"""Turn the recommender's published weights, a Keras 1 file, into a model that today's Keras reads.

python scripts/load_ncf.py --weights "ml-1m_MLP_[64,32,16,8]_1501652038.h5" \\
    --out results/movielens/model/network.keras --sizes-out results/movielens/export/sizes.json
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.formats.files import write_json
from trtflow.families.keras_digits.network import save_keras
from trtflow.families.ncf.network import load_published, sizes


def main() -> None:
    """Read the command line and the weights; write the network and its sizes."""
    arguments = parser(__doc__)
    arguments.add_argument("--weights", type=Path, required=True, help=".h5 file of the authors")
    arguments.add_argument("--out", type=Path, required=True, help=".keras file to write")
    arguments.add_argument("--sizes-out", type=Path, required=True, help="JSON file of numbers of users and movies")
    options = arguments.parse_args()

    model = load_published(options.weights)
    write_json(options.sizes_out, sizes(model))
    save_keras(model, options.out)


if __name__ == "__main__":
    run(main)
