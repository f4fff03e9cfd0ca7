"""Reading YAML, checking it against a schema, and laying one configuration over another."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import yaml

from trtflow.workflow.errors import PlanError

SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
LONGEST = 500  # characters of a fault that are told
DEEPEST, MOST_VALUES = 50, 100_000  # of a file: those of config/ have 8 and some thousands
LARGEST = 1 << 63  # of a whole number
# what PyYAML raises besides its own, as for the 99th of a month
UNREADABLE = (ValueError, TypeError, AttributeError, LookupError, OverflowError, RecursionError, MemoryError)
EXPLAINED = "config/README.md explains every key"


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML or JSON file; libyaml, where it is there, halves the time.

    Raises:
        PlanError: it is a folder, is not UTF-8 or not YAML, or cannot be read.
    """
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise PlanError(f"{path}: a pipe or a device, not a YAML file. Put a file in its place.")
        return deepcopy(_values_of(path.read_text(encoding="utf-8-sig")))
    except IsADirectoryError as error:
        raise PlanError(f"{path}: a folder, not a YAML file. Rename it, or move it elsewhere.") from error
    except UnicodeDecodeError as error:
        raise PlanError(f"{path}: not UTF-8 ({error.reason} at byte {error.start}). Save it as UTF-8.") from error
    except (yaml.YAMLError, *UNREADABLE) as error:
        raise PlanError(f"{path}: not YAML: {error}") from error
    except OSError as error:
        raise PlanError(f"{path}: cannot be read ({error.strerror}).") from error


@lru_cache(maxsize=256)  # whoever plans a second time, as a script by hand of many steps, reads the same again
def _values_of(text: str) -> Any:
    _check_nodes(text)
    values = yaml.load(text, Loader=SafeLoader)
    _check_extent(values)
    return values


def _check_nodes(text: str) -> None:
    """Refuse what is nested deeply before it is read, and a key that stands twice, of which YAML's reader takes one.

    libyaml goes down without a limit, and ends the process.

    Raises:
        ValueError: it is nested more than `DEEPEST` deep, or has a key twice.
    """
    inside: list[_Mapping | None] = []  # that are open; None for lists
    for event in yaml.parse(text, Loader=SafeLoader):  # takes half the time of reading
        if isinstance(event, yaml.CollectionEndEvent):
            inside.pop()
        elif isinstance(event, yaml.NodeEvent):
            if inside and inside[-1] is not None:
                inside[-1].note(event)
            if isinstance(event, yaml.CollectionStartEvent):
                inside.append(_Mapping() if isinstance(event, yaml.MappingStartEvent) else None)
        if len(inside) > DEEPEST:
            raise ValueError(f"nested more than {DEEPEST} deep")


@dataclass
class _Mapping:
    """A mapping while it is read: its keys so far, and how many nodes it had, keys and values in turn."""

    keys: set[str] = field(default_factory=set)
    nodes: int = 0

    def note(self, event: Any) -> None:
        """Add a node.

        Raises:
            ValueError: it is a key that stands there already.
        """
        if self.nodes % 2 == 0 and isinstance(event, yaml.ScalarEvent) and event.value != "<<":
            if event.value in self.keys:
                line = event.start_mark.line + 1 if event.start_mark else 0
                raise ValueError(f"the key {event.value!r} stands twice in a mapping, again at line {line}")
            self.keys.add(event.value)
        self.nodes += 1


def _check_extent(values: Any) -> None:
    """Refuse what aliases (`*name`) make endless, or far larger than its text, and numbers that are none.

    Raises:
        ValueError: it is.
    """
    pending, count = [(values, 0)], 0
    while pending:
        value, depth = pending.pop()
        count += 1
        if depth > DEEPEST or count > MOST_VALUES:
            raise ValueError(f"nested more than {DEEPEST} deep, or of more than {MOST_VALUES} values with its aliases")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"the number {value} is not finite")
        if isinstance(value, int) and abs(value) >= LARGEST:
            raise ValueError(f"a whole number of {value.bit_length()} bits")
        if isinstance(value, (dict, list)):
            inner = value.values() if isinstance(value, dict) else value
            pending += [(item, depth + 1) for item in inner]


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the mapping that a YAML file is.

    Raises:
        PlanError: it is none, or as `read_yaml`.
    """
    values = read_yaml(path)
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        kind = "nothing" if values is None else f"a {type(values).__name__}"
        raise PlanError(f"{path}: a mapping of keys is expected, not {kind} ({EXPLAINED})")
    return values


def check(values: dict[str, Any], schema: Path, source: str | Path) -> None:
    """Check a configuration against a schema and fill in its defaults.

    Raises:
        PlanError: a value is wrong; the key, the source and what is allowed stand in it.
    """
    import jsonschema  # noqa: PLC0415 - a tenth of a second, which a start without a sample saves

    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(_rules(schema)).iter_errors(values))
    if error is not None:
        key = ".".join(map(str, error.absolute_path)) or "top level"
        raise PlanError(f"{source}: {key}: {_fault(error)} ({EXPLAINED})")
    complete(values, schema)


def complete(values: dict[str, Any], schema: Path) -> None:
    """Fill in the defaults of a schema."""
    for key, described in _rules(schema).get("properties", {}).items():
        if "default" in described:
            values.setdefault(key, described["default"])


@cache
def _rules(schema: Path) -> dict[str, Any]:
    return dict(json.loads(schema.read_text(encoding="utf-8")))


def _fault(error: Any) -> str:
    """Return what is wrong and what is allowed, of an error of jsonschema."""
    if error.validator != "additionalProperties":
        message = str(error.message)  # it has the whole value in it
        return message if len(message) <= LONGEST else f"{message[:LONGEST]}…"
    known = error.schema["properties"]
    strange = [key for key in error.instance if key not in known]
    return f"unknown key {', '.join(map(str, strange))}. Known: {', '.join(known)}."


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `changes` laid over it, mappings key by key."""
    both = {**base, **changes}
    return {
        key: merged(base[key], value) if isinstance(value, dict) and isinstance(base.get(key), dict) else value
        for key, value in both.items()
    }


def typed(value: Any) -> Any:
    """Return a value with numbers and truth values as such: nested ones of the command line arrive as text."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    if value in ("true", "false", "True", "False"):
        return value.lower() == "true"
    for number in (int, float):
        try:
            return number(value) if isinstance(value, str) else value
        except ValueError:
            continue
    return value


def leaf(values: Mapping[str, Any], dotted: str, default: Any = None) -> Any:
    """Return a value of nested mappings by its dotted name, such as `model.width`."""
    value: Any = values
    for key in dotted.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return default
        value = value[key]
    return value


def put(values: dict[str, Any], dotted: str, value: Any) -> None:
    """Set a value of nested mappings by its dotted name."""
    *parents, last = dotted.split(".")
    for key in parents:
        values = values.setdefault(key, {})
    values[last] = value


def holds(condition: Any, values: Mapping[str, Any]) -> bool:
    """Whether a `when` of config/families and its neighbours holds for a sample.

    Args:
        condition: a mapping of dotted keys to what they must be, all of them; or a list of such, one of which
            must hold. A list of values is one of them, `set` anything, null nothing, `several` a list of two or more.
        values: the sample's configuration, with `data`, mini or full.
    """
    if isinstance(condition, list):
        return any(holds(part, values) for part in condition)
    return all(_is(leaf(values, key), wanted) for key, wanted in (condition or {}).items())


def _is(value: Any, wanted: Any) -> bool:
    if wanted == "set":
        return bool(value)
    if wanted == "several":
        return len(value) > 1
    if wanted is None:
        return not value
    return value in wanted if isinstance(wanted, list) else bool(value == wanted)
