"""What an engine says of held-out items, for people."""

from __future__ import annotations

from trtflow import datasets
from trtflow.datasets.digits import first_of_each
from trtflow.datasets.images import read_image
from trtflow.datasets.manifest import locate
from trtflow.formats.files import write_text
from trtflow.job import Job
from trtflow.reporting.digits import rendering, write_digits_figure
from trtflow.reporting.pictures import top5_text, write_confusion_figure, write_pictures_figure
from trtflow.tasks.classification.truth import read_scored

DRAWN = 24  # pictures, at most
LISTED = 100  # items of a model of the user's own in the text


def draw_digits(job: Job) -> None:
    """Draw ten digits with what the engine says of each: as text, as in the guide's samples, and as a picture."""
    scored = read_scored(job)
    folder, split = locate(job.input("val"))
    ten = first_of_each(scored.labels)
    images = datasets.load_module(job.data_set).read_images(folder, split)[0][ten]
    guesses = scored.probabilities[ten]
    text = "\n".join(rendering(image, guess) for image, guess in zip(images, guesses, strict=True))
    print(text)
    write_text(job.output("text"), text)
    write_digits_figure(job.output("picture"), images, guesses)


def draw_pictures(job: Job) -> None:
    """Draw the first held-out pictures with what the engine says of each, and write the five likeliest classes."""
    scored, shown = read_scored(job), slice(DRAWN)
    folder, split = locate(job.input("val"))
    paths, names = datasets.load_module(job.data_set).read_images(folder, split)
    probabilities, labels = scored.probabilities[shown], scored.labels[shown]
    text = top5_text(names[shown], probabilities, labels, scored.classes)
    print(text, end="")
    write_text(job.output("text"), text)
    images = [read_image(path) for path in paths[shown]]
    write_pictures_figure(job.output("picture"), images, probabilities, labels, scored.classes)


def draw_confusion(job: Job) -> None:
    """Draw which class the engine takes for which, and write the five likeliest classes of the first items."""
    scored, listed = read_scored(job), slice(LISTED)
    text = top5_text(scored.names[listed].tolist(), scored.probabilities[listed], scored.labels[listed], scored.classes)
    write_text(job.output("text"), text)
    write_confusion_figure(job.output("picture"), scored.probabilities, scored.labels, scored.classes)
