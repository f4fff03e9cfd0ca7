"""Trainings, and what the frameworks themselves predict."""


# Train SSD300 in PyTorch.
rule train_ssd:
    input:
        data="results/ssd/data/train",
        script=script("train_ssd"),
        library=library("train_ssd"),
    output:
        model="results/ssd/model/ssd.pt",
        training="results/ssd/model/training.json",
    log:
        "logs/ssd/train_ssd.log",
    benchmark:
        "benchmarks/ssd/train_ssd.tsv"
    conda:
        ENVIRONMENT
    threads: SAMPLES["ssd"]["training"]["threads"]
    resources:
        mem_mb=6000,
        runtime=30,
    params:
        width=SAMPLES["ssd"]["model"]["width"],
        settings=options(SAMPLES["ssd"]["training"]),
    shell:
        "python {input.script:q} --data {input.data} --width {params.width} {params.settings}"
        " --out {output.model} --log-out {output.training} > {log} 2>&1"


# Run the trained network in PyTorch, to compare engines with.
rule predict_ssd:
    input:
        pictures=picture_files("ssd", "val"),
        model="results/ssd/model/ssd.pt",
        script=script("predict_ssd"),
        library=library("predict_ssd"),
    output:
        "results/ssd/model/predictions.npz",
    log:
        "logs/ssd/predict_ssd.log",
    benchmark:
        "benchmarks/ssd/predict_ssd.tsv"
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        data=folder_of("pictures", 3),
    shell:
        "python {input.script:q} --model {input.model} --data {params.data} --split val --out {output} > {log} 2>&1"
