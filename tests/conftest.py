"""Tests import scripts as scripts import one another."""

import sys
from pathlib import Path

# at the end, as scripts/_path.py has it: scripts/profile.py is no module of Python's
sys.path.append(str(Path(__file__).resolve().parents[1] / "scripts"))
