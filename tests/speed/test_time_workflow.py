"""What `make bench` tells of the workflow itself: seconds of processes and of jobs are those of processes and jobs."""

import sys

import pytest
import time_workflow

from trtflow.formats import UserError

PYTHON = (sys.executable, "-S", "-c")


def test_processor_seconds_are_those_of_work_and_of_all_processes(tmp_path):
    spin = "import time\nwhile time.process_time() < 0.3: pass"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', {spin!r}])"
    commands = {
        "idle": (sys.executable, "-S", "-c", "import time; time.sleep(0.3)"),
        "busy": (sys.executable, "-S", "-c", child),
    }
    found = time_workflow.least(commands, 1, tmp_path)
    assert found["busy"] > 0.3 > found["idle"] + 0.1


def test_a_command_that_fails_is_told_with_its_last_line(tmp_path):
    with pytest.raises(UserError, match="no such luck"):
        time_workflow.processor_seconds(
            (sys.executable, "-S", "-c", "raise SystemExit('first\\nno such luck')"), tmp_path
        )
