"""Puts the folder that holds `trtflow` on the path, so that scripts run without an installation."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
