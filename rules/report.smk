"""Pictures, tables and reports."""


localrules:
    write_sample_config,


# Write down the configuration that a sample ran with.
rule write_sample_config:
    output:
        "results/{sample}/config.yaml",
    log:
        "logs/{sample}/write_sample_config.log",
    benchmark:
        "benchmarks/{sample}/write_sample_config.tsv"
    conda:
        ENVIRONMENT
    params:
        values=lambda wildcards: planned(PLAN.as_yaml, wildcards.sample),
    shell:
        "printf %s {params.values:q} > {output:q} 2> {log:q}"


# Draw what an engine answered.
for _step in steps.step_rules(PLAN, "draw"):

    rule:
        name:
            _step.name
        input:
            **step_input(_step),
        output:
            **step_output(_step),
        log:
            f"logs/{_step.log}.log",
        benchmark:
            f"benchmarks/{_step.log}.tsv"
        conda:
            ENVIRONMENT
        threads: step_threads(_step)
        resources:
            **step_resources(_step),
        params:
            **step_params(_step),
        shell:
            "{params.run:q} --job {params.job:q} > {log:q} 2>&1"


# Plot queries a second against processes, and say which to take.
rule plot_serving:
    input:
        serving=lambda wildcards: PLAN.per_precision(
            wildcards.sample, "serving.{precision}.json"
        )[0],
    output:
        text="results/{sample}/figures/serving.txt",
        picture=report(
            "results/{sample}/figures/serving.png",
            caption="../report/serving.rst",
            category="{sample}",
            labels={"what": "processes"},
        ),
    log:
        "logs/{sample}/plot_serving.log",
    benchmark:
        "benchmarks/{sample}/plot_serving.tsv"
    wildcard_constraints:
        sample=with_setting(serving="set"),
    conda:
        ENVIRONMENT
    resources:
        **takes(500, 5),
    params:
        **script("plot_serving"),
    shell:
        "{params.run:q} --serving {input.serving:q} --out {output.picture:q}"
        " --text-out {output.text:q} > {log:q} 2>&1"


# Plot result, latency and size of the engines side by side.
rule plot_precisions:
    input:
        metrics=per_precision("metrics.{precision}.json"),
        plans=per_precision("engine.{precision}.plan"),
        origins=per_precision("engine.{precision}.json"),
        latency="results/{sample}/latency.json",
        agreement="results/{sample}/agreement.json",
        compared=file_of(PLAN.compared),
    output:
        report(
            "results/{sample}/figures/precisions.png",
            caption="../report/precisions.rst",
            category="{sample}",
            labels={"what": "precisions"},
        ),
    log:
        "logs/{sample}/plot_precisions.log",
    benchmark:
        "benchmarks/{sample}/plot_precisions.tsv"
    conda:
        ENVIRONMENT
    resources:
        **takes(1000, 5),
    params:
        **script("plot_precisions"),
        folder=folder_of("metrics"),
        precisions=setting("precisions"),
        metric=lambda wildcards: PLAN.told(wildcards.sample, "metric"),
    shell:
        "{params.run:q} --results-dir {params.folder:q} --precisions {params.precisions}"
        " --metric {params.metric:q} --out {output:q} > {log:q} 2>&1"


# Plot the costliest layers.
rule plot_profile:
    input:
        profiles=per_precision("profile.{precision}.json"),
    output:
        table="results/{sample}/figures/profile.txt",
        plot=report(
            "results/{sample}/figures/profile.png",
            caption="../report/profile.rst",
            category="{sample}",
            labels={"what": "layer times"},
        ),
    log:
        "logs/{sample}/plot_profile.log",
    benchmark:
        "benchmarks/{sample}/plot_profile.tsv"
    conda:
        ENVIRONMENT
    resources:
        **takes(1000, 5),
    params:
        **script("plot_profile"),
    shell:
        "{params.run:q} {input.profiles:q} --out {output.plot:q} --table-out {output.table:q}"
        " > {log:q} 2>&1"


# Plot the loss.
rule plot_training:
    input:
        training=file_of(PLAN.training_log),
    output:
        report(
            "results/{sample}/figures/training.png",
            caption="../report/training.rst",
            category="{sample}",
            labels={"what": "training"},
        ),
    log:
        "logs/{sample}/plot_training.log",
    benchmark:
        "benchmarks/{sample}/plot_training.tsv"
    conda:
        ENVIRONMENT
    resources:
        **takes(1000, 5),
    params:
        **script("plot_training"),
    shell:
        "{params.run:q} {input.training:q} --out {output:q} > {log:q} 2>&1"


# Collect the results and hold them against the gates; a gate that fails does not stop the report.
rule write_report:
    input:
        metrics=per_precision("metrics.{precision}.json"),
        plans=per_precision("engine.{precision}.plan"),
        origins=per_precision("engine.{precision}.json"),
        latency="results/{sample}/latency.json",
        agreement="results/{sample}/agreement.json",
        config="results/{sample}/config.yaml",
        backend="results/backend.json",
        export=file_of(PLAN.exports),
        compared=file_of(PLAN.compared),
        figures=file_of(PLAN.figures),
        texts=file_of(PLAN.texts),
    output:
        "results/{sample}_report.json",
    log:
        "logs/{sample}/write_report.log",
    benchmark:
        "benchmarks/{sample}/write_report.tsv"
    conda:
        ENVIRONMENT
    resources:
        **takes(500, 5),
    params:
        **script("write_report", "config/schema/report.schema.json"),
        folder=folder_of("metrics"),
        data=config["data"],
        repository=lambda wildcards, output: str(ROOT),
        precisions=setting("precisions"),
        inputs=lambda wildcards, input: [
            f"{os.path.basename(path)}={path}" for path in input.export
        ],
        texts=lambda wildcards, input: [
            f"{os.path.basename(path).split('.')[0]}={path}" for path in input.texts
        ],
    shell:
        "{params.run:q} --sample {wildcards.sample} --sample-config {input.config:q}"
        " --data {params.data} --backend-file {input.backend:q} --precisions {params.precisions}"
        " --results-dir {params.folder:q} --repository {params.repository:q} --figures {input.figures:q} --texts {params.texts:q}"
        " --inputs {params.inputs:q} --out {output:q} > {log:q} 2>&1"


# Write the numbers of the report as CSV, for programs.
rule write_tables:
    input:
        report="results/{sample}_report.json",
    output:
        precisions="results/{sample}/tables/precisions.csv",
        gates="results/{sample}/tables/gates.csv",
    log:
        "logs/{sample}/write_tables.log",
    benchmark:
        "benchmarks/{sample}/write_tables.tsv"
    conda:
        ENVIRONMENT
    resources:
        **takes(500, 5),
    params:
        **script("write_tables"),
    shell:
        "{params.run:q} {input.report:q} --precisions {output.precisions:q}"
        " --gates {output.gates:q} > {log:q} 2>&1"
