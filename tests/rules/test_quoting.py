"""Nothing that somebody writes into a configuration is run by the shell.

Every string of every schema in config/schema gets values that a shell would run, split or expand, through a dry run that
prints the commands. A value may be refused; what is printed must be quoted: read by a shell, words of it are data.
"""

from __future__ import annotations

import copy
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from workflow_copy import Workflow
from workflow_copy import copy as copy_workflow

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "config/schema"
MARKER = "ran_by_the_shell"
HOSTILE = {
    "substitution": f"$(touch {MARKER})",
    "backticks": f"`touch {MARKER}`",
    "semicolon": f"x; touch {MARKER}; true",
    "single": f"x'; touch {MARKER}; echo '",
    "double": f'x"; touch {MARKER}; echo "',
    "newline": f"x\ntouch {MARKER}",
    "blanks": "two words",
    "braces": "a{b}c{wildcards.sample}",
    "option": "--help",
}


def strings(schema: dict[str, Any], path: tuple[str, ...] = (), root: dict[str, Any] | None = None) -> Iterator:
    """Yield the dotted keys of a schema whose value may be any string."""
    root = root or schema
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        schema = root["$defs"][name]
    kinds = schema.get("type", [])
    if "string" in ([kinds] if isinstance(kinds, str) else kinds) and not {"enum", "const"} & set(schema):
        yield path
    for part in ("oneOf", "anyOf", "allOf"):
        for other in schema.get(part, []):
            yield from strings(other, path, root)
    for key, described in schema.get("properties", {}).items():
        yield from strings(described, (*path, key), root)
    if isinstance(schema.get("items"), dict):
        yield from strings(schema["items"], (*path, "[]"), root)
    if isinstance(schema.get("additionalProperties"), dict):
        yield from strings(schema["additionalProperties"], (*path, "any"), root)


def with_value(base: dict[str, Any], path: tuple[str, ...], value: str) -> dict[str, Any]:
    """Return a copy of a configuration with a value at a place."""
    changed: Any = copy.deepcopy(base)
    place = changed
    for key, after in zip(path, [*path[1:], None], strict=True):
        last = after is None
        made: Any = value if last else [] if after == "[]" else {}
        if isinstance(place, list):
            place[:1] = [made if last or not place or not isinstance(place[0], dict | list) else place[0]]
            place = place[0]
        else:
            kept = place.get(key)
            place[key] = made if last or not isinstance(kept, type(made)) else kept
            place = place[key]
    return changed


def schema_of(name: str) -> dict[str, Any]:
    return json.loads((SCHEMAS / f"{name}.schema.json").read_text())


def places(name: str) -> list[tuple[str, ...]]:
    """Return the places of strings, each once."""
    return list(dict.fromkeys(path for path in strings(schema_of(name)) if path))


CONFIG = [path for path in places("config") if path[0] != "samples"]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    return copy_workflow(tmp_path_factory.mktemp("hostile"))


def commands_are_quoted(workflow: Workflow, value: str, *arguments: str) -> None:
    """Plan with a configuration; run only the quoting of what is printed, never the commands."""
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run", "-p", *arguments],
        cwd=workflow.folder,
        env=workflow.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert not list(workflow.folder.rglob(MARKER)), f"{value!r} was run while planning"
    assert "Traceback" not in done.stdout, done.stdout[-3000:]
    if done.returncode:
        return  # refused, which is as good
    for line in done.stdout.splitlines():
        if MARKER in line and re.search(r"\bpython\S* ", line):
            words = shlex.split(line)  # fails where a quote is left open
            assert "touch" not in words, f"not quoted: {line}"
            unquoted = re.sub(r"'[^']*'", "", line.replace("'\"'\"'", ""))
            assert MARKER not in unquoted, f"not in single quotes: {line}"


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("path", CONFIG, ids=".".join)
def test_strings_of_the_configuration(hostile, tmp_path, path, kind):
    base = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(with_value(base, path, HOSTILE[kind])))
    target = "results/ssd_report.json"
    commands_are_quoted(hostile, HOSTILE[kind], target, "results/index.html", "--configfile", str(file))


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("path", places("sample"), ids=".".join)
def test_strings_of_a_sample(hostile, tmp_path, path, kind):
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump({"samples": {"ssd": with_value({}, path, HOSTILE[kind])}}))
    commands_are_quoted(hostile, HOSTILE[kind], "results/ssd_report.json", "--configfile", str(file))


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("path", places("own"), ids=".".join)
def test_strings_of_a_model_of_ones_own(hostile, tmp_path, path, kind):
    base = {"name": "mine", "model": "model.onnx", "images": "images", "labels": "labels.txt", "classes": "classes.txt"}
    own = with_value(base, path, HOSTILE[kind])
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(own))
    target = "results/mine_report.json"
    commands_are_quoted(hostile, HOSTILE[kind], target, "--config", f"own_samples={tmp_path}")


def test_the_check_of_commands_can_fail(hostile, monkeypatch):
    class Done:
        returncode = 0
        stdout = f"python x $(touch {MARKER})\n"

    monkeypatch.setattr(subprocess, "run", lambda *args, **named: Done)
    with pytest.raises(AssertionError, match="not quoted"):
        commands_are_quoted(hostile, "x")


def test_a_value_with_quotes_is_run_as_data(tmp_path):
    """The real thing, for all values: what Snakemake's `:q` and `shlex.quote` make of them does not run."""
    (tmp_path / "Snakefile").write_text(
        "rule all:\n"
        "    output: 'made'\n"
        "    params: given=lambda wildcards: list(config['values'])\n"
        f"    shell: {sys.executable + ' -c {{params.program:q}} {{params.given:q}} > {{output}}'!r}\n".replace(
            "{{", "{"
        ).replace("}}", "}")
    )
    text = (tmp_path / "Snakefile").read_text()
    program = "import json, sys; print(json.dumps(sys.argv[1:]))"
    (tmp_path / "Snakefile").write_text(text.replace("params: ", f"params: program={program!r}, "))
    (tmp_path / "values.yaml").write_text(yaml.safe_dump({"values": list(HOSTILE.values())}))
    words = [sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", "values.yaml"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "made").read_text()) == list(HOSTILE.values())
    assert not list(tmp_path.rglob(MARKER))
