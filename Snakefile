"""NVIDIA's TensorRT samples as one workflow: `snakemake results/ssd_report.json`, `all`, `check`, `list`."""

from snakemake.utils import min_version

min_version("9.0")


# From the workflow's own folder, so that `--directory` and a `module` import find the defaults.
configfile: workflow.source_path("config/config.yaml")


report: "report/workflow.rst"


include: "rules/common.smk"
include: "rules/download.smk"
include: "rules/train.smk"
include: "rules/convert.smk"
include: "rules/calibrate.smk"
include: "rules/engine.smk"
include: "rules/infer.smk"
include: "rules/benchmark.smk"
include: "rules/report.smk"
