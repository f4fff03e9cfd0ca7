"""The plan of a run, without Snakemake: files, steps and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from trtflow.workflow import downloads, options
from trtflow.workflow.by_hand import plan_step, replace_files
from trtflow.workflow.configuration import holds, read_mapping
from trtflow.workflow.errors import PlanError
from trtflow.workflow.plan import CONVERTED, Plan, make_plan
from trtflow.workflow.steps import inputs_of, outputs_of, settings_of, step_rules

ROOT = Path(__file__).resolve().parents[2]
STAGES = ("make_data", "train", "predict", "export", "infer", "score", "compare", "measure", "profile", "draw")
OWN = {
    "name": "mine",
    "title": "Of my own",
    "model": {"file": "digits.onnx"},
    "data": {"classes": "classes.txt", "val": "pictures"},
    "precisions": ["fp32"],
    "gates": [{"name": "top1", "metric": "top1", "precision": "fp32", "op": ">=", "limit": 0.9}],
}


@pytest.fixture(scope="module", params=["mini", "full"])
def plan(request: pytest.FixtureRequest) -> Plan:
    return make_plan(ROOT, {"data": request.param})


def checkout(folder: Path) -> Path:
    """Copy what a plan reads."""
    shutil.copytree(ROOT / "config", folder / "config")
    return folder


def edit(path: Path, **changes: Any) -> None:
    """Change top keys of a YAML file; None takes one away."""
    values = {**yaml.safe_load(path.read_text()), **changes}
    path.write_text(yaml.safe_dump({key: value for key, value in values.items() if value is not None}))


def rules(schema: str) -> Any:
    """Return what checks values against a schema that is one."""
    text = json.loads((ROOT / f"config/schema/{schema}.schema.json").read_text())
    kind = jsonschema.validators.validator_for(text)
    kind.check_schema(text)
    return kind(text)


@pytest.mark.parametrize(
    ("folder", "schema"),
    [("samples", "sample"), ("families", "kind"), ("tasks", "kind"), ("data_sets", "kind")],
)
def test_configuration_fits_its_schema(folder: str, schema: str) -> None:
    fit = rules(schema)
    files = sorted((ROOT / "config" / folder).glob("*.yaml"))
    assert len(files) > 4
    for path in files:
        fit.validate(read_mapping(path))


def test_other_configuration_fits_its_schema() -> None:
    for file, schema in (("downloads", "downloads"), ("config", "config"), ("steps", "kind")):
        rules(schema).validate(read_mapping(ROOT / f"config/{file}.yaml"))


def test_samples_with_data_full_laid_over_them_fit_too(plan: Plan) -> None:
    fit = rules("sample")
    for sample in plan.samples.values():
        fit.validate(sample)


def written_by_steps(plan: Plan, sample: str) -> set[str]:
    """Return the files that the steps of a sample write, with their wildcards filled in."""
    values = plan.sample(sample)
    fillings = [(p, program) for p in values["precisions"] for program in values.get("programs", [""])]
    return {
        file.replace("{precision}", precision).replace("{program}", program)
        for name, says in plan.steps(sample).items()
        for files in outputs_of(plan, sample, name, says).values()
        for file in files
        for precision, program in fillings
    }


def test_a_table_that_is_there_takes_the_place_of_a_calibration(tmp_path: Path) -> None:
    table = tmp_path / "old"
    given = make_plan(ROOT, {"samples": {"ssd": {"calibration": {"table": str(table), "fallback": True}}}})
    assert "ssd" not in given.calibrated()
    assert "int8" in given.calibrated()
    assert given.table("ssd", "int8") == ["results/ssd/calibration/CalibrationTablessd"]
    assert "--fallback" in options.network(given, "ssd", "int8")
    assert "--fallback" not in options.network(given, "ssd", "fp16")
    with pytest.raises(PlanError, match=r"samples\.ssd\.calibration\.table: .*old: no such file"):
        given.given_table_state("ssd")
    table.write_text("one")
    before = given.given_table_state("ssd")
    table.write_text("another")
    assert given.given_table_state("ssd") != before


@pytest.mark.parametrize(
    ("sample", "settings", "fault"),
    [
        ("ssd", {"foreign": True}, "'table' is a dependency of 'foreign'"),
        ("ssd", {"fallback": True}, "'table' is a dependency of 'fallback'"),
        ("ssd", {"table": ""}, "table"),
        ("ssd", {"table": 3}, "table"),
        ("int8_api", {"table": "old"}, "with algorithm: ranges there is no table"),
    ],
)
def test_settings_of_a_table_that_cannot_be(sample: str, settings: dict, fault: str) -> None:
    with pytest.raises(PlanError, match=f"samples.{sample}: calibration.*{fault}"):
        make_plan(ROOT, {"samples": {sample: {"calibration": settings}}})


def test_every_input_of_a_step_is_made_by_a_step_or_by_a_rule_of_its_own(plan: Plan) -> None:
    by_rules = (".plan", ".json", "inputs.npz", "/artefacts/", "results/downloads/", "/before_refit")
    for sample in plan.samples:
        converted = {
            plan.path(sample, f"export/{file}") for form in plan.forms(sample) for file in CONVERTED.get(form, ())
        }
        made = written_by_steps(plan, sample) | written_by_steps(plan, plan.owner(sample)) | converted
        for name, says in plan.steps(sample).items():
            for files in inputs_of(plan, sample, name, says).values():
                for file in files:
                    filled = file.replace("{precision}", "fp32").replace("{program}", "caffe")
                    assert filled in made or any(part in file for part in by_rules), (sample, name, file)


def test_no_two_steps_of_a_sample_write_the_same_file(plan: Plan) -> None:
    for sample in plan.samples:
        steps = plan.steps(sample)
        files = [
            file
            for name, says in steps.items()
            for files in outputs_of(plan, sample, name, says).values()
            for file in files
        ]
        assert len(files) == len(set(files)), sample


def test_rules_of_steps_have_names_and_samples_of_their_own(plan: Plan) -> None:
    rules = [rule for stage in STAGES for rule in step_rules(plan, stage)]
    names = [rule.name for rule in rules]
    assert len(names) == len(set(names))
    assert {sample for rule in rules for sample in rule.samples} == set(plan.samples)
    jobs = [(rule.step, sample) for rule in rules for sample in rule.samples]
    assert len(jobs) == len(set(jobs))


def test_every_stage_of_the_schema_has_a_script() -> None:
    rules = json.loads((ROOT / "config/schema/kind.schema.json").read_text())
    stages = rules["properties"]["steps"]["additionalProperties"]["properties"]["stage"]["enum"]
    assert sorted(stages) == sorted(STAGES)
    assert all((ROOT / f"scripts/{stage}.py").exists() for stage in stages)


def test_step_depends_on_the_settings_it_names_and_no_others() -> None:
    plan = make_plan(ROOT, {"latency_seconds": 2, "samples": {"ssd": {"training": {"steps": 7}}}})
    steps = plan.steps("ssd")
    assert settings_of(plan, "ssd", steps["compare"]) == {"nms_iou": 0.45}  # of the family
    trained = settings_of(plan, "ssd", steps["train"])
    assert trained["training"]["steps"] == 7
    assert trained["model"] == {"width": 0.125}
    assert settings_of(plan, "ssd", steps["make_val"]) == {"splits": {"val": 200, "seed": 0}}
    assert settings_of(plan, "ssd", steps["profile"])["latency_seconds"] == 2  # of all samples


def test_split_is_a_manifest_where_it_is_read_and_a_folder_where_it_is_made() -> None:
    plan = make_plan(ROOT, {})
    assert plan.split("ssd", "val") == ["results/ssd/data/val.sha256"]
    assert plan.made_split("ssd", "val") == ["results/ssd/data/val", "results/ssd/data/val.sha256"]
    calibration = plan.split("ssd", "calibration")
    assert calibration[0] == "results/ssd/data/calibration/ImageSets/Main/calibration.txt"
    assert len(calibration) == 101
    assert plan.split("mnist", "val") == ["results/mnist/data/val.npz"]


def test_model_of_another_sample_is_read_there() -> None:
    plan = make_plan(ROOT, {})
    assert plan.frozen("uff_ssd") == ["results/tf_ssd/model/frozen.pb"]
    assert make_plan(ROOT, {"data": "full"}).frozen("uff_ssd") == ["results/tf_ssd/artefacts/frozen.pb"]
    assert plan.training_log("uff_ssd") == ["results/tf_ssd/model/training.json"]


@pytest.mark.parametrize(
    ("when", "true"),
    [
        (None, True),
        ({"model.width": 0.5}, True),
        ({"model.width": [0.25, 0.5]}, True),
        ({"model.width": 0.25}, False),
        ({"model.width": "set"}, True),
        ({"model.size": None}, True),
        ({"model.size": "set"}, False),
        ({"precisions": "several"}, True),
        ({"model.width": 0.5, "model.size": "set"}, False),
        ([{"model.size": "set"}, {"model.width": 0.5}], True),
    ],
)
def test_condition(when: Any, true: bool) -> None:
    assert holds(when, {"model": {"width": 0.5}, "precisions": ["fp32", "fp16"]}) is true


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"family": "sdd"}, "family: unknown family 'sdd'. Did you mean 'ssd'? Known: "),
        ({"task": "detektion"}, "task: unknown task 'detektion'. Did you mean 'detection'? Known: "),
        ({"data_set": "scenes"}, "data_set: unknown data set 'scenes'."),
        ({"task": "classification"}, "task: family 'ssd' is of task 'detection'"),
        ({"figures": None}, "figures is missing; family 'ssd', task 'detection'"),
        ({"recurrent": "layers"}, "recurrent: nothing of family 'ssd' or task 'detection' reads it"),
        ({"source": "onnx"}, "source: unknown form 'onnx'"),
    ],
)
def test_sample_that_does_not_fit_its_kinds_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    root = checkout(tmp_path)
    edit(root / "config/samples/ssd.yaml", **changes)
    with pytest.raises(PlanError) as error:
        make_plan(root, {}).exports("ssd")
    assert message in str(error.value)
    assert "ssd" in str(error.value).split(":")[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"- a\n- b\n", "a mapping of keys is expected, not a list"),
        (b"", "a mapping of keys is expected, not nothing"),
        ("title: Übung\n".encode("latin-1"), "not UTF-8"),
        (b"a: [1\n", "not YAML"),
        (b"title: a\ndata: {val: b, val: c}\n", "not YAML: the key 'val' stands twice in a mapping, again at line 2"),
        (None, "a folder, not a YAML file"),
    ],
)
def test_unreadable_own_sample_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "odd.yaml"
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    with pytest.raises(PlanError) as error:
        make_plan(ROOT, {"own_samples": str(tmp_path)})
    assert str(error.value).startswith(f"{file}: {message}")


def test_a_pipe_is_no_own_sample(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "odd.yaml")
    with pytest.raises(PlanError, match="odd.yaml: a pipe or a device, not a YAML file"):
        make_plan(ROOT, {"own_samples": str(tmp_path)})


@pytest.mark.parametrize("name", ["mine.yml", "mine.YAML"])
def test_an_own_sample_is_not_passed_over_for_its_ending(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(yaml.safe_dump(OWN))
    with pytest.raises(PlanError, match=f"{name}: samples end in .yaml. Rename it to mine.yaml"):
        make_plan(ROOT, {"own_samples": str(tmp_path)})


def test_own_sample_is_planned_as_all_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config/samples").mkdir(parents=True)
    (tmp_path / "config/samples/mine.yaml").write_text(yaml.safe_dump(OWN))
    plan = make_plan(ROOT, {})
    assert plan.own == ("mine",)
    assert plan.exports("mine") == [
        f"results/mine/export/{name}" for name in ("sample.json", "model.onnx", "SHA256SUMS")
    ]
    assert plan.split("mine", "val") == ["results/mine/own/val.sha256"]
    assert {"import_model", "predict", "infer", "score", "compare", "draw", "measure", "profile"} == set(
        plan.steps("mine")
    )


def test_own_sample_with_a_table_needs_nothing_to_calibrate_on(tmp_path: Path) -> None:
    def planned(**calibration: Any) -> Plan:
        own = {**OWN, "precisions": ["fp32", "int8"], "calibration": calibration}
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(own))
        return make_plan(ROOT, {"own_samples": str(tmp_path)})

    assert planned().batches("mine") == ["results/mine/calibration/batches/batch0"]
    taken = planned(table="old", foreign=True)
    assert "mine" not in taken.calibrated()
    assert "calibration" not in taken.sample("mine")["own"]["data"]
    assert options.given_table(taken, "mine") == ["--algorithm", "entropy2", "--foreign"]
    with pytest.raises(PlanError, match=r"mine\.yaml: calibration: with a table .* Leave batches, seed out"):
        planned(table="old", batches=3, seed=0)
    with pytest.raises(PlanError, match="'table' is a dependency of 'foreign'"):
        planned(foreign=True)


def test_own_files_are_listed_anew_when_one_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config/samples").mkdir(parents=True)
    (tmp_path / "config/samples/mine.yaml").write_text(yaml.safe_dump(OWN))
    (tmp_path / "pictures/cat").mkdir(parents=True)
    (tmp_path / "pictures/cat/{odd} name's.png").write_bytes(b"1")
    plan = make_plan(ROOT, {})
    before = plan.own_state("mine", "val")
    assert plan.own_state("mine", "val") == before
    (tmp_path / "pictures/cat/more.png").write_bytes(b"2")
    assert plan.own_state("mine", "val") != before
    with pytest.raises(PlanError, match=r"digits.onnx: no such file or folder. Correct the path"):
        plan.own_state("mine", "model")


def test_own_files_from_the_future_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config/samples").mkdir(parents=True)
    (tmp_path / "config/samples/mine.yaml").write_text(yaml.safe_dump(OWN))
    (tmp_path / "pictures/cat").mkdir(parents=True)
    picture = tmp_path / "pictures/cat/1.png"
    picture.write_bytes(b"1")
    plan = make_plan(ROOT, {})
    os.utime(picture, (time.time() + 60, time.time() + 60))
    plan.own_state("mine", "val")
    os.utime(picture, (time.time() + 7200, time.time() + 7200))
    with pytest.raises(PlanError, match=r"samples.mine: .*1.png: it was last changed .*, which is 2.0 hours from now"):
        plan.own_state("mine", "val")


def test_step_by_hand_has_the_files_and_settings_of_the_workflow() -> None:
    job = plan_step("ssd", "score", "score", "int8", "mini", ["splits.val=12"])
    assert job["inputs"] == {
        "val": ["results/ssd/data/val.sha256"],
        "predictions": ["results/ssd/predictions.int8.npz"],
    }
    assert job["outputs"] == {"metrics": ["results/ssd/metrics.int8.json"]}
    assert job["precision"] == "int8"
    assert plan_step("ssd", "train", "train", None, "mini", ["training.steps=5"])["settings"]["training"]["steps"] == 5
    with pytest.raises(PlanError, match="unknown sample 'sdd'. Did you mean 'ssd'"):
        plan_step("sdd", "train", "train", None, "mini", [])
    with pytest.raises(PlanError, match="unknown step of stage make_data 'make_vall'. Did you mean 'make_val'"):
        plan_step("ssd", "make_data", "make_vall", None, "mini", [])
    with pytest.raises(PlanError, match="'steps' is not KEY=VALUE"):
        plan_step("ssd", "train", "train", None, "mini", ["steps"])
    with pytest.raises(
        PlanError, match="several steps of stage make_data: make_train, make_val, make_calibration. Give"
    ):
        plan_step("ssd", "make_data", None, None, "mini", [])
    with pytest.raises(PlanError, match="unknown step of stage export 'capture_batches'"):  # batches are made
        plan_step("ssd", "export", "capture_batches", None, "mini", [])
    with pytest.raises(PlanError, match="ssd: no step of stage make_datum"):
        plan_step("ssd", "make_datum", None, None, "mini", [])


def test_step_by_hand_of_a_precision_or_program() -> None:
    assert plan_step("ssd", "infer", None, None, "mini", [])["precision"] == "fp32"
    with pytest.raises(PlanError, match="ssd: unknown precision 'fp64'"):
        plan_step("ssd", "infer", None, "fp64", "mini", [])
    with pytest.raises(PlanError, match="step train is not of one precision"):
        plan_step("ssd", "train", None, "fp32", "mini", [])
    sample = "introductory_parser_samples"
    job = plan_step(sample, "infer", "infer_program", None, "mini", [], "uff")
    assert job["sample"] == f"{sample}.uff"
    assert job["outputs"] == {"predictions": [f"results/{sample}/uff/predictions.npz"]}
    with pytest.raises(PlanError, match="unknown program 'onnx'. Known: caffe, uff"):
        plan_step(sample, "infer", "infer_program", None, "mini", [], "onnx")


def test_step_by_hand_with_other_files() -> None:
    job = plan_step("ssd", "score", None, "int8", "mini", [])
    replace_files(job, "input", ["predictions=a.npz", "b.npz"])
    assert job["inputs"]["predictions"] == ["a.npz", "b.npz"]
    with pytest.raises(PlanError, match="--input: ssd: score: unknown input 'predictons'. Did you mean 'predictions'"):
        replace_files(job, "input", ["predictons=a.npz"])
    with pytest.raises(PlanError, match="--output: 'a.npz' is not NAME=PATH"):
        replace_files(job, "output", ["a.npz"])


def test_options_of_engines() -> None:
    plan = make_plan(ROOT, {"builder": {"timing_cache": "a 'b'.cache"}, "samples": {"ssd": {"dla_core": 0}}})
    given = options.engine(plan, "ssd", "int8")
    assert given[:8] == ["--sample", "ssd", "--precision", "int8", "--algorithm", "entropy2", "--max-batch-size", "8"]
    assert given[8:10] == ["--dla-core", "0"]
    assert "a 'b'.cache" in given
    assert "--tf32" not in given
    program = options.engine(plan, "introductory_parser_samples", program="uff")
    assert program[:2] == ["--sample", "introductory_parser_samples.uff"]
    encoder = options.engine(plan, "nmt", "fp16", network_name="encoder")
    assert encoder[encoder.index("--network") + 1] == "encoder"
    assert "--recurrent" in encoder


def test_published_files_that_only_a_mirror_has_are_left_out(tmp_path: Path) -> None:
    plan = make_plan(ROOT, {"data": "full", "fetch": ["nmt"], "mirror": str(tmp_path)})
    fetch = downloads.Fetch(plan, lambda file: str(tmp_path / "downloads" / file))
    only = [file for file in fetch.users() if not plan.downloads[file]["urls"]]
    assert all(fetch.is_left_out(file) for file in only)
    for file in only:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    assert not any(fetch.is_left_out(file) for file in only)
    assert fetch.listing()[-1].startswith(f"{len(fetch.files())} of {len(fetch.files())} files to download, ")


def test_planning_needs_yaml_and_jsonschema_alone() -> None:
    code = (
        "import sys; from pathlib import Path; from trtflow.workflow.plan import make_plan;"
        "from trtflow.workflow import digest, steps, by_hand, downloads, options;"
        f"make_plan(Path({str(ROOT)!r}), {{}});"
        "loaded = {name.split('.')[0] for name in sys.modules};"
        "print(sorted(loaded & {'numpy', 'onnx', 'torch', 'tensorflow', 'rich', 'snakemake', 'PIL'}));"
        "print(sorted(n for n in sys.modules if n.startswith('trtflow.') and not n.startswith('trtflow.workflow')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "[]"]


def test_guide_s_files_are_mappings() -> None:
    for path in (ROOT / "config/samples").glob("*.yaml"):
        assert read_mapping(path)["name"] == path.stem


def test_rules_of_own_samples_bear_none_of_their_names(tmp_path, monkeypatch):
    """A job is told by its rule and its sample: import_model_mine of yours would be misleading."""
    monkeypatch.chdir(tmp_path)
    Path("config/samples").mkdir(parents=True)
    for name, file in (("mine", "mine.onnx"), ("other", "other.onnx"), ("yours", "yours.uff")):  # of other files
        told = {"name": name, "title": name, "task": "none", "model": {"file": file}, "data": {"val": "x.npz"}}
        Path(f"config/samples/{name}.yaml").write_text(yaml.safe_dump({**told, "precisions": ["fp32"]}))
    rules = {rule.name: rule.samples for rule in step_rules(make_plan(ROOT, {}), "export") if "own" in rule.name}
    assert rules == {"import_model_own": ["mine", "other"], "import_model_own_2": ["yours"]}


def test_a_graph_of_tensorflow_becomes_onnx_unless_it_has_plugins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("config/samples").mkdir(parents=True)
    models = {
        "keras": {"file": "a.keras"},
        "folder": {"file": "saved/"},
        "frozen": {"file": "a.pb"},
        "prepared": {"file": "a.pb", "preprocessor": "config.py"},
        "plugged": {"file": "a.pb", "plugins": ["mine.py"]},
        "given": {"file": "a.uff"},
    }
    for name, model in models.items():
        told = {"name": name, "title": name, "task": "none", "model": model, "data": {"val": "x.npz"}}
        Path(f"config/samples/{name}.yaml").write_text(yaml.safe_dump({**told, "precisions": ["fp32"]}))
    plan = make_plan(ROOT, {})
    taken = {name: Path(plan.exports(name)[1]).name for name in models}
    uff = dict.fromkeys(("prepared", "plugged", "given"), "model.uff")
    assert taken == dict.fromkeys(("keras", "folder", "frozen"), "model.onnx") | uff
