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
        values=lambda wildcards: yaml.safe_dump(sample_config(wildcards.sample)),
    shell:
        "printf %s {params.values:q} > {output} 2> {log}"


for _sample in DETECTORS:

    rule:
        name:
            f"draw_{_sample}_detections"
        input:
            pictures=split_files(_sample, "val"),
            predictions=f"results/{_sample}/predictions.{SAMPLES[_sample]['precisions'][-1]}.npz",
            script=script("draw_detections"),
            library=library("draw_detections"),
        output:
            drawn_pictures(_sample),
            contact=report(
                f"results/{_sample}/figures/contact.png",
                caption="../report/contact.rst",
                category=_sample,
                labels={"what": "detections"},
            ),
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
            data=folder_of("pictures", 3),
            amount=SAMPLES[_sample]["figures"]["count"],
            threshold=SAMPLES[_sample]["figures"]["threshold"],
            objects=objects_of(_sample),
            folder=folder_of("contact"),
        shell:
            "python {input.script:q} --predictions {input.predictions} --data {params.data} --split val"
            " --count {params.amount} --threshold {params.threshold} {params.objects} --out-dir {params.folder} > {log} 2>&1"


# Draw what was found on the picture of chapter 23.
rule draw_dog:
    input:
        picture="results/{sample}/artefacts/dog.jpg",
        predictions="results/{sample}/dog/predictions.npz",
        script=script("draw_picture"),
        library=library("draw_picture"),
    output:
        drawn="results/{sample}/figures/dog_bboxes.ppm",
        labelled=report(
            "results/{sample}/figures/dog_bboxes.png",
            caption="../report/dog_bboxes.rst",
            category="{sample}",
            labels={"what": "the chapter's picture"},
        ),
    log:
        "logs/{sample}/draw_dog.log",
    benchmark:
        "benchmarks/{sample}/draw_dog.tsv"
    wildcard_constraints:
        sample=one_of(PICTURED),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        threshold=setting("figures", "threshold"),
        objects=objects_of_job,
    shell:
        "python {input.script:q} --picture {input.picture} --predictions {input.predictions}"
        " --threshold {params.threshold} {params.objects} --out {output.drawn} --labelled-out {output.labelled}"
        " > {log} 2>&1"


# Draw ten digits and what the engine says of them.
rule draw_digits:
    input:
        digits="results/{sample}/data/val.npz",
        predictions=last_predictions,
        script=script("draw_digits"),
        library=library("draw_digits"),
    output:
        text="results/{sample}/figures/digits.txt",
        picture=report(
            "results/{sample}/figures/digits.png",
            caption="../report/digits.rst",
            category="{sample}",
            labels={"what": "ten digits"},
        ),
    log:
        "logs/{sample}/draw_digits.log",
    benchmark:
        "benchmarks/{sample}/draw_digits.tsv"
    wildcard_constraints:
        sample=one_of(DIGITS),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=5,
    params:
        data=folder_of("digits"),
    shell:
        "python {input.script:q} --predictions {input.predictions} --data {params.data} --split val"
        " --out {output.picture} --text-out {output.text} > {log} 2>&1"


# Draw what a character model wrote.
rule draw_text:
    input:
        predictions=last_predictions,
        framework="results/{sample}/model/predictions.npz",
        vocabulary="results/{sample}/export/vocab.json",
        script=script("draw_text"),
        library=library("draw_text"),
    output:
        text="results/{sample}/figures/generated.txt",
        picture=report(
            "results/{sample}/figures/generated.png",
            caption="../report/generated.rst",
            category="{sample}",
            labels={"what": "generated text"},
        ),
    log:
        "logs/{sample}/draw_text.log",
    benchmark:
        "benchmarks/{sample}/draw_text.tsv"
    wildcard_constraints:
        sample=one_of(TEXTS),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=5,
    params:
        seeds=setting("generation", "seeds"),
    shell:
        "python {input.script:q} --predictions {input.predictions} --framework {input.framework}"
        " --vocabulary {input.vocabulary} --seeds {params.seeds:q} --out {output.picture}"
        " --text-out {output.text} > {log} 2>&1"


# Write a recommender's answers as the guide's sample prints them, and plot how good they are.
rule draw_ranking:
    input:
        predictions=last_predictions,
        script=script("draw_ranking"),
        library=library("draw_ranking"),
    output:
        all="results/{sample}/recommendations.txt",
        text="results/{sample}/figures/recommendations.txt",
        picture=report(
            "results/{sample}/figures/ranking.png",
            caption="../report/ranking.rst",
            category="{sample}",
            labels={"what": "ranking"},
        ),
    log:
        "logs/{sample}/draw_ranking.log",
    benchmark:
        "benchmarks/{sample}/draw_ranking.tsv"
    wildcard_constraints:
        sample=one_of(RECOMMENDERS),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=5,
    shell:
        "python {input.script:q} --predictions {input.predictions} --out {output.picture} --text-out {output.text}"
        " --all-out {output.all} > {log} 2>&1"


# Plot queries a second against processes, and say which to take.
rule plot_serving:
    input:
        serving=first_measurements,
        script=script("plot_serving"),
        library=library("plot_serving"),
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
        sample=one_of(SERVED),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=5,
    shell:
        "python {input.script:q} --serving {input.serving} --out {output.picture} --text-out {output.text} > {log} 2>&1"


# Draw pictures and what the engine says of them.
rule draw_pictures:
    input:
        pictures=held_out,
        predictions=last_predictions,
        script=script("draw_pictures"),
        library=library("draw_pictures"),
    output:
        text="results/{sample}/figures/top5.txt",
        picture=report(
            "results/{sample}/figures/pictures.png",
            caption="../report/pictures.rst",
            category="{sample}",
            labels={"what": "pictures"},
        ),
    log:
        "logs/{sample}/draw_pictures.log",
    benchmark:
        "benchmarks/{sample}/draw_pictures.tsv"
    wildcard_constraints:
        sample=one_of(PICTURES),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        data=folder_of("pictures"),
    shell:
        "python {input.script:q} --predictions {input.predictions} --data {params.data} --split val"
        " --out {output.picture} --text-out {output.text} > {log} 2>&1"


# Plot result, latency and size of the engines side by side.
rule plot_precisions:
    input:
        metrics=per_precision("results/{sample}/metrics.{precision}.json"),
        plans=per_precision("results/{sample}/engine.{precision}.plan"),
        origins=per_precision("results/{sample}/engine.{precision}.json"),
        latency="results/{sample}/latency.json",
        agreement="results/{sample}/agreement.json",
        before=before_refit,
        compared=compared,
        script=script("plot_precisions"),
        library=library("plot_precisions"),
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
        mem_mb=1000,
        runtime=5,
    params:
        folder=folder_of("metrics"),
        precisions=setting("precisions"),
        metric=metric_of,
    shell:
        "python {input.script:q} --results-dir {params.folder} --precisions {params.precisions}"
        " --metric {params.metric} --out {output} > {log} 2>&1"


# Plot the costliest layers.
rule plot_profile:
    input:
        profiles=per_precision("results/{sample}/profile.{precision}.json"),
        script=script("plot_profile"),
        library=library("plot_profile"),
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
        mem_mb=1000,
        runtime=5,
    shell:
        "python {input.script:q} {input.profiles} --out {output.plot} --table-out {output.table} > {log} 2>&1"


# Plot the loss.
rule plot_training:
    input:
        training=model_file("training.json"),
        script=script("plot_training"),
        library=library("plot_training"),
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
        mem_mb=1000,
        runtime=5,
    shell:
        "python {input.script:q} {input.training} --out {output} > {log} 2>&1"


# Collect the results and hold them against the gates; a gate that fails does not stop the report.
rule write_report:
    input:
        metrics=per_precision("results/{sample}/metrics.{precision}.json"),
        plans=per_precision("results/{sample}/engine.{precision}.plan"),
        origins=per_precision("results/{sample}/engine.{precision}.json"),
        latency="results/{sample}/latency.json",
        agreement="results/{sample}/agreement.json",
        config="results/{sample}/config.yaml",
        backend="results/backend.json",
        export=export_files,
        before=before_refit,
        compared=compared,
        figures=figures,
        texts=texts,
        script=script("write_report"),
        library=library("write_report"),
        schema=workflow.source_path("../config/schema/report.schema.json"),
    output:
        "results/{sample}_report.json",
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
        folder=folder_of("metrics"),
        data=config["data"],
        repository=workflow.basedir,
        precisions=setting("precisions"),
        inputs=lambda wildcards, input: [
            f"{os.path.basename(path)}={path}" for path in input.export
        ],
        texts=lambda wildcards, input: [
            f"{os.path.basename(path).split('.')[0]}={path}" for path in input.texts
        ],
    shell:
        "python {input.script:q} --sample {wildcards.sample} --sample-config {input.config} --data {params.data}"
        " --backend-file {input.backend} --precisions {params.precisions} --results-dir {params.folder}"
        " --repository {params.repository:q} --figures {input.figures} --texts {params.texts}"
        " --inputs {params.inputs} --out {output} > {log} 2>&1"


# Write the numbers of the report as CSV, for programs.
rule write_tables:
    input:
        report="results/{sample}_report.json",
        script=script("write_tables"),
        library=library("write_tables"),
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
        mem_mb=500,
        runtime=5,
    shell:
        "python {input.script:q} {input.report} --precisions {output.precisions} --gates {output.gates} > {log} 2>&1"
