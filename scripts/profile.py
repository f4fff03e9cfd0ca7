"""Time an engine of a sample layer by layer.

python scripts/profile.py --sample ssd --precision int8
"""

import _path  # noqa: F401

from trtflow import tasks
from trtflow.job import read_job
from trtflow.runtime.launch import run_on_backend, switch_python


def main() -> None:
    """Read the command line, profile and write the time of each layer: the median of several runs."""
    job = read_job("profile", __doc__)
    switch_python()
    tasks.load(job)(job)


if __name__ == "__main__":
    run_on_backend(main)
