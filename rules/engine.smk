"""Engines, and where they are built."""


# Write down runtime, version and device; another GPU or TensorRT rebuilds engines and nothing else.
rule record_backend:
    input:
        script=script("record_backend"),
        library=library("record_backend"),
    output:
        "results/backend.json",
    log:
        "logs/record_backend.log",
    benchmark:
        "benchmarks/record_backend.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=5,
    params:
        backend=config["backend"],
    shell:
        "python {input.script:q} --backend {params.backend} --out {output} > {log} 2>&1"


# Build the engine of one precision.
rule build_engine:
    input:
        export=export_files,
        table=calibration_table,
        backend="results/backend.json",
        script=script("build_engine"),
        library=sample_library("build_engine"),
    output:
        plan="results/{sample}/engine.{precision}.plan",
        origin="results/{sample}/engine.{precision}.json",
        network="results/{sample}/network.{precision}.onnx",
        layers="results/{sample}/layers.{precision}.txt",
    log:
        "logs/{sample}/build_engine.{precision}.log",
    benchmark:
        "benchmarks/{sample}/build_engine.{precision}.tsv"
    wildcard_constraints:
        sample=one_of(name for name in SAMPLES if name not in REFITTED),
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        export=folder_of("export"),
        table=lambda wildcards, input: (
            f"--calibration-table {input.table}" if input.table else ""
        ),
        algorithm=calibration_algorithm,
        max_batch_size=setting("max_batch_size"),
    shell:
        "python {input.script:q} --sample {wildcards.sample} --precision {wildcards.precision}"
        " --export-dir {params.export} {params.table} {params.algorithm} --backend-file {input.backend}"
        " --max-batch-size {params.max_batch_size} --plan {output.plan} --network {output.network}"
        " --layers {output.layers} > {log} 2>&1"


# Build an engine with dummy weights in one layer.
rule build_dummy_engine:
    input:
        export=export_files,
        backend="results/backend.json",
        script=script("build_engine"),
        library=sample_library("build_engine"),
    output:
        plan="results/{sample}/dummy/engine.{precision}.plan",
        origin="results/{sample}/dummy/engine.{precision}.json",
        network="results/{sample}/dummy/network.{precision}.onnx",
        layers="results/{sample}/layers.{precision}.txt",
    log:
        "logs/{sample}/build_dummy_engine.{precision}.log",
    benchmark:
        "benchmarks/{sample}/build_dummy_engine.{precision}.tsv"
    wildcard_constraints:
        sample=one_of(REFITTED),
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        export=folder_of("export"),
        max_batch_size=setting("max_batch_size"),
    shell:
        "python {input.script:q} --sample {wildcards.sample} --precision {wildcards.precision}"
        " --export-dir {params.export} --backend-file {input.backend} --max-batch-size {params.max_batch_size}"
        " --plan {output.plan} --network {output.network} --layers {output.layers} > {log} 2>&1"


# Run that engine as it is, then refit it with the trained weights.
rule refit_engine:
    input:
        plan="results/{sample}/dummy/engine.{precision}.plan",
        origin="results/{sample}/dummy/engine.{precision}.json",
        export=export_files,
        inputs="results/{sample}/inputs.npz",
        labels=held_out,
        backend="results/backend.json",
        script=script("refit_engine"),
        library=sample_library("refit_engine"),
    output:
        plan="results/{sample}/engine.{precision}.plan",
        origin="results/{sample}/engine.{precision}.json",
        network="results/{sample}/network.{precision}.onnx",
        before="results/{sample}/before_refit.{precision}.json",
    log:
        "logs/{sample}/refit_engine.{precision}.log",
    benchmark:
        "benchmarks/{sample}/refit_engine.{precision}.tsv"
    wildcard_constraints:
        sample=one_of(REFITTED),
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        export=folder_of("export"),
        data=folder_of("labels"),
        batch_size=setting("max_batch_size"),
    shell:
        "python {input.script:q} --sample {wildcards.sample} --dummy-plan {input.plan} --export-dir {params.export}"
        " --inputs {input.inputs} --data {params.data} --batch-size {params.batch_size} --backend-file {input.backend}"
        " --plan {output.plan} --network {output.network} --before-out {output.before} > {log} 2>&1"
