"""What rules share of Snakemake's objects; what a run does is planned by trtflow.workflow."""

import atexit
import gc
import io
import json
import os
import sys
import tarfile
import tempfile
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.settings.types import DeploymentMethod

# What is made of a plan stays to the end of a run: to look through it for cycles over and over took a fifth of a dry
# run, and once more at its end.
gc.freeze()
gc.set_threshold(100_000)
atexit.register(gc.freeze)

ENVIRONMENT = (
    "../environment.yml"  # with --sdm conda; otherwise the Python that runs Snakemake
)


def checkout():
    """Return the folder of the workflow; that of github(...) is unpacked once, from the clone that Snakemake keeps."""
    base = workflow.current_basedir
    if not hasattr(base, "hosted_repo"):
        return Path(base).parent
    base.fetch_if_required()
    repo = base.hosted_repo.repo
    folder = base.cache_path / "checkouts" / repo.commit(base.ref).hexsha
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        archive = io.BytesIO()
        repo.archive(archive, base.ref)
        archive.seek(0)
        unpacked = tempfile.mkdtemp(dir=folder.parent)
        with tarfile.open(fileobj=archive) as file:
            file.extractall(unpacked, filter="data")
        os.replace(unpacked, folder)
    return folder


ROOT = checkout()
SCRIPTS = ROOT / "scripts"
sys.path.insert(0, str(ROOT))

from trtflow.workflow import closing, downloads, options, profiles, steps, terminal
from trtflow.workflow.digest import Code
from trtflow.workflow.errors import PlanError
from trtflow.workflow.plan import make_plan
from trtflow.workflow.wildcards import one_of

# before anything is checked, so that a fault is one line; a workflow that imports this one speaks for itself
LINES = (
    None
    if not workflow.modifier.is_main_snakefile()
    else terminal.attach(logger, workflow.output_settings)
)
# jobs run under the Python that runs Snakemake, whether it is activated or not
CONDA = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
PYTHON = "python" if CONDA else sys.executable


def planned(function, *arguments):
    """Return what a function of the plan returns; its error is Snakemake's, without a traceback."""
    try:
        return function(*arguments)
    except PlanError as error:
        raise WorkflowError(str(error)) from error


planned(profiles.check_workflow_profile, sys.argv[1:], workflow.basedir)
PLAN = planned(make_plan, ROOT, config)
SAMPLES = list(PLAN.samples)
CODE = Code(PLAN)


wildcard_constraints:
    sample="[a-z][a-z0-9_]*",
    precision="fp32|fp16|int8|best",
    program="caffe|uff",


def with_setting(**wanted):
    """Return a wildcard constraint: the samples whose configuration has these values, as `when` of a step states them."""
    return one_of(PLAN.with_setting(wanted))


def file_of(function, *arguments):
    """Return an input function: the files that a method of the plan names for the sample of the job."""
    return lambda wildcards: planned(function, wildcards.sample, *arguments)


def table_of(function):
    """Return an input function: the files of a method that the precision of the job decides too."""
    return lambda wildcards: planned(
        function, wildcards.sample, wildcards.get("precision", "fp32")
    )


def per_precision(pattern):
    """Return an input function: one file a precision of the sample, of a pattern such as engine.{precision}.plan."""
    return file_of(PLAN.per_precision, pattern)


def setting(name):
    """Return a params function: a setting of the sample by its dotted name."""
    return lambda wildcards: planned(PLAN.setting, wildcards.sample, name)


def folder_of(name):
    """Return a params function: the folder of the first file of an input or output."""

    def folder(wildcards, input, output):
        files = input.get(name) or output.get(name)
        return os.path.dirname(files if isinstance(files, str) else files[0])

    return folder


def data_of(split, name=None):
    """Return a params function: the options that name a split, by its manifest where it has one, below a module's prefix."""

    def data(wildcards, input):
        sample = name or wildcards.sample
        files, place = planned(PLAN.split, sample, split), planned(
            PLAN.data_folder, sample, split
        )
        first = input[0]
        if sample not in PLAN.own:
            place = (
                first
                if first.endswith(".sha256")
                else first.removesuffix(files[0]) + place
            )
        return ["--data", place, "--split", split]

    return data


def program_of(wildcards):
    """Return the name of the sample of a job, with that of another form of its model where the job is of one."""
    return ".".join(
        wildcards.get(name) for name in ("sample", "program") if wildcards.get(name)
    )


def table_option(wildcards, input):
    """Return the option that names the table or the ranges of a job, where it has one."""
    name = "--ranges" if PLAN.is_ranged(wildcards.sample) else "--calibration-table"
    return [name, input.table] if input.table else []


def engine_options(wildcards):
    """Return the options of the engine of a job."""
    names = {
        "precision": wildcards.get("precision"),
        "program": wildcards.get("program"),
    }
    names["network_name"] = wildcards.get("network")
    given = {name: value for name, value in names.items() if value}
    return options.engine(PLAN, wildcards.sample, **given)


def compiled_plugins(wildcards):
    """Return the compiled plugins that an engine needs: none on the reference runtime, which has them in Python."""
    if (
        not PLAN.sample(wildcards.sample).get("plugins")
        or config["backend"] == "reference"
    ):
        return []
    if config["backend"] == "auto":
        backend = checkpoints.record_backend.get().output[0]
        with open(backend) as file:
            if json.load(file)["name"] == "reference":
                return []
    return "results/plugins/plugins.json"


def command(script):
    """Return a params function: Python and a script. As it takes the output, another place of these is no other job."""
    return lambda wildcards, output: [PYTHON, str(SCRIPTS / f"{script}.py")]


def script(name, *files):
    """Return params: the command, and the hash of the code that it runs for the sample of the job.

    `files` of the checkout are what the code reads besides.
    """
    return {
        "run": command(name),
        "code": lambda wildcards: planned(
            CODE.of_script, name, wildcards.get("sample"), files
        ),
    }


def in_full(mini, full):
    """Return what a step needs, which with data: full has larger networks and more pictures."""
    return full if config["data"] == "full" else mini


def takes(mem_mb, runtime, engine=False):
    """Return resources: memory, minutes, and a GPU for an engine where the backend can be TensorRT."""
    gpu = (
        {"gpu": 1 if options.may_have_gpu(PLAN, workflow.basedir) else None}
        if engine
        else {}
    )
    return {"mem_mb": mem_mb, "runtime": runtime, **gpu}


def step_input(step):
    """Return the inputs of steps, of each sample its own."""

    def files(name):
        same = steps.same_input(PLAN, step, name)
        return same or (
            lambda wildcards: planned(steps.input_files, PLAN, step, name, wildcards)
        )

    return {name: files(name) for name in steps.input_names(PLAN, step)}


def step_output(step):
    """Return the outputs of steps, of these samples alone; folders as such, a picture for the report with its caption."""
    marked = {}
    for name, files in steps.outputs(step).items():
        items = [directory(file) if folder else file for file, folder in files]
        marked[name] = items if len(items) > 1 else items[0]
    if "caption" in step.says:
        caption, labels = f"../report/{step.says['caption']['name']}.rst", {
            "what": step.says["caption"]["what"]
        }
        marked["picture"] = report(
            marked["picture"], caption=caption, category="{sample}", labels=labels
        )
    return marked


def step_params(step):
    """Return the params of steps, code and settings that count and the job itself."""
    return {
        "run": command(step.says["stage"]),
        "code": lambda wildcards: planned(
            CODE.of_step, step, step.sample_of(wildcards)
        ),
        "settings": lambda wildcards: planned(
            steps.settings_text, PLAN, step, step.sample_of(wildcards)
        ),
        "job": lambda wildcards, input, output: planned(
            steps.job_text, PLAN, step, wildcards, input, output
        ),
    }


def step_resources(step):
    """Return the resources of steps."""
    asked = (PLAN.resource(step.says, name) for name in ("mem_mb", "runtime"))
    return takes(*asked, engine=step.says.get("engine", False))


def step_threads(step):
    """Return the threads of steps."""
    return lambda wildcards: planned(
        PLAN.threads, step.sample_of(wildcards), step.says, workflow.cores or 1
    )


def files_to_fetch(wildcards):
    """Return the downloads of the samples of `fetch`, and print what they are: sizes come before anything else."""
    print(*FETCH.listing(), sep="\n", file=sys.stderr)
    return [f"results/downloads/{file}" for file in FETCH.files()]
