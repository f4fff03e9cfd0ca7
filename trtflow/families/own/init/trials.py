"""What a model was trained with, found by trying: how pixels are prepared, and in which order classes are numbered.

Some items that have labels are asked in each of the usual ways, and what scores best, and that not by chance, is
taken. All else stays as it was guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan
from typing import Any

import numpy as np

from trtflow.datasets.own import Items, read_items
from trtflow.datasets.placement import PLACEMENTS
from trtflow.families.own.init.bench import Arrays, Bench, TooFewError, TooSlowError, sample_of, with_pictures
from trtflow.families.own.init.facts import Facts
from trtflow.families.own.init.judges import ClassJudge, Judge, ObjectJudge, Verdict, judge_of, surely_better
from trtflow.families.own.init.orders import Order, apart, asked_places, is_plain, known_orders, told_names
from trtflow.families.own.init.places import Places, held_out_arrays
from trtflow.families.own.init.preparations import Preparation, usual_preparations
from trtflow.families.own.init.said import Guess
from trtflow.formats.damage import reason
from trtflow.samples.own import OwnSample

SCORED = ("classification", "multilabel", "detection", "segmentation", "regression")
MIRRORED = 2  # of the best ways that are tried with the colours in the other order too
HALF = 0.5  # of a score, from which on an order of classes is no question any more
MUCH = 0.1  # of top-1 that an order has to gain which nothing but the answers speaks for
ALIKE = 0.015  # of scores that look the same
ASKED = "as its answers ask for"


@dataclass(frozen=True, eq=False)
class Trial:
    """What became of one way.

    Attributes:
        preparation: of pictures; None where there are none.
        order: of the classes.
        verdict: how good the answers were.
        answers: arrays [N, ...] by name.
    """

    preparation: Preparation | None
    order: Order
    verdict: Verdict
    answers: Arrays

    @property
    def name(self) -> str:
        """What the preparation is called."""
        return self.preparation.name if self.preparation else ""

    @property
    def odd(self) -> bool:
        """Whether few models are prepared for so."""
        return self.preparation is not None and self.preparation.odd


def try_out(facts: Facts, places: Places, guess: Guess) -> None:
    """Find what a guess leaves open by asking the model, and say so in it; what fails leaves all as it was."""
    if facts.network is None or guess.task not in SCORED:
        return
    told = replace(guess, inputs={name: dict(said) for name, said in guess.inputs.items()})
    told.left, told.tried = list(guess.left), []
    try:
        _Trials(facts, places, told).settle()
    except TooFewError:
        return
    except TooSlowError as slow:
        guess.tried.append(f"nothing: the model takes {slow}")
        return
    except Exception as error:  # a guess is no less for it, whatever a runtime or a file raises
        guess.tried.append(f"nothing, as that failed: {reason(error)}")
        return
    guess.inputs, guess.classes, guess.left, guess.tried = told.inputs, told.classes, told.left, told.tried


class _Trials:
    """All that is tried with a model.

    Args:
        facts: of the model.
        places: of the data.
        guess: to correct.
    """

    def __init__(self, facts: Facts, places: Places, guess: Guess) -> None:
        self._guess = guess
        self._data: dict[str, Any] = {**places.told, **({"colours": guess.colours} if guess.colours else {})}
        named = [name for name, said in guess.inputs.items() if "pictures" in said]
        self._input = named[0] if len(named) == 1 else None
        self._usual = usual_preparations(self._pictures, facts.inputs[self._input][1]) if self._input else []
        self._looked = [path for path in (places.val, places.labels, places.folder) if path]
        self._orders = [Order(guess.order, tuple(guess.classes))]
        if guess.named:
            self._orders = known_orders(guess.classes, guess.named, facts.source, self._looked)
        self._facts, self._places = facts, places

    @property
    def _pictures(self) -> Mapping[str, Any]:
        assert self._input is not None
        told: Mapping[str, Any] = self._guess.inputs[self._input]["pictures"]
        return told

    def settle(self) -> None:
        """Correct the guess.

        Raises:
            UserError: labels do not fit.
        """
        asks_order = any(sentence.startswith("data.classes:") for sentence in self._guess.left)
        if not self._usual and not asks_order:
            return
        self._open()
        ways: list[Preparation | None] = [*self._usual] or [None]
        trials = [trial for preparation in ways for trial in self._tried(preparation)]
        for trial in sorted(self._leaders(trials), key=_goodness)[-MIRRORED:]:
            if trial.preparation is not None and trial.preparation.colour != "grey":
                trials += self._tried(trial.preparation.mirrored)
        best = self._likely(self._best(trials), trials)
        blind = self._judges[0].blind()
        sure = surely_better(best.verdict, blind) and best.verdict.value >= self._judges[0].least
        if self._usual:
            self._say_preparation(self._leaders(trials, best), best, sure)
        if asks_order and self._guess.classes:
            self._say_order(self._of_kept(trials), best.order, sure)
        if sure and self._input and "resize" in self._pictures:
            self._settle_resize(best)

    def _open(self) -> None:
        data, places = self._data, self._places
        items = read_items(places.val, held_out_arrays(places.val), places.folder)
        runs = max(1, len(self._usual) + 4)
        sample = sample_of(self._facts, self._guess)
        self._bench = Bench(self._facts, replace(sample, folder=places.folder), items, data, runs)
        self._sample = self._bench.sample
        self._judges = [self._judge(self._sample, order) for order in self._orders]

    def _judge(self, sample: OwnSample, order: Order) -> Judge:
        found = judge_of(replace(sample, classes=list(order.classes)), self._bench.items, self._data)
        assert found is not None
        return found

    @property
    def _items(self) -> Items:
        return self._bench.items

    def _tried(self, preparation: Preparation | None) -> list[Trial]:
        """Return what a way to prepare pictures gives, a trial for each order of the classes."""
        sample = self._sample
        if preparation is not None and self._input is not None:
            sample = with_pictures(sample, self._input, preparation.told(self._pictures))
        answers = self._bench.answers(sample)
        trials = [
            Trial(preparation, order, _finite(judge.judge(answers)), answers)
            for order, judge in zip(self._orders, self._judges, strict=True)
        ]
        if self._guess.named and self._guess.task in ("classification", "detection"):
            trials.append(self._asked(preparation, answers))
        return trials

    def _asked(self, preparation: Preparation | None, answers: Arrays) -> Trial:
        """Return the trial of the order that the answers ask for, of a classifier those to the other half of items."""
        judge, values = self._judges[0], np.zeros((0, 0))
        if isinstance(judge, ObjectJudge):
            truth, values = judge.pairs(answers)
        else:
            truth, values = self._sample.classes_of(self._items), np.nan_to_num(answers["probabilities"])
            judge = ClassJudge(apart(truth, values))
        order = Order(ASKED, ())
        if len(np.unique(truth)) == self._guess.named and is_plain(truth, values):  # of classes that all have items
            order = Order(ASKED, _placed(self._guess.classes, asked_places(truth, values)))
            judge = self._judge(self._sample, order) if isinstance(judge, ObjectJudge) else judge
        return Trial(preparation, order, _finite(judge.judge(answers)), answers)

    def _best(self, trials: Sequence[Trial]) -> Trial:
        """Return the best trial; one of an order that the answers ask for alone where it is much better than others."""
        named = max((trial for trial in trials if trial.order.name != ASKED), key=_goodness)
        asked = [trial for trial in trials if trial.order.name == ASKED and trial.order.classes]
        best = max(asked, key=_goodness, default=named)
        least = max(HALF, named.verdict.value + MUCH)
        return best if best.verdict.value >= least and surely_better(best.verdict, named.verdict) else named

    @staticmethod
    def _likely(best: Trial, trials: Sequence[Trial]) -> Trial:
        """Return the best trial, or in the place of one of an odd preparation the best of the others that are near."""
        others = [trial for trial in trials if not trial.odd and trial.order.name == best.order.name]
        near = [trial for trial in others if best.odd and not surely_better(best.verdict, trial.verdict)]
        return max(near, key=_goodness, default=best)

    def _leaders(self, trials: Sequence[Trial], best: Trial | None = None) -> list[Trial]:
        """Return the best trial of each preparation, in the order in which these were tried.

        A wrong order of colours may look right with a wrong order of classes. So beside a best trial of an odd
        preparation those of others with an order that only the answers ask for count too, but not the other way round.
        """
        ways: dict[int, list[Trial]] = {}
        for trial in trials:
            ways.setdefault(id(trial.preparation), []).append(trial)
        if best is None:
            return [self._best(each) for each in ways.values()]
        return [self._best([trial for trial in each if self._rivals(trial, best)]) for each in ways.values()]

    @staticmethod
    def _rivals(trial: Trial, best: Trial) -> bool:
        return trial.order.name != ASKED or best.order.name == ASKED or (best.odd and not trial.odd)

    def _say_preparation(self, trials: Sequence[Trial], best: Trial, sure: bool) -> None:
        name, guessed = f"inputs.{self._input}.pictures", trials[0]
        near = [trial for trial in trials if trial is not best and not surely_better(best.verdict, trial.verdict)]
        other_colours = any(trial.odd for trial in near) and not best.odd  # which no better are no rival
        near = [trial for trial in near if best.odd or not trial.odd]
        count, metric = self._count, self._judges[0].metric
        others = sorted((trial for trial in trials if trial is not best), key=_goodness, reverse=True)
        asked = self._guess.left
        left = [sentence for sentence in asked if not sentence.startswith(f"{name}: ")]
        question = next((sentence for sentence in asked if sentence not in left), None)
        value = f"{metric} {best.verdict.value:.2f}"
        if not sure or guessed in near or (guessed is best and near):
            if question:
                told = f"none of {len(trials)} usual ways is better than chance: {value} at best, of {best.name}"
                if sure:
                    listed = [trial for trial in trials if trial is best or trial in near]
                    shown = ", ".join(f"{trial.name} has {trial.verdict.value:.2f}" for trial in listed)
                    told = f"{metric} is too near to tell: {shown}"
                self._put(f"{question}. Tried on {count}, {told}", f"{name}: ")
            return
        assert best.preparation is not None
        assert self._input is not None
        self._guess.inputs[self._input]["pictures"] = best.preparation.told(self._pictures)
        beside = next((trial for trial in others if not trial.odd), others[0]) if guessed is best else guessed
        less = ", and less sure" if beside.verdict.value > best.verdict.value - ALIKE else ""
        found = f"{name}: {best.name}, tried on {count}: {value} ({beside.name}: {beside.verdict.value:.2f}{less})"
        if other_colours and best.preparation.colour != "grey":
            found += "; the order of the colours hardly counts"
        if near:
            shown = ", ".join(f"{trial.name} {trial.verdict.value:.2f}" for trial in near)
            self._put(f"{found}; check that it is not what is near to it: {shown}", f"{name}: ")
            return
        self._guess.left = left
        self._guess.tried.append(found)

    def _put(self, sentence: str, beginning: str) -> None:
        """Say a sentence in the place of the one that begins so."""
        left = self._guess.left
        self._guess.left = [sentence if said.startswith(beginning) else said for said in left]
        if sentence not in self._guess.left:
            self._guess.left.append(sentence)

    @property
    def _count(self) -> str:
        return f"{len(self._items)} {'pictures' if self._input else 'items'}"

    def _of_kept(self, trials: Sequence[Trial]) -> list[Trial]:
        """Return the trials of the preparation that the guess has now, one an order."""
        if not self._usual:
            return list(trials)
        kept = [trial for trial in trials if trial.preparation and self._has(trial.preparation)]
        return kept or [trial for trial in trials if trial.preparation is self._usual[0]]

    def _has(self, preparation: Preparation) -> bool:
        return preparation.told(self._pictures) == self._pictures

    def _say_order(self, trials: Sequence[Trial], order: Order, sure: bool) -> None:
        guessed, metric = trials[0], self._judges[0].metric
        best = next(trial for trial in trials if trial.order.name == order.name)
        question = next(said for said in self._guess.left if said.startswith("data.classes:"))
        value = f"{best.verdict.value:.2f}"
        near = [trial for trial in trials if trial.order.name not in (ASKED, best.order.name)]
        near = [trial for trial in near if not surely_better(best.verdict, trial.verdict)]
        rate = f"{value} are right" if metric == "top-1" else f"{metric} {value}"
        if not sure or best.verdict.value < HALF or near or not best.order.classes:
            others = [f"{trial.order.name} {trial.verdict.value:.2f}" for trial in trials if trial is not guessed]
            told = f"{guessed.verdict.value:.2f}" + "".join(f", {other}" for other in others)
            self._put(f"{question}. Tried on {self._count}: {metric} {told}", "data.classes:")
            return
        classes, told = list(best.order.classes), best.order.name
        if best.order.name != guessed.order.name:
            rate += f" ({guessed.order.name}: {guessed.verdict.value:.2f})"
        if _unnamed(classes) == len(classes):
            listed = told_names(self._facts.source, self._looked)
            source, names = next(((source, names) for source, names in listed if _fits(names, classes)), ("", classes))
            classes, told = names, f"{told}, with the names that {source} has" if source else told
        self._guess.classes = classes
        self._guess.left = [said for said in self._guess.left if not said.startswith("data.classes:")]
        unnamed = _unnamed(classes)
        if unnamed == len(classes):
            self._guess.left.append(question)
        elif unnamed:
            self._guess.left.append(f"data.classes: the names of {unnamed} of the {len(classes)} classes")
        self._guess.tried.append(f"data.classes: {told}, tried on {self._count}: {rate}")

    def _settle_resize(self, best: Trial) -> None:
        """Take the way in which pictures get into the input that scores best, where that is not by chance."""
        assert self._input is not None
        name, pictures = f"inputs.{self._input}.pictures.resize", dict(self._pictures)
        verdicts = {}
        for resize in dict.fromkeys((pictures["resize"], *PLACEMENTS)):
            sample = with_pictures(self._sample, self._input, {**pictures, "resize": resize})
            order = Order(best.order.name, tuple(self._guess.classes))
            verdicts[resize] = _finite(self._judge(sample, order).judge(self._bench.answers(sample)))
        chosen = max(verdicts, key=lambda resize: (float(verdicts[resize].each.mean()), resize == pictures["resize"]))
        others = [verdict for resize, verdict in verdicts.items() if resize != chosen]
        if not all(surely_better(verdicts[chosen], verdict) for verdict in others):
            return
        self._guess.inputs[self._input]["pictures"] = {**pictures, "resize": chosen}
        shown = ", ".join(f"{resize}: {verdict.value:.2f}" for resize, verdict in verdicts.items() if resize != chosen)
        value = f"{self._judges[0].metric} {verdicts[chosen].value:.2f}"
        self._guess.left = [said for said in self._guess.left if not said.startswith(f"{name}:")]
        self._guess.tried.append(f"{name}: {chosen}, tried on {self._count}: {value} ({shown})")


def _goodness(trial: Trial) -> float:
    return float(trial.verdict.each.mean())


def _finite(verdict: Verdict) -> Verdict:
    """Return a verdict whose value is a number: answers that are none are worse than any."""
    return replace(verdict, value=-np.inf) if isnan(verdict.value) else verdict


def _placed(classes: Sequence[str], places: np.ndarray) -> tuple[str, ...]:
    """Return names in the order of the outputs: those that have a place there, between them those that have none."""
    placed = {place: classes[label] for label, place in enumerate(places.tolist())}
    return tuple(placed.get(place, f"class {place}") for place in range(len(classes)))


def _fits(names: Sequence[str], classes: Sequence[str]) -> bool:
    return len(names) == len(classes) == len(set(names))


def _unnamed(classes: Sequence[str]) -> int:
    """Return how many classes have no name."""
    return sum(name == f"class {place}" for place, name in enumerate(classes))
