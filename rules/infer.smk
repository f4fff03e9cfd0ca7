"""Engines at work: predictions, scores, pictures."""


# Run an engine over the validation pictures.
rule infer:
    input:
        pictures=pictures("val"),
        plan="results/{sample}/engine.{precision}.plan",
        origin="results/{sample}/engine.{precision}.json",
        backend="results/backend.json",
        script=script("infer"),
        library=sample_library("infer"),
    output:
        "results/{sample}/predictions.{precision}.npz",
    log:
        "logs/{sample}/infer.{precision}.log",
    benchmark:
        "benchmarks/{sample}/infer.{precision}.tsv"
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        data=folder_of("pictures", 3),
        batch_size=setting("max_batch_size"),
    shell:
        "python {input.script:q} --sample {wildcards.sample} --plan {input.plan} --backend-file {input.backend}"
        " --data {params.data} --split val --batch-size {params.batch_size} --out {output} > {log} 2>&1"


# Score predictions against the annotations.
rule score:
    input:
        pictures=pictures("val"),
        predictions="results/{sample}/predictions.{precision}.npz",
        script=script("score"),
        library=sample_library("score"),
    output:
        "results/{sample}/metrics.{precision}.json",
    log:
        "logs/{sample}/score.{precision}.log",
    benchmark:
        "benchmarks/{sample}/score.{precision}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        data=folder_of("pictures", 3),
    shell:
        "python {input.script:q} --sample {wildcards.sample} --predictions {input.predictions} --data {params.data}"
        " --split val --out {output} > {log} 2>&1"


# Compare the engine's predictions with the framework's own.
rule compare_framework:
    input:
        predictions="results/{sample}/predictions.fp32.npz",
        framework="results/{sample}/model/predictions.npz",
        script=script("compare_framework"),
        library=sample_library("compare_framework"),
    output:
        "results/{sample}/agreement.json",
    log:
        "logs/{sample}/compare_framework.log",
    benchmark:
        "benchmarks/{sample}/compare_framework.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    shell:
        "python {input.script:q} --sample {wildcards.sample} --predictions {input.predictions}"
        " --framework {input.framework} --out {output} > {log} 2>&1"
