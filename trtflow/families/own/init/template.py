"""The YAML file of a sample, with a comment beside all that may be changed."""

from __future__ import annotations

import json
from typing import Any

from trtflow.families.own.init.facts import Facts
from trtflow.families.own.init.guess import Guess
from trtflow.samples.own.calibration import SHARE
from trtflow.workflow.by_hand import ROOT
from trtflow.workflow.kinds import Kinds
from trtflow.workflow.own import usual_gates

PRECISIONS = ("fp32", "fp16", "int8")
BATCH = 8  # of the engines where the model leaves it open
WHOLE_RANGE = ("segmentation",)  # tasks whose INT8 keeps the whole range of each tensor
CHOSEN = ("classification", "multilabel", "detection")  # tasks whose calibrator is chosen by what its engine answers
LABELS = {
    "folder": "that names of pictures start from",
    "labels": "boxes of COCO, VOC or YOLO",
    "masks": "a .png file a picture; 255 does not count",
}
IMAGENET = "of ImageNet's usual training: mean [123.675, 116.28, 103.53], scale [0.017125, 0.017507, 0.017429]"


def to_yaml(
    name: str, title: str, model: dict[str, Any], data: dict[str, str], facts: Facts, guess: Guess, command: str
) -> str:
    """Return the YAML file of a sample.

    Args:
        name: of the sample.
        title: what it is.
        model: its section of that name.
        data: places of the data: `val`, and perhaps `folder`, `labels`, `masks` and `calibration`.
        facts: of the model.
        guess: what it is for.
        command: that wrote it.
    """
    lines = [
        f"# {title}: written by `{command}`; docs/your-own-model.md explains it,",
        "# config/schema/own.schema.json every key.",
        "# Paths are from the folder that snakemake runs in.",
        f"name: {name}",
        f"title: {_text(title)}",
        f"task: {guess.task} # as {guess.why}; others are in config/tasks",
        f"model: {_text({**model, **({'quantised': True} if facts.quantised else {})})}",
        *_inputs(facts, guess),
        *_outputs(facts, guess),
        *_decoding(guess),
        *_data(data, facts, guess),
        f"precisions: {_text(list(PRECISIONS))}",
        *_batch(facts, guess),
        *_calibration(facts, guess),
        "# hook: my_hook.py # preprocess, postprocess and score in Python, where this file cannot say it",
        *_gates(facts, guess),
    ]
    return "\n".join(lines) + "\n"


def _text(value: Any) -> str:
    """Return a value as YAML in one line; names that YAML takes as they are stand without quotes."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(key)}: {_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_text, value)) + "]"
    if isinstance(value, str):
        plain = value.replace("_", "").replace("/", "").replace(".", "").isalnum() and not value[0].isdigit()
        return (
            value
            if plain and value.lower() not in ("true", "false", "null", "yes", "no", "on", "off")
            else json.dumps(value)
        )
    return json.dumps(value)


def _inputs(facts: Facts, guess: Guess) -> list[str]:
    lines = ["inputs: # of the model; an array of the data that has an input's name is what it takes"]
    for name, (shape, dtype) in facts.inputs.items():
        told = guess.inputs[name]
        lines.append(f"  {_text(name)}: {_text(told)} # {dtype} {list(shape)} behind the batch")
        if "pictures" in told:
            lines.append(f"    # a pixel p from 0 to 255 becomes (p - mean) * scale; {IMAGENET}")
    return lines


def _outputs(facts: Facts, guess: Guess) -> list[str]:
    lines = ["outputs: # that are kept; the first is scored where the task scores one"]
    for name in dict.fromkeys([*guess.outputs, *facts.outputs]):  # a decoder takes them in an order of its own
        shape, dtype = facts.outputs[name]
        line = f"  {_text(name)}: {_text(guess.outputs.get(name, {}))} # {dtype} {list(shape)}"
        lines.append(line if name in guess.outputs else f"  #{line[1:]}")
    return lines


def _decoding(guess: Guess) -> list[str]:
    if not guess.decoding:
        return []
    return [
        f"decoding: {_text(guess.decoding)} # how the outputs are read; docs/your-own-detector.md",
        "  # score_threshold: 0.01, nms_iou: 0.5 and keep: 100 hold where nothing else is set",
    ]


def _data(data: dict[str, str], facts: Facts, guess: Guess) -> list[str]:
    lines = [
        "data:",
        f"  val: {_text(data['val'])} # what is scored: pictures in folders or in a list, .npz, .npy, .csv or .parquet",
        *(f"  {key}: {_text(data[key])} # {LABELS[key]}" for key in LABELS if key in data),
    ]
    if guess.colours:
        lines.append(f"  colours: {_text(guess.colours)} # of masks")
    if facts.quantised:
        pass  # nothing calibrates
    elif "calibration" in data:
        lines.append(f"  calibration: {_text(data['calibration'])} # of INT8, without labels")
    else:
        lines.append(
            "  # calibration: my_pictures # of INT8; without this a seeded quarter of val, which is not scored then"
        )
    if guess.classes:
        lines.append(f"  classes: {_text(guess.classes)} # in the order of the output")
    return lines


def _batch(facts: Facts, guess: Guess) -> list[str]:
    """Return the lines of the batch: where items are few, one that the share of them that calibrates fills."""
    if facts.batch is not None:
        return [f"batch_size: {facts.batch} # the model fixes it"]
    share = BATCH if guess.items is None else max(1, guess.items // SHARE)
    return [f"max_batch_size: {min(BATCH, share)} # largest batch of the engines"]


def _calibration(facts: Facts, guess: Guess) -> list[str]:
    """Return the lines of what INT8 is made by; of a model that is quantised already the model says that."""
    if facts.quantised:
        return ["# int8 is as the model's own pairs say; fp32 and fp16 are of the model without them"]
    return [
        *_calibrator(guess),
        "# mixed_precision: auto # keep the layers in float32 without which INT8 misses its gate on the agreement",
    ]


def _calibrator(guess: Guess) -> list[str]:
    if guess.task in WHOLE_RANGE:
        return [
            "calibration: {algorithm: minmax} # of INT8, on up to 512 items; entropy2, which else is usual, cuts off",
            "  # what is rare, and of a picture's pixels the objects often are (docs/your-own-detector.md)",
        ]
    if guess.task in CHOSEN:
        return [
            "calibration: {algorithm: auto} # of INT8, on up to 512 items: by entropy2 and by minmax, of which the",
            "  # table is taken whose engine agrees more with float32; entropy2 alone cuts off what is rare",
        ]
    return ["# calibration: {algorithm: auto, batches: 10, seed: 0} # of INT8; else entropy2 on up to 512 items"]


def _gates(facts: Facts, guess: Guess) -> list[str]:
    told = Kinds(ROOT).get("task", guess.task, "--task")["own"]
    lines = ["gates: # what the report must reach; without this the same"]
    for precision in PRECISIONS:
        lines += [f"  - {_text(gate)}" for gate in usual_gates(precision, told, quantised=facts.quantised)]
    return lines
