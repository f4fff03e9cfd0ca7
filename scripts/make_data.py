"""Make or take the files of a sample's data set: all of it, or one split.

python scripts/make_data.py --sample mnist
python scripts/make_data.py --sample ssd --step make_val
"""

import _path  # noqa: F401

from trtflow import datasets
from trtflow.cli import run
from trtflow.job import read_job


def main() -> None:
    """Read the command line, make the files."""
    job = read_job("make_data", __doc__)
    datasets.load(job)(job)


if __name__ == "__main__":
    run(main)
