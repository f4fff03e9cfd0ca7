"""Schedules of trainings come from the command line: defaults of the script, and two rounds for detectors."""

import argparse

import pytest

from trtflow.formats import UserError
from trtflow.families.common.schedule import (
    Schedule,
    add_pretraining_options,
    add_schedule_options,
    keep_loss,
    pretraining_of,
    schedule_of,
)


@pytest.fixture
def arguments():
    arguments = argparse.ArgumentParser()
    add_pretraining_options(arguments)
    add_schedule_options(arguments, "images", steps=20, batch_size=8, learning_rate=0.5, threads=3)
    return arguments


def test_defaults_are_the_scripts(arguments):
    options = arguments.parse_args([])
    assert schedule_of(options) == Schedule(20, 8, 0.5, 0)
    assert pretraining_of(options) == Schedule(150, 32, 0.5, 0)
    assert options.threads == 3


def test_rounds_differ_in_steps_and_batches_only(arguments):
    words = "--steps 7 --batch-size 2 --pretraining-steps 5 --pretraining-batch-size 4 --learning-rate 0.25 --seed 9"
    options = arguments.parse_args(words.split())
    assert schedule_of(options) == Schedule(7, 2, 0.25, 9)
    assert pretraining_of(options) == Schedule(5, 4, 0.25, 9)


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
