"""Samples of the user's own: what other samples have in code (docs/your-own-model.md)."""

# Take the model over, in the form of TensorRT's parsers, and hold its outputs against the classes.
for _sample in OWN:

    rule:
        name:
            f"import_{_sample}"
        input:
            config=f"results/{_sample}/config.yaml",
            model=own_model_files(_sample),
            script=script("import_own"),
            library=library("import_own", _sample),
        output:
            exports=own_imports(_sample),
        log:
            f"logs/{_sample}/import.log",
        benchmark:
            f"benchmarks/{_sample}/import.tsv"
        conda:
            ENVIRONMENT
        resources:
            mem_mb=3000,
            runtime=10,
        params:
            folder=folder_of("exports"),
        shell:
            "python {input.script:q} {input.config} --out-dir {params.folder} > {log} 2>&1"


# Ask the framework that the model came from: ONNX Runtime or TensorFlow; of Caffe and UFF there is the lowered network.
rule predict_own:
    input:
        config="results/{sample}/config.yaml",
        model=lambda wildcards: own_model_files(wildcards.sample),
        export=export_files,
        inputs="results/{sample}/inputs.npz",
        script=script("predict_own"),
        library=sample_library("predict_own"),
    output:
        "results/{sample}/model/predictions.npz",
    log:
        "logs/{sample}/predict_own.log",
    benchmark:
        "benchmarks/{sample}/predict_own.tsv"
    wildcard_constraints:
        sample=one_of(OWN),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=3000,
        runtime=10,
    shell:
        "python {input.script:q} {input.config} --inputs {input.inputs} --out {output} > {log} 2>&1"


# Score an engine's probabilities against the labels.
rule score_own:
    input:
        held_out=held_out,
        export=export_files,
        predictions="results/{sample}/predictions.{precision}.npz",
        script=script("score_own"),
        library=sample_library("score_own"),
    output:
        "results/{sample}/metrics.{precision}.json",
    log:
        "logs/{sample}/score_own.{precision}.log",
    benchmark:
        "benchmarks/{sample}/score_own.{precision}.tsv"
    wildcard_constraints:
        sample=one_of(OWN),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        data=data_of_job,
    shell:
        "python {input.script:q} --sample {wildcards.sample} --predictions {input.predictions} --data {params.data}"
        " --out {output} > {log} 2>&1"


# Draw which class is taken for which, and write the likeliest of each item.
rule draw_own:
    input:
        held_out=held_out,
        export=export_files,
        predictions=last_predictions,
        script=script("draw_own"),
        library=sample_library("draw_own"),
    output:
        text="results/{sample}/figures/top5.txt",
        picture=report(
            "results/{sample}/figures/confusion.png",
            caption="../report/confusion.rst",
            category="{sample}",
            labels={"what": "confusion"},
        ),
    log:
        "logs/{sample}/draw_own.log",
    benchmark:
        "benchmarks/{sample}/draw_own.tsv"
    wildcard_constraints:
        sample=one_of(OWN),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        data=data_of_job,
    shell:
        "python {input.script:q} --sample {wildcards.sample} --predictions {input.predictions} --data {params.data}"
        " --out {output.picture} --text-out {output.text} > {log} 2>&1"
