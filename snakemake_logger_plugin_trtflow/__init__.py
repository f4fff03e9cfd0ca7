"""`snakemake --logger trtflow`: a line a job, for workflows that import this one as a module.

This workflow itself needs no option for it (trtflow/workflow/terminal.py). Snakemake finds the plugin where the
repository is installed (`pip install .`) or on PYTHONPATH.
"""

from __future__ import annotations

import os
import sys
from logging import LogRecord

from snakemake_interface_logger_plugins.base import LogHandlerBase

from trtflow.workflow.terminal import JobLines


class LogHandler(LogHandlerBase):
    """`JobLines` as a plugin."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = False
    has_formatter = True
    needs_rulegraph = False

    def __post_init__(self) -> None:
        """Write where Snakemake's own handler would, in colour on a terminal."""
        settings = self.common_settings
        stream = sys.stdout if settings.stdout else sys.stderr
        colour = stream.isatty() and not settings.nocolor and os.environ.get("TERM") != "dumb"
        self.lines = JobLines(stream, settings, colour)

    def emit(self, record: LogRecord) -> None:
        """Say what there is to say of a record."""
        self.lines.handle(record)

    def close(self) -> None:
        """End the line of what is running."""
        self.lines.close()
        super().close()
