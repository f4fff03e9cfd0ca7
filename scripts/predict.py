"""Ask a sample's network in the framework that it comes from, to compare engines with.

python scripts/predict.py --sample ssd
python scripts/predict.py --sample ssd --output predictions=predictions.npz
"""

import _path  # noqa: F401

from trtflow import families
from trtflow.cli import run
from trtflow.job import read_job


def main() -> None:
    """Read the job and do it."""
    job = read_job("predict", __doc__)
    families.function_of(job)(job)


if __name__ == "__main__":
    run(main)
