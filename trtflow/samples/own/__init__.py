"""A model of the user's own: one YAML file says what other samples say in code (docs/your-own-model.md).

The workflow writes what it says, and the model's names and shapes, to `sample.json` beside the model; this reads it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.datasets.label_columns import class_numbers, label_matrix
from trtflow.datasets.own import INPUTS, LABELS, TARGETS, Items, read_items
from trtflow.decoders import gives_lists
from trtflow.formats import FormatError
from trtflow.formats.damage import refuse_damage
from trtflow.formats.files import read_json
from trtflow.runtime.model_file import ModelFile
from trtflow.runtime.own_plugins import load_plugin_file
from trtflow.runtime.plugins import is_reference
from trtflow.samples import RAW
from trtflow.samples.own.answers import ANSWERS
from trtflow.samples.own.calibration import Calibration, pack, unpack
from trtflow.samples.own.hook import NO_HOOK, Hook, read_hook
from trtflow.samples.own.inputs import Input

Arrays = dict[str, np.ndarray]
HOOK = "hook.py"  # the user's, copied beside the model


@dataclass(frozen=True)
class Output:
    """An output that the engine keeps.

    Attributes:
        shape: without the batch, as engines give it.
        logits: whether a softmax, or of several labels a sigmoid, is still to be taken.
        target: columns, or the array, of the data that say what it should be; empty for the task's usual one.
        threshold: of several labels an item: a class is said whose score is above.
    """

    shape: Sequence[int]
    logits: bool = False
    target: Sequence[str] = ()
    threshold: float = 0.5


@dataclass(frozen=True)
class OwnSample:
    """A sample with the attributes that a sample's module has.

    Attributes:
        INPUT: name of the first input.
        INPUTS: names of all.
        OUTPUT: name of the output that is scored, where a task scores one.
        EXPLICIT_BATCH: whether the model says its batch.
        model: the model's files.
        task: one of `ANSWERS`.
        inputs: what each input takes, in the model's order.
        outputs: by name; the first is the one that is scored, where a task scores one.
        classes: their names, in the order of the output; empty where the task has none.
        calibration: which items calibrate.
        batch: the batch that the model fixes; None where it is open.
        compared: of how many items, from the first on, the outputs are kept as they were; None for all.
        hook: the user's own functions.
        plugins: files of layers that TensorRT lacks, for the reference runtime.
        folder: that names of lists of pictures start from; None where there are none.
        settings: what the YAML file says besides, for tasks that ask for more.
    """

    INPUT: str
    INPUTS: tuple[str, ...]
    OUTPUT: str
    EXPLICIT_BATCH: bool
    model: ModelFile
    task: str
    inputs: Mapping[str, Input]
    outputs: Mapping[str, Output]
    classes: list[str]
    calibration: Calibration
    batch: int | None = None
    compared: int | None = None
    hook: Hook = NO_HOOK
    plugins: Sequence[Path] = ()
    folder: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def read_images(self, root: Path, split: str) -> tuple[Items, list[str]]:
        """Return the items of a split and their names; what calibrates is not scored, where both are of one place.

        Args:
            root: folder or file of the data, as `trtflow.datasets.own` takes them.
            split: val or calibration.

        Raises:
            FormatError: there are too few.
        """
        usual = [name for taken in self.inputs.values() for name in taken.source]
        usual += [name for output in self.outputs.values() for name in output.target]
        usual += [*self.inputs, *self.outputs, INPUTS, LABELS, TARGETS]
        wanted = [] if self.hook.path.name else usual  # a hook may look at everything
        items = read_items(root, wanted, self.folder)
        if split == "calibration":
            items = items[self.calibration.places(len(items), root)]
        elif self.calibration.held_apart:
            chosen = set(self.calibration.places(len(items), root))
            items = items[[place for place in range(len(items)) if place not in chosen]]
        return items, items.names

    def read_truth(self, root: Path) -> np.ndarray:
        """Return the class of each held-out item, int64 [N]: a number counted from 0 or a name, of a folder or a table.

        Raises:
            FormatError: a label is no class of the model's.
        """
        return self.classes_of(self.read_images(root, "val")[0])

    def classes_of(self, items: Items) -> np.ndarray:
        """Return the class of each of some items, int64 [N]; as of `read_truth`."""
        return class_numbers(items, self.outputs[self.OUTPUT].target or (LABELS,), self.classes)

    def read_label_matrix(self, root: Path) -> np.ndarray:
        """Return which classes each held-out item has, bool [N, classes].

        Raises:
            FormatError: a label is no class of the model's.
        """
        return self.labels_of(self.read_images(root, "val")[0])

    def labels_of(self, items: Items) -> np.ndarray:
        """Return which classes each of some items has, bool [N, classes]; as of `read_label_matrix`."""
        return label_matrix(items, self.outputs[self.OUTPUT].target or (LABELS,), self.classes)

    def read_targets(self, root: Path) -> Arrays:
        """Return what outputs should be of each held-out item, float64 [N, ...], by the output's name.

        Raises:
            FormatError: there are none, or they are no numbers.
        """
        return self.targets_of(self.read_images(root, "val")[0])

    def targets_of(self, items: Items) -> Arrays:
        """Return what outputs should be of each of some items; as of `read_targets`."""
        found = {}
        for name, output in self.outputs.items():
            names = list(output.target) or [name if name in items.columns else TARGETS]
            if output.target or len(self.outputs) == 1 or names[0] in items.columns:
                found[name] = items.numbers(names, f"what output {name!r} should be").astype(np.float64)
        if not found:
            fault = f"no targets of outputs {', '.join(self.outputs)}"
            raise FormatError(items.source, fault, "Name columns as outputs.NAME.target in the sample's YAML file.")
        return found

    def preprocess(self, items: Items, export: Path) -> Arrays:
        """Return what each input takes of items, [N, *shape] in its dtype, by name.

        Raises:
            FormatError: the data have other shapes, or no column of an input.
        """
        if self.hook.preprocess is not None:
            return self.hook.prepared(items, self.inputs)
        return {name: taken.prepare(items, self._beside(items)) for name, taken in self.inputs.items()}

    def _beside(self, items: Items) -> list[str]:
        """Return the columns of which the one input without a name in the data is made; none for several inputs."""
        targets = {name for output in self.outputs.values() for name in output.target}
        targets |= {*self.outputs, LABELS, TARGETS}
        return [name for name in items.columns if name not in targets] if len(self.inputs) == 1 else []

    def pack(self, prepared: Arrays) -> np.ndarray:
        """Return what all inputs take as one array, as a batch file of the calibration has it."""
        return pack(prepared, self.inputs)

    def unpack(self, images: np.ndarray) -> Arrays:
        """Return what `pack` packed, as an engine takes it."""
        return unpack(images, self.inputs)

    def define_network(self, trt: ModuleType, network: Any, export: Path) -> None:
        """Parse the model; TensorRT itself takes plugins as libraries alone (docs/plugins.md)."""
        if is_reference(trt):
            self.load_plugins()
        self.model.define(trt, network)

    @property
    def has_scales(self) -> bool:
        """Whether the model says itself what is INT8, so that it takes no calibrator."""
        return self.model.unquantised is not None

    def in_precision(self, precision: str) -> OwnSample:
        """Return the sample whose model an engine of a precision takes."""
        return replace(self, model=self.model.in_precision(precision))

    def load_plugins(self) -> None:
        """Let the reference runtime know the user's own plugins."""
        for path in self.plugins:
            load_plugin_file(path)

    def postprocess(self, outputs: Mapping[str, np.ndarray]) -> Arrays:
        """Return the task's answers, and the outputs as they are under `output/<name>`."""
        count = len(outputs[self.INPUT] if self.INPUT in outputs else outputs[self.OUTPUT])
        given = {name: outputs[name] for name in self.outputs}
        if self.hook.postprocess is not None:
            given = self.hook.processed(given)
        raw = {} if self.lists else {RAW + name: values for name, values in given.items()}
        return {**ANSWERS[self.task](self, given, count), **raw}

    @property
    def lists(self) -> bool:
        """Whether the model gives lists of what it found, which no two precisions have in one order."""
        return self.task == "detection" and gives_lists(self.settings["decoding"]["name"], len(self.outputs))


def read_own(path: Path) -> OwnSample:
    """Return the sample that a `sample.json` describes.

    Raises:
        FormatError: it is damaged.
    """
    with refuse_damage(path, "not a sample of the user's own", "Make it again with snakemake."):
        values = read_json(path)
        folder = path.parent
        model, hook = ModelFile.from_json(values["model"], folder), values["hook"]
        inputs = {name: Input(name, **taken) for name, taken in values["inputs"].items()}
        outputs = {name: Output(**output) for name, output in values["outputs"].items()}
        input_names, output_names = tuple(inputs), tuple(outputs)  # where there are none, [0] is damage
        return OwnSample(
            INPUT=input_names[0],
            INPUTS=input_names,
            OUTPUT=output_names[0],
            EXPLICIT_BATCH=model.explicit_batch,
            model=model,
            inputs=inputs,
            outputs=outputs,
            calibration=Calibration(**values["calibration"]),
            plugins=[folder / name for name in values["plugins"]],
            folder=Path(values["folder"]) if values.get("folder") else None,
            hook=read_hook(folder / HOOK, Path(hook)) if hook else NO_HOOK,
            **{key: values[key] for key in ("task", "classes", "batch", "compared", "settings")},
        )
