"""Draw what an engine of a sample says: pictures with boxes, digits, rankings, texts …, as its task has it.

python scripts/draw.py --sample ssd
python scripts/draw.py --sample yolov3_onnx --step draw_picture
"""

import _path  # noqa: F401

from trtflow import tasks
from trtflow.cli import run
from trtflow.job import read_job


def main() -> None:
    """Read the command line, draw and write pictures and texts."""
    job = read_job("draw", __doc__)
    tasks.load(job)(job)


if __name__ == "__main__":
    run(main)
