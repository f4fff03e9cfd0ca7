"""Nothing that somebody writes into a configuration is run by the shell.

Every string of every schema in config/schema that may be any string gets a value that a shell would run, split and
expand, through a dry run that prints the commands. Such a value may be refused, by name; in what is printed it must be
one word, as a shell reads it.
"""

from __future__ import annotations

import copy
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from workflow_copy import Workflow
from workflow_copy import copy as copy_workflow

from trtflow.workflow.errors import PlanError
from trtflow.workflow.plan import make_plan

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "config/schema"
MARKER = "ran_by_the_shell"
SEPARATE = (
    f"$(touch {MARKER})",
    f"`touch {MARKER}`",
    f"x; touch {MARKER}; true",
    f"x'; touch {MARKER}; echo '",
    f'x"; touch {MARKER}; echo "',
    f"x\ntouch {MARKER}",
    "two words",
    "a{b}c{wildcards.sample}{{d}}",
    "--help",
    "",
)
# all at once, so that a place needs one dry run
HOSTILE = f'it\'s "$(touch {MARKER})" `touch {MARKER}`; touch {MARKER} & {{a}}{{{{b}}}} *'
# for places whose schema asks for more than a string
FORMS = ("{}", "{}.onnx", "https://example.org/{}", "{}.gz", "{}.yaml")
OWN = {
    "name": "mine",
    "title": "mine",
    "model": {"file": "model.onnx"},
    "data": {"classes": "classes.txt", "val": "val.npz"},
    "precisions": ["fp32"],
    "gates": [{"name": "top1", "metric": "top1", "precision": "fp32", "op": ">=", "limit": 0.5}],
}


def schema_of(name: str) -> dict[str, Any]:
    """Return a schema of config/schema."""
    return json.loads((SCHEMAS / f"{name}.schema.json").read_text())


def strings(schema: Any, root: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield where a schema has a free string: keys, `[]` for an element of a list, `any` for a key of any name."""
    if not isinstance(schema, dict):
        return
    if "$ref" in schema:
        yield from strings(root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, path)
    kinds = schema.get("type", [])
    if "string" in ([kinds] if isinstance(kinds, str) else kinds) and not {"enum", "const"} & set(schema):
        yield path
    for part in ("oneOf", "anyOf", "allOf"):
        for other in schema.get(part, []):
            yield from strings(other, root, path)
    for key, described in schema.get("properties", {}).items():
        yield from strings(described, root, (*path, key))
    yield from strings(schema.get("items"), root, (*path, "[]"))
    yield from strings(schema.get("additionalProperties"), root, (*path, "any"))


def with_value(place: Any, path: Sequence[str], value: str) -> Any:
    """Return a copy of a configuration with a value at a place; what lies on the way is made."""
    if not path:
        return value
    key, *rest = path
    if key == "[]":
        first = place[0] if isinstance(place, list) and place else None
        return [with_value(first, rest, value)]
    kept = copy.deepcopy(place) if isinstance(place, dict) else {}
    kept[key] = with_value(kept.get(key), rest, value)
    return kept


def places(name: str, base: dict[str, Any]) -> dict[tuple[str, ...], str]:
    """Return the places of a schema that allow the hostile value, in one of its forms, with that."""
    schema = schema_of(name)
    valid = jsonschema.Draft202012Validator(schema)
    before = len(list(valid.iter_errors(base)))
    found = {}
    for path in dict.fromkeys(filter(None, strings(schema, schema))):
        values = (form.format(HOSTILE) for form in FORMS)
        fits = (value for value in values if len(list(valid.iter_errors(with_value(base, path, value)))) <= before)
        if (value := next(fits, None)) is not None:
            found[path] = value
    return found


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """A workflow in which nothing is made."""
    workflow = copy_workflow(tmp_path_factory.mktemp("hostile"))
    for name in ("model.onnx", "classes.txt", "val.npz"):
        (workflow.folder / name).touch()
    return workflow


def check_printed(said: str) -> None:
    """Refuse commands in which the hostile value is not one word, or part of one."""
    for line in said.splitlines():
        if MARKER not in line or not re.search(r"(^|[ /])python\S* ", line):
            continue
        words = shlex.split(line)  # fails where a quote is left open
        assert "touch" not in words, f"not quoted: {line}"
        outside = re.sub(r"'[^']*'", "", line.replace("'\"'\"'", ""))
        assert MARKER not in outside, f"the shell would expand it: {line}"


def dry_run(workflow: Workflow, *arguments: str) -> str:
    """Print and check the commands of a run; return the error that ended it, which has to be one line, or nothing."""
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run", "-p", *arguments],
        cwd=workflow.folder,
        env=workflow.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert not list(workflow.folder.rglob(MARKER)), "it was run while planning"
    assert "Traceback" not in done.stdout, done.stdout[-3000:]
    check_printed(done.stdout)
    last = (done.stdout.splitlines() or [""])[-1]
    assert not done.returncode or last.startswith("error: "), done.stdout[-3000:]
    return last if done.returncode else ""


Run = Callable[[dict[str, Any]], str]


def walk(
    base: dict[str, Any], found: dict[tuple[str, ...], str], plan: Callable[[dict[str, Any]], Any], run: Run
) -> None:
    """Try each place: alone with the plan, which may refuse it by name, and those it takes in one dry run."""
    taken = []
    for path, value in found.items():
        refused = ""
        try:
            plan(with_value(base, path, value))
        except PlanError as error:
            refused = str(error)
        assert not refused or MARKER in refused, f"{'.'.join(path)}: refused, but not named: {refused}"
        if not refused:
            taken.append(path)
    assert taken
    run_together(base, {path: found[path] for path in taken}, run)


def run_together(base: dict[str, Any], found: dict[tuple[str, ...], str], run: Run) -> None:
    """Try places in one dry run, and where that ends early each half of them, down to one that is refused by name."""
    together = base
    for path, value in found.items():
        together = with_value(together, path, value)
    error = run(together)
    if error and len(found) > 1:
        places, middle = list(found.items()), len(found) // 2
        for half in (places[:middle], places[middle:]):
            run_together(base, dict(half), run)
    else:
        assert not error or MARKER in error, f"{'.'.join(*found)}: refused, but not named: {error}"


def test_strings_of_the_configuration(hostile, tmp_path):
    base = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    file = tmp_path / "config.yaml"

    def run(values: dict[str, Any]) -> str:
        file.write_text(yaml.safe_dump(values))
        return dry_run(hostile, "results/ssd_report.json", "results/index.html", "--configfile", str(file))

    walk(base, places("config", base), lambda values: make_plan(hostile.folder, values), run)


def test_strings_of_a_sample(hostile, tmp_path):
    base = yaml.safe_load((ROOT / "config/samples/ssd.yaml").read_text())
    file = tmp_path / "config.yaml"

    def run(values: dict[str, Any]) -> str:
        file.write_text(yaml.safe_dump({"samples": {"ssd": values}}))
        if table := values["calibration"].get("table"):
            (hostile.folder / table).touch()  # it is looked for while planning
        return dry_run(hostile, "results/ssd_report.json", "--configfile", str(file))

    walk(base, places("sample", base), lambda values: make_plan(hostile.folder, {"samples": {"ssd": values}}), run)


def test_strings_of_a_model_of_ones_own(hostile, tmp_path):
    def write(values: dict[str, Any]) -> dict[str, Any]:
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(values))
        for part in (values["model"], values["data"]):
            for name in part.values():
                if isinstance(name, str) and HOSTILE in name and "/" not in name:
                    (hostile.folder / name).touch()
        return {"own_samples": str(tmp_path)}

    def run(values: dict[str, Any]) -> str:
        write(values)
        return dry_run(hostile, "results/mine_report.json", "--config", f"own_samples={tmp_path}")

    walk(OWN, places("own", OWN), lambda values: make_plan(hostile.folder, write(values)), run)


@pytest.mark.parametrize(
    "line", [f"python x $(touch {MARKER})", f'python x "$(touch {MARKER})"', f"python x 'a'; touch {MARKER}"]
)
def test_the_check_can_fail(line):
    with pytest.raises(AssertionError, match="not quoted|would expand"):
        check_printed(line)
    check_printed(f"python x {shlex.quote(HOSTILE)}")


@pytest.mark.parametrize(
    "values",
    [
        {"samples": {"tf_ssd": {"model": {"output": ""}}}},
        {"compare": {"": "docs/results/cpu", "H200": "docs/results/h200"}},
        {"compare": {"CPU": "", "H200": "docs/results/h200"}},
        {"own_samples": ""},
    ],
)
def test_an_empty_word_that_would_follow_an_option_is_refused(values):
    with pytest.raises(PlanError, match="should be non-empty|too short"):
        make_plan(ROOT, values)


@pytest.mark.parametrize("values", [{"picture": "a{b}.jpg"}, {"artefacts": [{"file": "x.gz", "path": "a{b}"}]}])
def test_braces_in_a_file_of_the_workflow_are_refused(values):
    """They would be a wildcard, whatever is done to them."""
    with pytest.raises(PlanError, match="does not match"):
        make_plan(ROOT, {"samples": {"ssd": values}})


def test_what_snakemake_quotes_a_job_receives_as_it_is(tmp_path):
    """But for an empty word, which it leaves out: schemas refuse one where it would follow an option."""
    program = "import json, sys; print(json.dumps(sys.argv[1:]))"
    (tmp_path / "Snakefile").write_text(
        f"""rule all:
    output: "made"
    params: program={program!r}, given=lambda wildcards: config["values"]
    shell: "{sys.executable} -c {{params.program:q}} {{params.given:q}} > {{output:q}}"
"""
    )
    values = [*SEPARATE, HOSTILE]
    (tmp_path / "values.yaml").write_text(yaml.safe_dump({"values": values}))
    words = [sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", "values.yaml"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "made").read_text()) == [value for value in values if value]
    assert not list(tmp_path.rglob(MARKER))
