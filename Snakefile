"""NVIDIA's TensorRT samples as one workflow: `snakemake results/ssd_report.json`, `all`, `check`, `fetch`, `init`, `list`."""

import os

from snakemake.utils import min_version

min_version("9.0")
# Logs say how long scripts took to start; trtflow list --times reads it.
os.environ.setdefault("TRTFLOW_TIMES", "1")


# From the workflow's own folder, so that `--directory` and a `module` import find the defaults.
configfile: workflow.source_path("config/config.yaml")


report: "report/workflow.rst"


include: "rules/common.smk"


localrules:
    all,
    check,
    fetch,
    init,
    list,


# Make the report of every sample, its tables, its page and the page of all.
rule all:
    input:
        expand("results/{sample}_report.json", sample=SAMPLES),
        expand("results/{sample}/tables/gates.csv", sample=SAMPLES),
        "results/index.html",


# Fail, naming each, when a gate of any report failed.
rule check:
    input:
        reports=expand("results/{sample}_report.json", sample=SAMPLES),
    log:
        "logs/check.log",
    conda:
        "environment.yml"
    params:
        run=command("check_reports"),
    shell:
        "{params.run:q} {input.reports:q} 2> {log:q} || {{ cat {log:q} >&2; exit 1; }}"


# Download what samples need with data: full, ahead of a run without a network, and name what only a mirror can have;
# a dry run prints the sizes alone.
rule fetch:
    input:
        files_to_fetch,


# Write the YAML file of a sample for a model of one's own: --config 'init={model: model.onnx, data: pictures}'.
rule init:
    log:
        "logs/init.log",
    conda:
        "environment.yml"
    params:
        run=command("init_sample"),
        options=lambda wildcards: planned(options.init, PLAN),
    shell:
        "{params.run:q} {params.options:q} 2> {log:q} || {{ cat {log:q} >&2; exit 1; }}"


# Print the samples: chapter, needs, status.
rule list:
    log:
        "logs/list.log",
    conda:
        "environment.yml"
    params:
        run=command("list_samples"),
        samples=lambda wildcards: options.listed(PLAN),
        data=config["data"],
        folder=lambda wildcards: os.path.dirname(rules.write_report.output[0]),  # in a module below its prefix
    shell:
        "{params.run:q} {params.samples:q} --data {params.data} --results-dir {params.folder:q}"
        " 2> {log:q}"


include: "rules/download.smk"
include: "rules/data.smk"
include: "rules/train.smk"
include: "rules/convert.smk"
include: "rules/calibrate.smk"
include: "rules/plugins.smk"
include: "rules/engine.smk"
include: "rules/infer.smk"
include: "rules/score.smk"
include: "rules/benchmark.smk"
include: "rules/report.smk"
include: "rules/page.smk"
include: "rules/terminal.smk"


refuse_unknown_targets(sys.argv)
terminal.at_nothing_to_do(logger, lambda: tell_results(counted=False))


onstart:
    check_manifests()
    profiles.lift_default_job_rate(workflow.scheduler)


onsuccess:
    tell_results()


onerror:
    print(closing.refused_gpu(log), end="", file=sys.stderr)
    terminal.tell_failures(LINES, workflow.scheduler.failed)
