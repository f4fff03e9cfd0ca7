"""Steps of a model of the user's own from `trtflow init` on, in this process: what the workflow hands to scripts."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import yaml

import trtflow.reference as trt
from trtflow import families, tasks
from trtflow.commands import init
from trtflow.formats.arrays import write_arrays
from trtflow.job import Job
from trtflow.runtime.build import build_plan
from trtflow.runtime.entry import engine_of
from trtflow.runtime.session import Session
from trtflow.samples import ITEMS, Answers, array_name, batches_of, definition, load
from trtflow.workflow.by_hand import plan_step


def written(model, *options):
    """Return the YAML file that `trtflow init` writes for a model, and its text."""
    parser = argparse.ArgumentParser()
    init.add_arguments(parser)
    init.main(parser.parse_args([str(model), *map(str, options)]))
    (path,) = Path("config/samples").glob("*.yaml")
    return yaml.safe_load(path.read_text()), path.read_text()


def job_of(name, stage, step=None, precision=None):
    values = plan_step(name, stage, step, precision, "mini", [])
    for kind in ("inputs", "outputs"):
        values[kind] = {key: tuple(map(Path, files)) for key, files in values[kind].items()}
    return Job(**values)


def done(job):
    """Do a step of the framework's side or of the task."""
    of = families.function_of(job) if job.step in ("import_model", "predict") else tasks.load(job)
    of(job)


def run_engine(sample, values, count, precision="fp32"):
    """Return the answers of an engine of the reference runtime, in another precision than fp32 without a calibrator."""
    define = definition(sample, Path(), precision)
    plan = build_plan(trt, define, precision, 8, explicit_batch=sample.EXPLICIT_BATCH)
    answers = Answers(sample)
    with Session(trt, engine_of(trt, plan)) as session:
        for batch in batches_of(sample, values, 8):
            answers.add(sample.postprocess({**batch, **session.run(batch)}))
    return answers.joined(count)


def through(name):
    """Import a model, ask its framework and an engine; return metrics and agreement of fp32, as steps write them."""
    done(job_of(name, "export"))
    sample, val = load(name), Path(yaml.safe_load(Path(f"config/samples/{name}.yaml").read_text())["data"]["val"])
    items, names = sample.read_images(val, "val")
    values = sample.preprocess(items, Path())
    arrays = {array_name(key): array for key, array in values.items()}
    write_arrays(f"results/{name}/inputs.npz", {**arrays, ITEMS: np.array(names)})
    Path(f"results/{name}/model").mkdir(parents=True, exist_ok=True)
    done(job_of(name, "predict"))
    answers = run_engine(sample, values, len(names))
    for precision in ("fp32", "fp16", "int8"):  # to have all files that are compared
        write_arrays(f"results/{name}/predictions.{precision}.npz", {**answers, ITEMS: np.array(names)})
    done(job_of(name, "score", precision="fp32"))
    done(job_of(name, "compare"))
    metrics = json.loads(Path(f"results/{name}/metrics.fp32.json").read_text())["metrics"]
    return metrics, json.loads(Path(f"results/{name}/agreement.json").read_text())["fp32"]
