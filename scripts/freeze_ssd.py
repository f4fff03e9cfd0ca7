"""Write a trained SSD on InceptionV2 as a frozen TensorFlow graph, like ssd_inception_v2_coco's.

python scripts/freeze_ssd.py --model results/tf_ssd/model/ssd.pt --out results/tf_ssd/model/frozen.pb
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.converters.freeze import write_graph
from trtflow.families.ssd_inception.graph import to_graph
from trtflow.families.ssd.checkpoint import load_checkpoint


def main() -> None:
    """Read the command line and write the graph."""
    arguments = parser(__doc__)
    arguments.add_argument("--model", type=Path, required=True, help="checkpoint")
    arguments.add_argument("--out", type=Path, required=True, help="graph to write")
    options = arguments.parse_args()
    write_graph(to_graph(load_checkpoint(options.model, "inception_v2")), options.out)


if __name__ == "__main__":
    run(main)
