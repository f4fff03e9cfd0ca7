"""What the user's own files are like, as far as a plan can see: their names, sizes and dates."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable

from trtflow.workflow.errors import PlanError

CLOCKS_DIFFER_S = 300.0  # by which clocks of machines that share a folder may differ


def own_files(path: str) -> list[str]:
    """Return a file of the user's own, or all files of a folder and the folders in it."""
    if os.path.isdir(path):
        return sorted(os.path.join(folder, file) for folder, _, files in os.walk(path) for file in files)
    return [path]


def state_of(what: str, places: Iterable[str], way_out: str) -> str:
    """Return a hash of the names, sizes and dates of files and of those in folders.

    Raises:
        PlanError: one is not there, with the way out, or comes from the future.
    """
    found = hashlib.sha256()
    for place in places:
        if not os.path.exists(place):
            raise PlanError(f"{what}: {place}: no such file or folder. {way_out}")
        for file in own_files(place):
            status = os.stat(file)
            check_date(f"{what}: {file}", status.st_mtime)
            found.update(f"{file} {status.st_size} {status.st_mtime_ns}\n".encode())
    return found.hexdigest()


def check_date(what: str, changed: float) -> None:
    """Refuse a file that was changed later than now: whatever is made of it would be older, and made again by each run.

    Raises:
        PlanError: naming it and the way out.
    """
    ahead = changed - time.time()
    if ahead > CLOCKS_DIFFER_S:
        date = time.strftime("%Y-%m-%d %H:%M", time.localtime(changed))
        raise PlanError(
            f"{what}: it was last changed at {date}, which is {ahead / 3600:.1f} hours from now, so that each run "
            "would make everything of it again. Set the clock right, or give the file the time of now with `touch`."
        )
