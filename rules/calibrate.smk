"""INT8: batch files (guide §8.6) and the calibration table (guide §8.2.3)."""

# Preprocess the calibration pictures and write them as batch files (guide §8.6.2).
for _sample in PLAN.with_setting(
    {"calibration.batches": "made", "calibration.table": None}
):

    rule:
        name:
            f"write_{_sample}_batches"
        input:
            pictures=PLAN.split(_sample, PLAN.setting(_sample, "calibration.split")),
            export=PLAN.exports(_sample),
        output:
            batches=PLAN.batches(_sample),
        log:
            f"logs/{_sample}/write_batches.log",
        benchmark:
            f"benchmarks/{_sample}/write_batches.tsv"
        conda:
            ENVIRONMENT
        resources:
            **takes(1000, 5),
        params:
            run=command("write_calibration_batches"),
            code=CODE.of_script("write_calibration_batches", _sample),
            options=options.batches(PLAN, _sample),
            data=data_of(PLAN.setting(_sample, "calibration.split"), _sample),
            export=folder_of("export"),
            folder=folder_of("batches"),
        shell:
            "{params.run:q} {params.options:q} {params.data:q} --export-dir {params.export:q}"
            " --out-dir {params.folder:q} > {log:q} 2>&1"


# Find the INT8 scale of every tensor; the batches and their order are inputs.
rule calibrate:
    input:
        batches=file_of(PLAN.batches),
        export=file_of(PLAN.exports),
        plugins=compiled_plugins,
        backend="results/backend.json",
    output:
        "results/{sample}/calibration/CalibrationTable{sample}",
    log:
        "logs/{sample}/calibrate.log",
    benchmark:
        "benchmarks/{sample}/calibrate.tsv"
    wildcard_constraints:
        sample=one_of(PLAN.calibrated_by_one()),
    priority: 1  # an INT8 build waits for it, and both together last longest
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        **takes(in_full(3000, 12000), in_full(30, 240), engine=True),
    params:
        **script("calibrate"),
        export=folder_of("export"),
        folder=folder_of("batches"),
        options=lambda wildcards: options.calibration(PLAN, wildcards.sample),
    shell:
        "{params.run:q} --sample {wildcards.sample} --export-dir {params.export:q}"
        " --batch-dir {params.folder:q} {params.options:q} --backend-file {input.backend:q} --out {output:q} > {log:q} 2>&1"


# The same by one of several calibrators, of a sample whose algorithm is auto.
use rule calibrate as calibrate_by with:
    output:
        "results/{sample}/calibration/{algorithm}/CalibrationTable{sample}",
    log:
        "logs/{sample}/calibrate.{algorithm}.log",
    benchmark:
        "benchmarks/{sample}/calibrate.{algorithm}.tsv"
    wildcard_constraints:
        sample=with_setting(**{"calibration.algorithm": "auto"}),
        algorithm="[a-z0-9]+",
    params:
        **script("calibrate"),
        export=folder_of("export"),
        folder=folder_of("batches"),
        options=lambda wildcards: options.calibration(
            PLAN, wildcards.sample, wildcards.algorithm
        ),


# Take the table whose INT8 engine agrees most with float32, on what calibrates.
rule choose_table:
    input:
        tables=file_of(PLAN.tables_to_choose_from),
        batches=file_of(PLAN.batches),
        export=file_of(PLAN.exports),
        plugins=compiled_plugins,
        backend="results/backend.json",
    output:
        "results/{sample}/calibration/CalibrationTable{sample}",
    log:
        "logs/{sample}/choose_table.log",
    benchmark:
        "benchmarks/{sample}/choose_table.tsv"
    wildcard_constraints:
        sample=with_setting(**{"calibration.algorithm": "auto"}),
    priority: 1
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        **takes(3000, 60, engine=True),
    params:
        **script("take_table"),
        export=folder_of("export"),
        folder=folder_of("batches"),
        metric=setting("calibration.chosen_by"),
        batches=lambda wildcards: len(PLAN.batches(wildcards.sample)),
    shell:
        "{params.run:q} {input.tables:q} --sample {wildcards.sample} --export-dir {params.export:q}"
        " --batch-dir {params.folder:q} --batches {params.batches} --metric {params.metric:q}"
        " --backend-file {input.backend:q} --out {output:q} > {log:q} 2>&1"


# Take a table that the user has already, or dynamic ranges, in place of a calibration.
rule take_table:
    input:
        backend="results/backend.json",
    output:
        "results/{sample}/calibration/CalibrationTable{sample}",
    log:
        "logs/{sample}/take_table.log",
    benchmark:
        "benchmarks/{sample}/take_table.tsv"
    wildcard_constraints:
        sample=with_setting(**{"calibration.table": "set"}),
    conda:
        ENVIRONMENT
    resources:
        **takes(500, 5),
    params:
        **script("take_table"),
        table=setting("calibration.table"),
        state=lambda wildcards: planned(PLAN.given_table_state, wildcards.sample),
        options=lambda wildcards: options.given_table(PLAN, wildcards.sample),
    shell:
        "{params.run:q} {params.table:q} {params.options:q} --backend-file {input.backend:q} --out {output:q}"
        " > {log:q} 2>&1"


# Record the dynamic range of each tensor on the batches, in place of a calibration (guide §9).
rule record_ranges:
    input:
        batches=file_of(PLAN.batches),
        export=file_of(PLAN.exports),
        backend="results/backend.json",
    output:
        "results/{sample}/calibration/ranges.txt",
    log:
        "logs/{sample}/record_ranges.log",
    benchmark:
        "benchmarks/{sample}/record_ranges.tsv"
    wildcard_constraints:
        sample=one_of(PLAN.ranged()),
    priority: 1
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        **takes(3000, 30, engine=True),
    params:
        **script("record_ranges"),
        export=folder_of("export"),
        folder=folder_of("batches"),
        batches=lambda wildcards: len(PLAN.batches(wildcards.sample)),
    shell:
        "{params.run:q} --sample {wildcards.sample} --export-dir {params.export:q}"
        " --batch-dir {params.folder:q} --batches {params.batches} --backend-file {input.backend:q} --out {output:q}"
        " > {log:q} 2>&1"


# List the tensors that need one.
rule write_tensors:
    input:
        export=file_of(PLAN.exports),
        backend="results/backend.json",
    output:
        "results/{sample}/tensors.txt",
    log:
        "logs/{sample}/write_tensors.log",
    benchmark:
        "benchmarks/{sample}/write_tensors.tsv"
    wildcard_constraints:
        sample=one_of(PLAN.ranged()),
    conda:
        ENVIRONMENT
    resources:
        **takes(2000, 10, engine=True),
    params:
        **script("write_tensors"),
        export=folder_of("export"),
    shell:
        "{params.run:q} --sample {wildcards.sample} --export-dir {params.export:q}"
        " --backend-file {input.backend:q} --out {output:q} > {log:q} 2>&1"


# Search the layers that must not be INT8, where mixed_precision is set.
rule find_mixed_precision:
    input:
        table=file_of(PLAN.table, "int8"),
        batches=file_of(PLAN.batches),
        export=file_of(PLAN.exports),
        plugins=compiled_plugins,
        backend="results/backend.json",
    output:
        "results/{sample}/calibration/kept_layers.txt",
    log:
        "logs/{sample}/find_mixed_precision.log",
    benchmark:
        "benchmarks/{sample}/find_mixed_precision.tsv"
    wildcard_constraints:
        sample=with_setting(mixed_precision="set"),
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        **takes(3000, 240, engine=True),
    params:
        **script("find_mixed_precision"),
        export=folder_of("export"),
        folder=folder_of("batches"),
        table=table_option,
        options=lambda wildcards: options.mixed_precision(PLAN, wildcards.sample),
    shell:
        "{params.run:q} --sample {wildcards.sample} --export-dir {params.export:q} {params.table:q}"
        " --batch-dir {params.folder:q} {params.options:q}"
        " --backend-file {input.backend:q} --out {output:q} > {log:q} 2>&1"
