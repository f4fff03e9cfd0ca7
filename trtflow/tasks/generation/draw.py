"""What the engine of a character model wrote, for people."""

from __future__ import annotations

from trtflow.datasets.characters import decode, read_vocabulary
from trtflow.formats.arrays import read_arrays
from trtflow.formats.files import write_text
from trtflow.job import Job
from trtflow.reporting.text import rendering, write_text_figure
from trtflow.steps import required


def draw(job: Job) -> None:
    """Draw what was written behind each seed beside TensorFlow's, as text and as a picture."""
    vocabulary, seeds = read_vocabulary(job.input("vocabulary")), required(job, "generation.seeds")
    written, wanted = (
        [decode(row, vocabulary) for row in read_arrays(job.input(name), "generated")[0]]
        for name in ("predictions", "framework")
    )
    write_text(job.output("text"), rendering(seeds, written))
    write_text_figure(job.output("picture"), seeds, written, wanted)
