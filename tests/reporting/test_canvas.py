"""Matplotlib without the help texts that it writes at its import: what draws is as ever."""

import subprocess
import sys

import pytest
from matplotlib.artist import Artist
from matplotlib.lines import Line2D

from trtflow.reporting.canvas import Figure

PROGRAM = """
from trtflow.reporting.canvas import Axes, Figure
from matplotlib.lines import Line2D
assert not any(kind.set.__doc__ for kind in (Axes, Figure, Line2D))
"""


def test_no_help_is_written_at_its_import():
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)


def test_properties_are_set_as_ever_and_later_classes_have_their_help():
    line = Line2D([0, 1], [0, 1])
    line.set(linewidth=3, color="red")
    assert (line.get_linewidth(), line.get_color()) == (3, "red")
    with pytest.raises(AttributeError, match="linewitdh"):
        line.set(linewitdh=3)
    axes = Figure().subplots()
    axes.set(xlabel="steps", ylim=(0, 2))
    assert (axes.get_xlabel(), axes.get_ylim()) == ("steps", (0, 2))

    class Marked(Artist):
        """Nothing."""

    assert "alpha" in Marked.set.__doc__
