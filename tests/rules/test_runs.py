"""The workflow for real, small: it resumes, it rebuilds what changed and nothing else, it reports what failed."""

import base64
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess

import pytest
import yaml
from kept import copy_of
from workflow_copy import SMALL, Workflow, copy

DETERMINISTIC = (
    "model/ssd.pt",
    "export/model.prototxt",
    "export/model.caffemodel",
    "calibration/batches/batch0",
    "calibration/CalibrationTablessd",
    "network.int8.onnx",
    "predictions.int8.npz",
    "figures/contact.png",
)


def checksum(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def engines(paths):
    return {path for path in paths if path.endswith(".plan")}


def test_report_is_written_though_gates_fail(finished):
    report = json.loads((finished.folder / "results" / "ssd_report.json").read_text())
    gates = {gate["name"]: gate["passed"] for gate in report["gates"]}
    assert gates["map"] is False
    assert gates["framework_agreement"] is True
    assert report["passed"] is False
    assert set(report["precisions"]) == {"fp32", "fp16", "int8"}
    assert report["backend"]["name"] == "reference"
    assert all((finished.folder / path).exists() for path in report["figures"])


def test_check_names_the_failed_gates(editable):
    done = editable.run("check")
    assert done.returncode != 0
    assert "failed: ssd: map is" in done.stdout


def test_second_run_does_nothing(finished):
    assert finished.planned() == set()


def test_touching_a_calibration_picture_rebuilds_table_and_int8_engine_only(editable):
    picture = editable.path("data/calibration/JPEGImages/000001.jpg")
    picture.write_bytes(picture.read_bytes() + b"\0")
    planned = editable.planned()
    assert "results/ssd/calibration/CalibrationTablessd" in planned
    assert "results/ssd/calibration/batches/batch0" in planned
    assert engines(planned) == {"results/ssd/engine.int8.plan"}
    assert not any(path.startswith(("results/ssd/model", "results/ssd/export", "results/ssd/data")) for path in planned)


@pytest.mark.parametrize(
    ("name", "rebuilt", "kept"),
    [
        ("trtflow/metrics/voc.py", "metrics.fp32.json", "engine.fp32.plan"),
        ("scripts/score.py", "metrics.int8.json", "predictions.int8.npz"),
        ("trtflow/reference/lower/layers.py", "engine.fp16.plan", "export/model.caffemodel"),
        ("trtflow/families/ssd/caffe_export.py", "export/model.caffemodel", "model/ssd.pt"),
    ],
)
def test_editing_code_rebuilds_what_it_makes(editable, name, rebuilt, kept):
    path = editable.folder / name
    path.write_text(path.read_text() + "\n# edited\n")
    planned = editable.planned()
    assert f"results/ssd/{rebuilt}" in planned
    assert f"results/ssd/{kept}" not in planned


def test_another_backend_rebuilds_engines_and_nothing_before_them(editable):
    path = editable.folder / "results" / "backend.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "device": "another"}))
    planned = editable.planned()
    assert len(engines(planned)) == 3
    assert not any(path.startswith(("results/ssd/model", "results/ssd/export", "results/ssd/data")) for path in planned)


@pytest.mark.parametrize(
    ("target", "module", "line", "deadly", "again"),
    [
        ("model/ssd.pt", "families/common/pytorch.py", "keep_loss(losses, loss.item())", "len(losses) == 3", set()),
        (  # calibration builds too, and is killed there
            "engine.int8.plan",
            "runtime/build.py",
            "plan = builder.build_serialized_network(network, config)",
            "plan",
            {f"ssd/{path}" for path in ("calibration/CalibrationTablessd", "engine.int8.json", "layers.int8.txt")},
        ),
    ],
)
def test_killed_run_resumes_to_the_same_bytes(editable, target, module, line, deadly, again):
    victim, code = editable.path(target), editable.folder / "trtflow" / module
    wanted, text, times = checksum(victim), code.read_text(), code.stat()
    start = text.index(line)
    indent = text[text.rindex("\n", 0, start) : start]
    kill = f"{indent}if {deadly}:{indent}    __import__('os').kill(0, 9)"  # 0: Snakemake too, as when a node goes down
    code.write_text(text.replace(line, line + kill))
    victim.unlink()
    process = subprocess.run(
        editable.command(f"results/ssd/{target}"),
        cwd=editable.folder,
        env=editable.environment,
        capture_output=True,
        start_new_session=True,
        check=False,
    )
    assert process.returncode == -signal.SIGKILL
    assert not victim.exists()
    finished = editable.written()

    code.write_text(text)
    os.utime(code, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert editable.run("--unlock").returncode == 0
    done = editable.run(f"results/ssd/{target}")
    assert done.returncode == 0, done.stdout
    assert checksum(victim) == wanted
    written = editable.written()
    assert {path for path, time in finished.items() if written.get(path) != time} == again
    assert list(victim.parent.glob(".*.tmp")) == []


def test_damaged_caffemodel_stops_the_engine_and_leaves_nothing(editable):
    caffemodel = editable.path("export/model.caffemodel")
    data = bytearray(caffemodel.read_bytes())
    data[len(data) // 2] ^= 0x10
    caffemodel.write_bytes(data)
    editable.path("engine.fp32.plan").unlink()
    done = editable.run("results/ssd/engine.fp32.plan")
    assert done.returncode != 0
    fault = "model.caffemodel: its checksum is not the one it was written with"
    told = {line for line in done.stdout.splitlines() if line.startswith("failed: ")}  # at once, and at the end
    assert len(told) == 1
    last = done.stdout.splitlines()[-1]
    assert last.startswith("failed: build_engine of ssd, fp32, see logs/ssd/build_engine.fp32.log: error: ")
    assert fault in last
    assert not editable.path("engine.fp32.plan").exists()


def add_twin(workflow):
    """Add a second sample: what ssd is, under another name, with ssd's export as its model."""
    shutil.copy(workflow.folder / "trtflow/samples/ssd.py", workflow.folder / "trtflow/samples/twin.py")
    config = yaml.safe_load(workflow.path("config.yaml").read_text())
    (workflow.folder / "config/samples/twin.yaml").write_text(yaml.safe_dump({**config, "name": "twin"}))
    shutil.copytree(workflow.path("export"), workflow.folder / "results/twin/export")


def test_keep_going_leaves_other_samples_alone(editable):
    add_twin(editable)
    editable.path("export/model.caffemodel").write_bytes(b"damaged")
    editable.path("engine.int8.plan").unlink()
    targets = [f"results/{sample}/predictions.int8.npz" for sample in ("ssd", "twin")]
    done = editable.run(*targets, "--keep-going")
    assert done.returncode != 0
    assert "model.caffemodel: its checksum" in done.stdout
    ours, twin = (editable.folder / target for target in targets)
    assert twin.exists(), done.stdout
    assert checksum(twin) == checksum(ours)


def test_workflow_imported_from_a_repository_brings_its_code(tmp_path):
    """Snakemake fetches each file on its own from GitHub; a module that no rule names would be missing."""
    repository = tmp_path / "cache/snakemake/snakemake/source-cache/snakemake-git-cache/github.com/owner/trtflow"
    repository.mkdir(parents=True)
    copy(repository)
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost", "-C", repository]
    for arguments in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "all"], ["tag", "v1"]):
        subprocess.run([*git, *arguments], check=True)
    user = Workflow(tmp_path / "user")
    user.folder.mkdir()
    user.environment["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    (user.folder / "Snakefile").write_text(
        'module trtflow:\n    snakefile: github("owner/trtflow", path="workflow/Snakefile", tag="v1")\n'
        "use rule * from trtflow\n"
        'onsuccess:\n    print("the importer\'s own last word")\n'
    )
    done = user.run("results/ssd/export/model.caffemodel", "results/ssd/calibration/batches/batch0")
    assert done.returncode == 0, done.stdout
    assert user.path("export/model.caffemodel").exists()
    assert "the importer's own last word" in done.stdout


def test_same_inputs_give_same_bytes(finished, tmp_path):
    folder = tmp_path / "again"
    folder.mkdir()
    again = copy(folder)
    targets = [f"results/ssd/{name}" for name in DETERMINISTIC]
    done = again.run(*targets)
    assert done.returncode == 0, done.stdout
    different = [name for name in DETERMINISTIC if checksum(again.path(name)) != checksum(finished.path(name))]
    assert different == []


def test_run_ends_with_its_gates_unless_it_is_quiet(editable):
    done = editable.run("results/ssd/tables/gates.csv")
    assert done.returncode == 0, done.stdout
    assert re.search(r"^sample +gate +value +limit +result\nssd +map .* failed$", done.stdout, re.MULTILINE)
    assert re.search(r"^1 job in 0:\d\d$", done.stdout, re.MULTILINE)  # of the thirty that its graph has
    done = editable.run("results/ssd/tables/gates.csv", "--force", "--quiet", "all")
    assert done.returncode == 0, done.stdout
    assert "ssd" not in done.stdout


def test_list_tells_how_samples_stand(finished):
    done = finished.run("list")
    assert done.returncode == 0, done.stdout
    assert re.search(r"^ssd +16 +failed: map.* \(mini, reference\) +PyTorch +Object", done.stdout, re.MULTILINE)


COMPARED = (SMALL, "compare={before: before, now: results}")


@pytest.fixture(scope="module")
def paged(finished, tmp_path_factory):
    """A finished run with its pages, compared with itself."""
    made = Workflow(copy_of(finished.folder, tmp_path_factory.mktemp("pages") / "run"))
    shutil.copytree(made.folder / "results", made.folder / "before")
    done = made.run("results/index.html", config=COMPARED)
    assert done.returncode == 0, done.stdout
    return made


def test_pages_link_to_one_another(paged):
    index = (paged.folder / "results/index.html").read_text()
    assert 'href="ssd/index.html"' in index
    assert 'href="comparison.html"' in index
    assert 'href="../index.html"' in paged.path("index.html").read_text()
    assert "before and now, side by side" in (paged.folder / "results/comparison.html").read_text()
    assert "write_page" not in paged.run("results/index.html", "--dry-run", config=COMPARED).stdout


def test_report_page_is_whole_in_itself(paged):
    done = paged.run("--report", "report.html", config=COMPARED)
    assert done.returncode == 0, done.stdout
    page = (paged.folder / "report.html").read_text()
    assert "kVISUAL_THRESHOLD" in page or "visual" in page
    assert '"All samples"' in page
    assert "before and now, side by side" in page
    for name in ("index.html", "comparison.html", "ssd/index.html", "ssd/figures/contact.png"):
        start = (paged.folder / "results" / name).read_bytes()[:3000]
        assert base64.b64encode(start).decode() in page, name
    assert not re.search(r'(src|href)="https?://', page)
    described, results = (
        json.loads(re.search(rf'<script id="{name}">\s+var \w+ = (.*);\n', page)[1])
        for name in ("workflow-desc", "results")
    )
    first = re.findall(r'<a [^>]*data-path="([^"]+)"', described)[:3]
    assert sorted(first[:2]) == ["results/comparison.html", "results/index.html"]  # of all samples, before those of one
    assert first[2] == "results/ssd/index.html"
    assert set(re.findall(r'data-path="([^"]+)"', described)) == set(results)
    assert results["results/ssd/index.html"]["labels"]["gates"].endswith(" passed")


def test_the_scheduler_wakes_when_a_job_ends_and_not_by_the_clock(tmp_path):
    made = copy(tmp_path, "mnist", "uff_mnist")
    small = "samples={mnist: {training: {steps: 30}, splits: {train: 200, val: 50}}}"
    targets = ["results/mnist/export/model.caffemodel", "results/uff_mnist/data/val.npz"]
    done = made.run("--cores=1", "--verbose", *targets, config=["backend=reference", small])
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("Resources before job selection") <= 1 + done.stdout.count("Finished jobid")


def test_a_limit_of_jobs_that_somebody_set_stays(tmp_path):
    made = copy(tmp_path, "mnist", "uff_mnist")
    targets = [f"results/{name}/data/val.npz" for name in ("mnist", "uff_mnist")]
    limit = ["--cores=2", "--verbose", "--max-jobs-per-timespan=1/4s"]
    done = made.run(*limit, *targets, config=["backend=reference"])
    assert done.returncode == 0, done.stdout
    assert "Job rate limit reached" in done.stdout
