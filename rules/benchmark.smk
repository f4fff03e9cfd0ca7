"""How long engines take, whole and layer by layer."""


# Time all engines of a sample in turns, in one process, so that their ratio means something.
rule measure_latency:
    input:
        plans=per_precision("results/{sample}/engine.{precision}.plan"),
        origins=per_precision("results/{sample}/engine.{precision}.json"),
        backend="results/backend.json",
        values=timed_inputs,
        script=script("measure_latency"),
        library=timing_library("measure_latency"),
    output:
        "results/{sample}/latency.json",
    log:
        "logs/{sample}/measure_latency.log",
    benchmark:
        "benchmarks/{sample}/measure_latency.tsv"
    wildcard_constraints:
        sample=one_of([*DETECTORS, *CLASSIFIERS, *RECOMMENDERS, *OWN]),
    conda:
        ENVIRONMENT
    threads: workflow.cores or 1  # alone, so that nothing disturbs the measurement
    resources:
        mem_mb=in_full(2000, 12000),
        runtime=in_full(10, 60),
        gpu=gpus(),
    params:
        plans=lambda wildcards, input: [
            f"{plan.split('.')[-2]}={plan}" for plan in input.plans
        ],
        batch_sizes=timed_batches,
        seconds=config["latency_seconds"],
        values=timed_inputs_option,
    shell:
        "python {input.script:q} --backend-file {input.backend} --batch-sizes {params.batch_sizes} --seconds {params.seconds} --out {output}"
        " {params.values} {params.plans} > {log} 2>&1"


# Time an engine layer by layer.
rule profile_engine:
    input:
        plan="results/{sample}/engine.{precision}.plan",
        origin="results/{sample}/engine.{precision}.json",
        backend="results/backend.json",
        values=timed_inputs,
        script=script("profile_engine"),
        library=timing_library("profile_engine"),
    output:
        "results/{sample}/profile.{precision}.json",
    log:
        "logs/{sample}/profile_engine.{precision}.log",
    benchmark:
        "benchmarks/{sample}/profile_engine.{precision}.tsv"
    wildcard_constraints:
        sample=one_of([name for name in SAMPLES if name not in TRANSLATORS]),
    conda:
        ENVIRONMENT
    threads: workflow.cores or 1
    resources:
        mem_mb=in_full(2000, 12000),
        runtime=10,
        gpu=gpus(),
    params:
        batch_size=setting("profile_batch_size"),
        values=timed_inputs_option,
    shell:
        "python {input.script:q} --plan {input.plan} --precision {wildcards.precision}"
        " --batch-size {params.batch_size} {params.values} --backend-file {input.backend} --out {output} > {log} 2>&1"


# Time the engines of a character model in turns: a query is one character written.
rule measure_generation:
    input:
        plans=per_precision("results/{sample}/engine.{precision}.plan"),
        origins=per_precision("results/{sample}/engine.{precision}.json"),
        backend="results/backend.json",
        export=export_files,
        script=script("measure_generation"),
        library=sample_library("measure_generation"),
    output:
        "results/{sample}/latency.json",
    log:
        "logs/{sample}/measure_generation.log",
    benchmark:
        "benchmarks/{sample}/measure_generation.tsv"
    wildcard_constraints:
        sample=one_of(TEXTS),
    conda:
        ENVIRONMENT
    threads: workflow.cores or 1
    resources:
        mem_mb=2000,
        runtime=10,
        gpu=gpus(),
    params:
        export=folder_of("export"),
        seconds=config["latency_seconds"],
        plans=lambda wildcards, input: named_by_precision(input.plans),
    shell:
        "python {input.script:q} --sample {wildcards.sample} --backend-file {input.backend}"
        " --export-dir {params.export} --seconds {params.seconds} --out {output} {params.plans} > {log} 2>&1"
