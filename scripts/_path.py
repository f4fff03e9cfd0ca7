"""Puts the folder that holds `trtflow` on the path, so that scripts run without an installation.

The scripts' own folder goes to the end of it: a script hides no module of Python's with its name, such as `profile`.
"""

import sys
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent

others = [path for path in sys.path if Path(path or ".").resolve() != SCRIPTS]
sys.path[:] = [str(SCRIPTS.parent), *others, str(SCRIPTS)]
