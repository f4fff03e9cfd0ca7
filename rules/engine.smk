"""Engines, and where they are built."""


# Write down runtime, version and device; another GPU or TensorRT rebuilds engines and nothing else. A checkpoint, for
# with backend auto only this tells whether engines need compiled plugins.
checkpoint record_backend:
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
        gpu=gpus(),
    params:
        backend=config["backend"],
        python=engine_python(),
    shell:
        "python {input.script:q} --backend {params.backend} --engine-python {params.python:q}"
        " --out {output} > {log} 2>&1"


# Build the engine of one precision.
rule build_engine:
    input:
        export=export_files,
        table=calibration_table,
        kept=kept_layers,
        plugins=compiled_plugins,
        backend="results/backend.json",
        script=script("build_engine"),
        library=sample_library("build_engine"),
    output:
        plan="results/{sample}/engine.{precision}.plan",
        origin="results/{sample}/engine.{precision}.json",
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
        mem_mb=in_full(3000, 12000),
        runtime=30,
        gpu=gpus(),
    params:
        export=folder_of("export"),
        table=table_option,
        kept=kept_option,
        algorithm=calibration_algorithm,
        max_batch_size=setting("max_batch_size"),
        builder=builder_options(),
        dla=dla_option,
        recurrent=recurrent_option,
    shell:
        "python {input.script:q} --sample {wildcards.sample} --precision {wildcards.precision}"
        " --export-dir {params.export} {params.table} {params.kept} {params.algorithm} --backend-file {input.backend}"
        " --max-batch-size {params.max_batch_size} {params.builder} {params.dla} {params.recurrent}"
        " --plan {output.plan} --layers {output.layers} > {log} 2>&1"


# Build an engine with dummy weights in one layer.
rule build_dummy_engine:
    input:
        export=export_files,
        plugins=compiled_plugins,
        backend="results/backend.json",
        script=script("build_engine"),
        library=sample_library("build_engine"),
    output:
        plan="results/{sample}/dummy/engine.{precision}.plan",
        origin="results/{sample}/dummy/engine.{precision}.json",
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
        runtime=30,
        gpu=gpus(),
    params:
        export=folder_of("export"),
        max_batch_size=setting("max_batch_size"),
        builder=builder_options(),
    shell:
        "python {input.script:q} --sample {wildcards.sample} --precision {wildcards.precision}"
        " --export-dir {params.export} --backend-file {input.backend} --max-batch-size {params.max_batch_size}"
        " {params.builder} --plan {output.plan} --layers {output.layers} > {log} 2>&1"


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
        runtime=30,
        gpu=gpus(),
    params:
        export=folder_of("export"),
        data=folder_of("labels"),
        batch_size=setting("max_batch_size"),
    shell:
        "python {input.script:q} --sample {wildcards.sample} --dummy-plan {input.plan} --export-dir {params.export}"
        " --inputs {input.inputs} --data {params.data} --batch-size {params.batch_size} --backend-file {input.backend}"
        " --plan {output.plan} --before-out {output.before} > {log} 2>&1"


# Lower the network to plain ONNX, whatever the backend; nothing else needs it.
rule lower_network:
    input:
        export=export_files,
        table=calibration_table,
        kept=kept_layers,
        script=script("lower_network"),
        library=sample_library("lower_network"),
    output:
        "results/{sample}/network.{precision}.onnx",
    log:
        "logs/{sample}/lower_network.{precision}.log",
    benchmark:
        "benchmarks/{sample}/lower_network.{precision}.tsv"
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=in_full(3000, 12000),
        runtime=10,
    params:
        export=folder_of("export"),
        table=table_option,
        kept=kept_option,
        algorithm=calibration_algorithm,
        max_batch_size=setting("max_batch_size"),
        recurrent=recurrent_option,
    shell:
        "python {input.script:q} --sample {wildcards.sample} --precision {wildcards.precision}"
        " --export-dir {params.export} {params.table} {params.kept} {params.algorithm} --max-batch-size {params.max_batch_size}"
        " {params.recurrent} --out {output} > {log} 2>&1"


# Build the engine of another form of a sample's model.
rule build_program_engine:
    input:
        export=export_files,
        backend="results/backend.json",
        script=script("build_engine"),
        library=sample_library("build_engine"),
    output:
        plan="results/{sample}/{program}/engine.plan",
        origin="results/{sample}/{program}/engine.json",
        layers="results/{sample}/{program}/layers.txt",
    log:
        "logs/{sample}/build_program_engine.{program}.log",
    benchmark:
        "benchmarks/{sample}/build_program_engine.{program}.tsv"
    wildcard_constraints:
        sample=one_of(PROGRAMS),
        program="caffe|uff",
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=3000,
        runtime=30,
        gpu=gpus(),
    params:
        export=folder_of("export"),
        max_batch_size=setting("max_batch_size"),
        builder=builder_options(),
    shell:
        "python {input.script:q} --sample {wildcards.sample}.{wildcards.program} --precision fp32"
        " --export-dir {params.export} --backend-file {input.backend} --max-batch-size {params.max_batch_size}"
        " {params.builder} --plan {output.plan} --layers {output.layers} > {log} 2>&1"
