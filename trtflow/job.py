"""One step of a sample: which files it reads, which it writes, and the settings that it depends on.

The workflow hands a step to its script as one JSON object (`--job`); by hand a script finds the same in the
configuration: `python scripts/train.py --sample ssd`, with other files by `--input NAME=PATH…` and
`--output NAME=PATH…`, and other settings by `--set model.width=0.25`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from trtflow.cli import parser
from trtflow.formats import UserError

Files = Mapping[str, tuple[Path, ...]]
NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Job:
    """A step of a sample.

    Attributes:
        sample: its name, as in config/samples.
        step: name of the step, as in config/families, config/tasks or config/data_sets.
        function: of the module that does it; by default named as the step.
        family, task, data_set: which of `trtflow.families`, `trtflow.tasks` and `trtflow.datasets` the sample has.
        settings: the part of the sample's configuration that the step depends on, nested as in config/samples.
        inputs, outputs: files by name.
        precision: fp32, fp16 or int8, where the step is of one.
    """

    sample: str
    step: str
    function: str
    family: str
    task: str
    data_set: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    inputs: Files = field(default_factory=dict)
    outputs: Files = field(default_factory=dict)
    precision: str | None = None

    def files(self, name: str) -> tuple[Path, ...]:
        """Return the files of an input, none where the step has no such input."""
        return self.inputs.get(name, ())

    def input(self, name: str) -> Path:
        """Return the first file of an input.

        Raises:
            UserError: there is none.
        """
        return self._one(self.inputs, name, "input")

    def output(self, name: str) -> Path:
        """Return the first file of an output.

        Raises:
            UserError: there is none.
        """
        return self._one(self.outputs, name, "output")

    def setting(self, name: str, default: Any = None) -> Any:
        """Return a setting by its dotted name, such as `model.width`."""
        value: Any = self.settings
        for key in name.split("."):
            if not isinstance(value, Mapping) or key not in value:
                return default
            value = value[key]
        return value

    def _one(self, files: Files, name: str, kind: str) -> Path:
        if not files.get(name):
            known = ", ".join(files) or "none"
            raise UserError(f"{self.sample}: {self.step}: no {kind} {name!r}. Known: {known}.")
        return files[name][0]


def read_job(stage: str, description: str | None) -> Job:
    """Return the job of the command line of the script of a stage, such as train.

    Raises:
        UserError: there is no such sample, step, file or setting.
    """
    arguments = parser(description)
    arguments.add_argument("--job", metavar="JSON", help="the step as the workflow gives it; all else is by hand")
    arguments.add_argument("--sample", help="name of the sample")
    arguments.add_argument(
        "--step", help="of its steps of this stage; where there is one, or one of the stage's name, that"
    )
    arguments.add_argument("--precision", help="of a step that every precision has: fp32, fp16 or int8")
    arguments.add_argument("--program", help="of a step that every other form of the model has: caffe or uff")
    arguments.add_argument("--data", choices=["mini", "full"], default="mini", help="which data sets")
    for name in ("input", "output"):
        text = f"other files of an {name} than the workflow's"
        arguments.add_argument(f"--{name}", nargs="+", action="append", default=[], metavar="NAME=PATH", help=text)
    arguments.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="another setting")
    options = arguments.parse_args()
    if options.job is not None:
        return _of_workflow(options.job)
    if options.sample is None:
        arguments.error("--sample is required, the name of a sample such as ssd")
    return _by_hand(stage, options)


def _of_workflow(text: str) -> Job:
    values = json.loads(text)
    for name in ("inputs", "outputs"):
        values[name] = {key: tuple(map(Path, files)) for key, files in values[name].items()}
    return Job(**values)


def _by_hand(stage: str, options: argparse.Namespace) -> Job:
    # needs PyYAML, which the engine's Python has not
    from trtflow.workflow.by_hand import plan_step, replace_files  # noqa: PLC0415
    from trtflow.workflow.errors import PlanError  # noqa: PLC0415

    asked = (options.sample, stage, options.step, options.precision, options.data, options.set, options.program)
    try:
        planned = plan_step(*asked)
        for kind in ("input", "output"):
            for texts in getattr(options, kind):
                replace_files(planned, kind, texts)
    except PlanError as error:
        raise UserError(str(error)) from error
    # so that a start under another Python finds the same step without a configuration
    sys.argv[1:] = ["--job", json.dumps(planned, sort_keys=True)]
    return _of_workflow(sys.argv[-1])
