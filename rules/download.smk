"""Data sets: made here (mini)."""


rule make_training_scenes:
    """Draw the pictures to train on; together they are one output."""
    output:
        directory("results/{sample}/data/train"),
    input:
        script=script("make_digit_scenes"),
        library=library("make_digit_scenes"),
    log:
        "logs/{sample}/make_training_scenes.log",
    benchmark:
        "benchmarks/{sample}/make_training_scenes.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        amount=setting("splits", "train"),
        seed=setting("splits", "seed"),
    shell:
        "python {input.script} --split train --count {params.amount} --seed {params.seed} --out {output} > {log} 2>&1"


# Every picture is an output of its own, so that touching one rebuilds what was made from it.
for _sample in SAMPLES:
    for _split in ("val", "calibration"):

        rule:
            name:
                f"make_{_sample}_{_split}_scenes"
            output:
                picture_files(_sample, _split),
            input:
                script=script("make_digit_scenes"),
                library=library("make_digit_scenes"),
            log:
                f"logs/{_sample}/make_{_split}_scenes.log",
            benchmark:
                f"benchmarks/{_sample}/make_{_split}_scenes.tsv"
            conda:
                ENVIRONMENT
            resources:
                mem_mb=1000,
                runtime=10,
            params:
                split=_split,
                amount=SAMPLES[_sample]["splits"][_split],
                seed=SAMPLES[_sample]["splits"]["seed"],
                root=f"results/{_sample}/data/{_split}",
            shell:
                "python {input.script} --split {params.split} --count {params.amount} --seed {params.seed}"
                " --out {params.root} > {log} 2>&1"
