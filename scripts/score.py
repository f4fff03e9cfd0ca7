"""Score what an engine of a sample says: mAP, top-1, perplexity, BLEU, hit ratio …, as its task has it.

python scripts/score.py --sample ssd --precision int8
"""

import _path  # noqa: F401

from trtflow import tasks
from trtflow.cli import run
from trtflow.job import read_job


def main() -> None:
    """Read the command line, score and write the metrics."""
    job = read_job("score", __doc__)
    tasks.load(job)(job)


if __name__ == "__main__":
    run(main)
