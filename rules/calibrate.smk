"""INT8: batch files (guide §8.6) and the calibration table (guide §8.2.3)."""

for _sample in SAMPLES:

    rule:
        name:
            f"write_{_sample}_batches"
        input:
            pictures=picture_files(_sample, "calibration"),
            script=script("write_calibration_batches"),
            library=library("write_calibration_batches", _sample),
        output:
            batches=batch_files(_sample),
        log:
            f"logs/{_sample}/write_batches.log",
        benchmark:
            f"benchmarks/{_sample}/write_batches.tsv"
        conda:
            ENVIRONMENT
        resources:
            mem_mb=1000,
            runtime=5,
        params:
            sample=_sample,
            data=folder_of("pictures", 3),
            batch_size=SAMPLES[_sample]["calibration"]["batch_size"],
            folder=folder_of("batches"),
        shell:
            "python {input.script:q} --sample {params.sample} --data {params.data} --batch-size {params.batch_size}"
            " --out-dir {params.folder} > {log} 2>&1"


# Find the INT8 scale of every tensor; the batches and their order are inputs.
rule calibrate:
    input:
        batches=lambda wildcards: batch_files(wildcards.sample),
        export=export_files,
        backend="results/backend.json",
        script=script("calibrate"),
        library=sample_library("calibrate"),
    output:
        "results/{sample}/calibration/CalibrationTable{sample}",
    log:
        "logs/{sample}/calibrate.log",
    benchmark:
        "benchmarks/{sample}/calibrate.tsv"
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        export=folder_of("export"),
        folder=folder_of("batches"),
        batches=lambda wildcards: len(batch_files(wildcards.sample)),
        algorithm=setting("calibration", "algorithm"),
    shell:
        "python {input.script:q} --sample {wildcards.sample} --export-dir {params.export} --batch-dir {params.folder}"
        " --batches {params.batches} --algorithm {params.algorithm} --backend-file {input.backend}"
        " --out {output} > {log} 2>&1"
