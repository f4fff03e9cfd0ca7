"""Schedules of trainings come from a sample's settings over its family's defaults; detectors have two rounds."""

import pytest

from trtflow.families.common.schedule import Schedule, keep_loss, pretraining_of, schedule_of, training_settings
from trtflow.formats import UserError
from trtflow.job import Job

DEFAULTS = {
    "pretraining_steps": 150,
    "pretraining_batch_size": 32,
    "steps": 20,
    "batch_size": 8,
    "learning_rate": 0.5,
    "seed": 0,
    "threads": 3,
}


def settings_of(**training):
    job = Job("toy", "train", "train", "toys", "none", "none", {"training": training})
    return training_settings(job, **DEFAULTS)


def test_defaults_are_the_familys():
    settings = settings_of()
    assert schedule_of(settings) == Schedule(20, 8, 0.5, 0)
    assert pretraining_of(settings) == Schedule(150, 32, 0.5, 0)
    assert settings["threads"] == 3


def test_rounds_differ_in_steps_and_batches_only():
    rounds = {"steps": 7, "batch_size": 2, "pretraining_steps": 5, "pretraining_batch_size": 4}
    settings = settings_of(**rounds, learning_rate="25e-2", seed=9)
    assert schedule_of(settings) == Schedule(7, 2, 0.25, 9)
    assert pretraining_of(settings) == Schedule(5, 4, 0.25, 9)


@pytest.mark.parametrize(
    ("training", "message"),
    [
        (
            {"stepps": 3},
            "toy: training.stepps: no such setting. Known: pretraining_steps, pretraining_batch_size",
        ),
        ({"steps": "many"}, "toy: training.steps: 'many' is not a whole number."),
        ({"learning_rate": [1]}, "toy: training.learning_rate: [1] is not a number."),
    ],
)
def test_settings_that_are_none(training, message):
    with pytest.raises(UserError) as caught:
        settings_of(**training)
    assert message in str(caught.value)


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_the_training(loss):
    losses = [0.5]
    with pytest.raises(UserError, match="diverged in step 2. Lower the learning rate"):
        keep_loss(losses, loss)


def test_losses_are_kept_in_order():
    losses = []
    for loss in (2.0, 1.0):
        keep_loss(losses, loss)
    assert losses == [2.0, 1.0]
