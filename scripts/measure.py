"""Time the engines of a sample against one another.

python scripts/measure.py --sample ssd
"""

import _path  # noqa: F401

from trtflow import tasks
from trtflow.job import read_job
from trtflow.runtime.launch import run_on_backend, switch_python


def main() -> None:
    """Read the command line, measure and write latency and throughput."""
    job = read_job("measure", __doc__)
    switch_python()
    tasks.load(job)(job)


if __name__ == "__main__":
    run_on_backend(main)
