"""INT8: batch files (guide §8.6) and the calibration table (guide §8.2.3)."""

# Preprocess the calibration pictures and write them as batch files (guide §8.6.2).
for _sample in INT8_SAMPLES:
    if SAMPLES[_sample]["calibration"]["batches"] == "captured":
        continue

    rule:
        name:
            f"write_{_sample}_batches"
        input:
            pictures=split_files(_sample, SAMPLES[_sample]["calibration"]["split"]),
            export=exports_of(_sample),
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
            export=folder_of("export"),
            split=SAMPLES[_sample]["calibration"]["split"],
            data=data_folder(_sample),
            batch_size=SAMPLES[_sample]["calibration"]["batch_size"],
            folder=folder_of("batches"),
        shell:
            "python {input.script:q} --sample {params.sample} --data {params.data} --split {params.split}"
            " --export-dir {params.export} --batch-size {params.batch_size} --out-dir {params.folder} > {log} 2>&1"


# Capture what the training pipeline hands to the network, as a patched Caffe does (guide §8.6.1).
for _sample in INT8_SAMPLES:
    if SAMPLES[_sample]["calibration"]["batches"] == "made":
        continue

    rule:
        name:
            f"capture_{_sample}_batches"
        input:
            pictures=split_files(_sample, SAMPLES[_sample]["calibration"]["split"]),
            model=f"results/{_sample}/model/network.pt",
            script=script("test_digits"),
            library=library("test_digits"),
        output:
            batches=batch_files(_sample),
        log:
            f"logs/{_sample}/capture_batches.log",
        benchmark:
            f"benchmarks/{_sample}/capture_batches.tsv"
        conda:
            ENVIRONMENT
        resources:
            mem_mb=1000,
            runtime=5,
        params:
            pixels=SAMPLES[_sample]["model"]["pixels"],
            split=SAMPLES[_sample]["calibration"]["split"],
            data=data_folder(_sample),
            batch_size=SAMPLES[_sample]["calibration"]["batch_size"],
            folder=folder_of("batches"),
        shell:
            "TENSORRT_INT8_BATCH_DIRECTORY={params.folder:q} python {input.script:q} --model {input.model}"
            " --pixels {params.pixels} --data {params.data} --split {params.split} --batch-size {params.batch_size} > {log} 2>&1"


# Find the INT8 scale of every tensor; the batches and their order are inputs.
rule calibrate:
    input:
        batches=lambda wildcards: batch_files(wildcards.sample),
        export=export_files,
        plugins=compiled_plugins,
        backend="results/backend.json",
        script=script("calibrate"),
        library=sample_library("calibrate"),
    output:
        "results/{sample}/calibration/CalibrationTable{sample}",
    log:
        "logs/{sample}/calibrate.log",
    benchmark:
        "benchmarks/{sample}/calibrate.tsv"
    wildcard_constraints:
        sample=one_of(name for name in INT8_SAMPLES if name not in RANGED),
    priority: 1  # an INT8 build waits for it, and both together last longest
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=in_full(3000, 12000),
        runtime=in_full(30, 240),
        gpu=gpus(),
    params:
        export=folder_of("export"),
        folder=folder_of("batches"),
        batches=lambda wildcards: len(batch_files(wildcards.sample)),
        algorithm=calibration_algorithm,
        builder=builder_options(),
    shell:
        "python {input.script:q} --sample {wildcards.sample} --export-dir {params.export} --batch-dir {params.folder}"
        " --batches {params.batches} {params.algorithm} {params.builder} --backend-file {input.backend}"
        " --out {output} > {log} 2>&1"


# Record the dynamic range of each tensor on the batches, in place of a calibration (guide §9).
rule record_ranges:
    input:
        batches=lambda wildcards: batch_files(wildcards.sample),
        export=export_files,
        backend="results/backend.json",
        script=script("record_ranges"),
        library=sample_library("record_ranges"),
    output:
        "results/{sample}/calibration/ranges.txt",
    log:
        "logs/{sample}/record_ranges.log",
    benchmark:
        "benchmarks/{sample}/record_ranges.tsv"
    wildcard_constraints:
        sample=one_of(RANGED),
    priority: 1  # an INT8 build waits for it, and both together last longest
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=3000,
        runtime=30,
        gpu=gpus(),
    params:
        export=folder_of("export"),
        folder=folder_of("batches"),
        batches=lambda wildcards: len(batch_files(wildcards.sample)),
    shell:
        "python {input.script:q} --sample {wildcards.sample} --export-dir {params.export} --batch-dir {params.folder}"
        " --batches {params.batches} --backend-file {input.backend} --out {output} > {log} 2>&1"


# List the tensors that need one.
rule write_tensors:
    input:
        export=export_files,
        backend="results/backend.json",
        script=script("write_tensors"),
        library=sample_library("write_tensors"),
    output:
        "results/{sample}/tensors.txt",
    log:
        "logs/{sample}/write_tensors.log",
    benchmark:
        "benchmarks/{sample}/write_tensors.tsv"
    wildcard_constraints:
        sample=one_of(RANGED),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
        runtime=10,
        gpu=gpus(),
    params:
        export=folder_of("export"),
    shell:
        "python {input.script:q} --sample {wildcards.sample} --export-dir {params.export}"
        " --backend-file {input.backend} --out {output} > {log} 2>&1"


# Search the layers that must not be INT8, where mixed_precision is set.
rule find_mixed_precision:
    input:
        ranges="results/{sample}/calibration/ranges.txt",
        batches=lambda wildcards: batch_files(wildcards.sample),
        export=export_files,
        backend="results/backend.json",
        script=script("find_mixed_precision"),
        library=sample_library("find_mixed_precision"),
    output:
        "results/{sample}/calibration/kept_layers.txt",
    log:
        "logs/{sample}/find_mixed_precision.log",
    benchmark:
        "benchmarks/{sample}/find_mixed_precision.tsv"
    wildcard_constraints:
        sample=one_of(RANGED),
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=3000,
        runtime=240,
        gpu=gpus(),
    params:
        export=folder_of("export"),
        folder=folder_of("batches"),
        batches=lambda wildcards: len(batch_files(wildcards.sample)),
        limit=setting("mixed_precision", "limit"),
    shell:
        "python {input.script:q} --sample {wildcards.sample} --export-dir {params.export} --ranges {input.ranges}"
        " --batch-dir {params.folder} --batches {params.batches} --limit {params.limit}"
        " --backend-file {input.backend} --out {output} > {log} 2>&1"
