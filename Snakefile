"""NVIDIA's TensorRT samples as one workflow: `snakemake results/ssd_report.json`, `all`, `check`, `fetch`, `list`."""

from snakemake.utils import min_version

min_version("9.0")


# From the workflow's own folder, so that `--directory` and a `module` import find the defaults.
configfile: workflow.source_path("config/config.yaml")


report: "report/workflow.rst"


include: "rules/common.smk"


localrules:
    all,
    check,
    fetch,
    fetch_artefact,
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
        script=script("check_reports"),
        library=library("check_reports"),
    log:
        "logs/check.log",
    conda:
        "environment.yml"
    shell:
        "python {input.script:q} {input.reports} 2> {log}"


# Download what samples need with data: full, ahead of a run without a network, and name what only a mirror can have;
# a dry run prints the sizes alone.
rule fetch:
    input:
        files_to_fetch,


# Print the samples: chapter, needs, status.
rule list:
    input:
        script=script("list_samples"),
        library=library("list_samples"),
    log:
        "logs/list.log",
    conda:
        "environment.yml"
    params:
        samples=listed_samples,
        data=config["data"],
        folder=folder_of_reports,
    shell:
        "python {input.script:q} {params.samples:q} --data {params.data} --results-dir {params.folder} 2> {log}"


include: "rules/download.smk"
include: "rules/train.smk"
include: "rules/convert.smk"
include: "rules/calibrate.smk"
include: "rules/plugins.smk"
include: "rules/engine.smk"
include: "rules/infer.smk"
include: "rules/translate.smk"
include: "rules/benchmark.smk"
include: "rules/report.smk"
include: "rules/page.smk"
include: "rules/own.smk"


onstart:
    lift_default_job_rate(workflow.scheduler)


onsuccess:
    show_gates()
    name_left_out_at_end()


onerror:
    explain_failure(log)
    name_logs()
