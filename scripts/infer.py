"""Run an engine of a sample over its held-out data.

python scripts/infer.py --sample ssd --precision fp16
"""

import _path  # noqa: F401

from trtflow import tasks
from trtflow.job import read_job
from trtflow.runtime.launch import run_on_backend, switch_python


def main() -> None:
    """Read the command line, run the engine and write what it says."""
    job = read_job("infer", __doc__)
    switch_python()
    tasks.load(job)(job)


if __name__ == "__main__":
    run_on_backend(main)
