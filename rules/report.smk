"""Pictures, tables and reports, and the targets that people name."""


localrules:
    all,
    check,
    list,
    write_sample_config,


rule all:
    """Make the report of every sample, with its pages."""
    default_target: True
    input:
        expand("results/{sample}_report.json", sample=SAMPLES),
        expand("results/{sample}/tables/report.html", sample=SAMPLES),


rule check:
    """Fail, naming each, when a gate of any report failed."""
    input:
        reports=expand("results/{sample}_report.json", sample=SAMPLES),
        script=script("check_reports"),
        library=library("check_reports"),
    log:
        "logs/check.log",
    conda:
        ENVIRONMENT
    shell:
        "python {input.script} {input.reports} 2>&1 | tee {log}"


rule list:
    """Print the samples."""
    input:
        samples=[
            workflow.source_path(f"../config/samples/{name}.yaml") for name in SAMPLES
        ],
        script=script("list_samples"),
        library=library("list_samples"),
    log:
        "logs/list.log",
    conda:
        ENVIRONMENT
    shell:
        "python {input.script} {input.samples} 2>&1 | tee {log}"


rule write_sample_config:
    """Write down the configuration that a sample ran with."""
    output:
        "results/{sample}/config.yaml",
    log:
        "logs/{sample}/write_sample_config.log",
    conda:
        ENVIRONMENT
    params:
        values=lambda wildcards: yaml.safe_dump(sample_config(wildcards.sample)),
    shell:
        "printf %s {params.values:q} > {output} 2> {log}"


def drawn_pictures(sample):
    """Return the annotated pictures of a sample, as pictures for people and as the guide has them."""
    count = min(
        SAMPLES[sample]["figures"]["count"], SAMPLES[sample]["splits"]["val"]
    )
    return [
        f"results/{sample}/figures/{index:06d}.{kind}"
        for index in range(count)
        for kind in ("png", "ppm")
    ]


for _sample in SAMPLES:

    rule:
        name:
            f"draw_{_sample}_detections"
        output:
            drawn_pictures(_sample),
            contact=report(
                f"results/{_sample}/figures/contact.png",
                caption="../report/detections.rst",
                category=_sample,
                labels={"what": "detections"},
            ),
        input:
            pictures=picture_files(_sample, "val"),
            predictions=f"results/{_sample}/predictions.{SAMPLES[_sample]['precisions'][-1]}.npz",
            script=script("draw_detections"),
            library=library("draw_detections"),
        log:
            f"logs/{_sample}/draw_detections.log",
        benchmark:
            f"benchmarks/{_sample}/draw_detections.tsv"
        conda:
            ENVIRONMENT
        resources:
            mem_mb=1000,
            runtime=5,
        params:
            data=f"results/{_sample}/data/val",
            amount=SAMPLES[_sample]["figures"]["count"],
            threshold=SAMPLES[_sample]["figures"]["threshold"],
            folder=f"results/{_sample}/figures",
        shell:
            "python {input.script} --predictions {input.predictions} --data {params.data} --split val"
            " --count {params.amount} --threshold {params.threshold} --out-dir {params.folder} > {log} 2>&1"


rule plot_precisions:
    """Plot result, latency and size of the engines side by side."""
    output:
        report(
            "results/{sample}/figures/precisions.png",
            caption="../report/precisions.rst",
            category="{sample}",
            labels={"what": "precisions"},
        ),
    input:
        metrics=per_precision("results/{sample}/metrics.{precision}.json"),
        plans=per_precision("results/{sample}/engine.{precision}.plan"),
        origins=per_precision("results/{sample}/engine.{precision}.json"),
        latency="results/{sample}/latency.json",
        agreement="results/{sample}/agreement.json",
        script=script("plot_precisions"),
        library=library("plot_precisions"),
    log:
        "logs/{sample}/plot_precisions.log",
    benchmark:
        "benchmarks/{sample}/plot_precisions.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        folder="results/{sample}",
        precisions=setting("precisions"),
        metric=lambda wildcards: sample_config(wildcards.sample)["gates"][0]["metric"],
    shell:
        "python {input.script} --results-dir {params.folder} --precisions {params.precisions}"
        " --metric {params.metric} --out {output} > {log} 2>&1"


rule plot_profile:
    """Plot the costliest layers."""
    output:
        report(
            "results/{sample}/figures/profile.png",
            caption="../report/profile.rst",
            category="{sample}",
            labels={"what": "layer times"},
        ),
    input:
        profiles=per_precision("results/{sample}/profile.{precision}.json"),
        script=script("plot_profile"),
        library=library("plot_profile"),
    log:
        "logs/{sample}/plot_profile.log",
    benchmark:
        "benchmarks/{sample}/plot_profile.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    shell:
        "python {input.script} {input.profiles} --out {output} > {log} 2>&1"


rule plot_training:
    """Plot the loss."""
    output:
        report(
            "results/{sample}/figures/training.png",
            caption="../report/training.rst",
            category="{sample}",
            labels={"what": "training"},
        ),
    input:
        training="results/{sample}/model/training.json",
        script=script("plot_training"),
        library=library("plot_training"),
    log:
        "logs/{sample}/plot_training.log",
    benchmark:
        "benchmarks/{sample}/plot_training.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    shell:
        "python {input.script} {input.training} --out {output} > {log} 2>&1"


rule write_report:
    """Collect the results and hold them against the gates; a gate that fails does not stop the report."""
    output:
        "results/{sample}_report.json",
    input:
        metrics=per_precision("results/{sample}/metrics.{precision}.json"),
        plans=per_precision("results/{sample}/engine.{precision}.plan"),
        origins=per_precision("results/{sample}/engine.{precision}.json"),
        latency="results/{sample}/latency.json",
        agreement="results/{sample}/agreement.json",
        config="results/{sample}/config.yaml",
        backend="results/backend.json",
        export=export_files,
        figures=[
            "results/{sample}/figures/contact.png",
            "results/{sample}/figures/precisions.png",
            "results/{sample}/figures/profile.png",
            "results/{sample}/figures/training.png",
        ],
        script=script("write_report"),
        library=library("write_report"),
        schema=workflow.source_path("../config/schema/report.schema.json"),
    log:
        "logs/{sample}/write_report.log",
    benchmark:
        "benchmarks/{sample}/write_report.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=5,
    params:
        folder="results/{sample}",
        data=config["data"],
        precisions=setting("precisions"),
        inputs=lambda wildcards, input: [
            f"{os.path.basename(path)}={path}" for path in input.export
        ],
    shell:
        "python {input.script} --sample {wildcards.sample} --sample-config {input.config} --data {params.data}"
        " --backend-file {input.backend} --precisions {params.precisions} --results-dir {params.folder}"
        " --figures {input.figures} --inputs {params.inputs} --out {output} > {log} 2>&1"


rule write_tables:
    """Write the report as tables: a page for people, CSV for programs."""
    output:
        html=report(
            "results/{sample}/tables/report.html",
            caption="../report/tables.rst",
            category="{sample}",
            labels={"what": "gates and precisions"},
        ),
        precisions="results/{sample}/tables/precisions.csv",
        gates="results/{sample}/tables/gates.csv",
    input:
        report="results/{sample}_report.json",
        script=script("write_tables"),
        library=library("write_tables"),
    log:
        "logs/{sample}/write_tables.log",
    benchmark:
        "benchmarks/{sample}/write_tables.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=5,
    shell:
        "python {input.script} {input.report} --html {output.html} --precisions {output.precisions}"
        " --gates {output.gates} > {log} 2>&1"
