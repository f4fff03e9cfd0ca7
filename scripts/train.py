"""Train the network of a sample, as its family does (trtflow/families).

python scripts/train.py --sample ssd
python scripts/train.py --sample ssd --set training.steps=10 --output model=ssd.pt --output training=training.json
"""

import os

# Before PyTorch is loaded: a thread that waits by spinning takes the cores from all else, its own partner included.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import _path  # noqa: F401

from trtflow import families
from trtflow.cli import run
from trtflow.job import read_job


def main() -> None:
    """Read the job and do it."""
    job = read_job("train", __doc__)
    families.function_of(job)(job)


if __name__ == "__main__":
    run(main)
