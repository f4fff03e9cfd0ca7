"""Compare what engines of a sample say: with the framework, with other precisions, with other forms of the model.

python scripts/compare.py --sample ssd
python scripts/compare.py --sample googlenet --step compare_precisions
"""

import _path  # noqa: F401

from trtflow import tasks
from trtflow.cli import run
from trtflow.job import read_job


def main() -> None:
    """Read the command line, compare and write what differs."""
    job = read_job("compare", __doc__)
    tasks.load(job)(job)


if __name__ == "__main__":
    run(main)
