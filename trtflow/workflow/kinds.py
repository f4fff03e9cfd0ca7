"""Families, tasks and data sets: what config/families, config/tasks and config/data_sets say of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from trtflow.workflow.configuration import holds, leaf, read_mapping
from trtflow.workflow.errors import PlanError, unknown

KINDS = {"family": "families", "task": "tasks", "data_set": "data_sets"}
ORDER = ("data_set", "task", "family")
OPTIONAL = ("recurrent", "generation", "inference", "serving", "figures", "picture")  # keys that not every sample reads


@dataclass(frozen=True)
class Kinds:
    """All families, tasks and data sets, each by the name of its file.

    Attributes:
        root: folder of the workflow's checkout.
    """

    root: Path

    @cached_property
    def _all(self) -> dict[str, dict[str, dict[str, Any]]]:
        return {
            kind: {path.stem: read_mapping(path) for path in sorted((self.root / "config" / folder).glob("*.yaml"))}
            for kind, folder in KINDS.items()
        }

    @cached_property
    def _common(self) -> dict[str, Any]:
        return read_mapping(self.root / "config/steps.yaml")

    def get(self, kind: str, name: str, source: str) -> dict[str, Any]:
        """Return what is said of a family, task or data set.

        Raises:
            PlanError: there is none of that name.
        """
        if name not in self._all[kind]:
            raise PlanError(f"{source}: {kind}: {unknown(kind.replace('_', ' '), name, self._all[kind])}")
        return self._all[kind][name]

    def of(self, sample: Mapping[str, Any], source: str = "") -> dict[str, dict[str, Any]]:
        """Return what all samples have, and a sample's data set, task and family; what a later one says goes before.

        Raises:
            PlanError: there is none of that name.
        """
        source = source or sample["name"]
        return {"": self._common} | {kind: self.get(kind, sample[kind], source) for kind in ORDER}

    @property
    def own_tasks(self) -> list[str]:
        """Names of the tasks that models of the user's own can have."""
        return [name for name, task in self._all["task"].items() if "own" in task]

    def told(self, sample: Mapping[str, Any], key: str, default: Any = None) -> Any:
        """Return what the family of a sample says of something, or else its task, or else its data set."""
        for kind in reversed(self.of(sample).values()):
            if key in kind:
                return kind[key]
        return default

    def check_sample(self, sample: Mapping[str, Any], source: str) -> None:
        """Refuse a sample that lacks what its family, task or data set needs, or has what none of them reads.

        Raises:
            PlanError: it does.
        """
        kinds = list(self.of(sample, source).values())
        family = kinds[-1]
        if family.get("task", sample["task"]) != sample["task"]:
            raise PlanError(f"{source}: task: family {sample['family']!r} is of task {family['task']!r}")
        needed = [key for kind in kinds for key in kind.get("requires", [])]
        for key in needed:
            if leaf(sample, key) is None and "trained_by" not in sample["model"]:
                raise PlanError(
                    f"{source}: {key} is missing; family {sample['family']!r}, task {sample['task']!r} or data set "
                    f"{sample['data_set']!r} needs it"
                )
        read = {key.split(".")[0] for key in needed} | {key for kind in kinds for key in _keys_read(kind)}
        for key in OPTIONAL:
            if key in sample and key not in read:
                raise PlanError(
                    f"{source}: {key}: nothing of family {sample['family']!r} or task {sample['task']!r} reads it"
                )
        for kind in kinds:
            _check_values(kind, sample, source)


def _check_values(kind: Mapping[str, Any], sample: Mapping[str, Any], source: str) -> None:
    """Refuse values that a family, task or data set has fixed or refuses."""
    for key, value in kind.get("fixed", {}).items():
        if leaf(sample, key) != value:
            raise PlanError(f"{source}: {key}: {leaf(sample, key)} is not {value}, all that {kind['title']} allows")
    for refused in kind.get("refuses", []):
        if leaf(sample, refused["key"]) is not None and holds(refused.get("when"), sample):
            raise PlanError(f"{source}: {refused['key']}: {kind['title']}: {refused['why']}. Leave it out.")


def _keys_read(kind: Mapping[str, Any]) -> set[str]:
    """Return the first parts of the settings that the steps of a family, task or data set read."""
    read: set[str] = set()
    for step in kind["steps"].values():
        read |= {key.split(".")[0] for key in step.get("settings", [])}
        read |= set(step.get("when", {})) if isinstance(step.get("when"), dict) else set()
    return read
