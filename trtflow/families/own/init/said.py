"""What a YAML file is to say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

ALPHABETICAL, COLUMNS, NUMBERED = "in alphabetical order", "in the order of the columns", "as the data number them"


@dataclass
class Guess:
    """What the YAML file of a sample says.

    Attributes:
        task: of the model.
        why: what that was told from.
        inputs: what each input takes, by name, as in the YAML file.
        outputs: those that are kept, as in the YAML file; the one to score first.
        classes: names of the classes, in the order of the output.
        order: which order that is.
        named: how many of them, from the first, have names of the data's, in alphabetical order; 0 where numbers or
            columns say which is which.
        decoding: how a detector's outputs are read, as in the YAML file.
        colours: of masks by class, where their pixels are colours.
        items: how many the data have; None where there are none.
        left: what the user has to look at, a sentence each.
        tried: what the model's answers to some of the data said, a sentence each.
    """

    task: str
    why: str
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    classes: list[str] = field(default_factory=list)
    order: str = NUMBERED
    named: int = 0
    decoding: dict[str, Any] = field(default_factory=dict)
    colours: dict[str, list[int]] = field(default_factory=dict)
    items: int | None = None
    left: list[str] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
