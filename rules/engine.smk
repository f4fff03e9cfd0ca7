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
    log:
        "logs/{sample}/build_engine.{precision}.log",
    benchmark:
        "benchmarks/{sample}/build_engine.{precision}.tsv"
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
        algorithm=setting("calibration", "algorithm"),
        max_batch_size=setting("max_batch_size"),
    shell:
        "python {input.script:q} --sample {wildcards.sample} --precision {wildcards.precision}"
        " --export-dir {params.export} {params.table} --algorithm {params.algorithm} --backend-file {input.backend}"
        " --max-batch-size {params.max_batch_size} --plan {output.plan} --network {output.network} > {log} 2>&1"
