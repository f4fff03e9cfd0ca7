"""Engines, and where they are built."""


# Write down runtime, version and device; another GPU or TensorRT rebuilds engines and nothing else. A checkpoint, for
# with backend auto only this tells whether engines need compiled plugins.
checkpoint record_backend:
    output:
        "results/backend.json",
    log:
        "logs/record_backend.log",
    benchmark:
        "benchmarks/record_backend.tsv"
    conda:
        ENVIRONMENT
    resources:
        **takes(500, 5, engine=True),
    params:
        **script("record_backend"),
        backend=config["backend"],
        # a function: in a plain string braces would be wildcards
        python=lambda wildcards: options.engine_python(PLAN, workflow.basedir),
        options=options.reference(PLAN),
    shell:
        "{params.run:q} --backend {params.backend:q} --engine-python {params.python:q} {params.options:q}"
        " --out {output:q} > {log:q} 2>&1"


# Build the engine of one precision.
rule build_engine:
    input:
        export=file_of(PLAN.exports),
        table=table_of(PLAN.table),
        kept=table_of(PLAN.kept_layers),
        plugins=compiled_plugins,
        backend="results/backend.json",
    output:
        plan="results/{sample}/engine.{precision}.plan",
        origin="results/{sample}/engine.{precision}.json",
        layers="results/{sample}/layers.{precision}.txt",
    log:
        "logs/{sample}/build_engine.{precision}.log",
    benchmark:
        "benchmarks/{sample}/build_engine.{precision}.tsv"
    wildcard_constraints:
        sample=with_setting(refit=None),
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        **takes(in_full(3000, 12000), 30, engine=True),
    params:
        **script("build_engine"),
        export=folder_of("export"),
        table=table_option,
        kept=lambda wildcards, input: ["--keep", input.kept] if input.kept else [],
        options=engine_options,
    shell:
        "{params.run:q} {params.options:q} --export-dir {params.export:q} {params.table:q}"
        " {params.kept:q} --backend-file {input.backend:q} --plan {output.plan:q} --layers {output.layers:q} > {log:q} 2>&1"


# Build an engine with dummy weights in one layer.
use rule build_engine as build_dummy_engine with:
    output:
        plan="results/{sample}/dummy/engine.{precision}.plan",
        origin="results/{sample}/dummy/engine.{precision}.json",
        layers="results/{sample}/layers.{precision}.txt",
    log:
        "logs/{sample}/build_dummy_engine.{precision}.log",
    benchmark:
        "benchmarks/{sample}/build_dummy_engine.{precision}.tsv"
    wildcard_constraints:
        sample=with_setting(refit=True),


# Build the engine of another form of a sample's model.
use rule build_engine as build_program_engine with:
    output:
        plan="results/{sample}/{program}/engine.plan",
        origin="results/{sample}/{program}/engine.json",
        layers="results/{sample}/{program}/layers.txt",
    log:
        "logs/{sample}/build_program_engine.{program}.log",
    benchmark:
        "benchmarks/{sample}/build_program_engine.{program}.tsv"
    wildcard_constraints:
        sample=with_setting(programs="set"),


# Build an engine that a sample has besides its own.
use rule build_engine as build_network_engine with:
    output:
        plan="results/{sample}/{network}.{precision}.plan",
        origin="results/{sample}/{network}.{precision}.json",
        layers="results/{sample}/{network}_layers.{precision}.txt",
    log:
        "logs/{sample}/build_network_engine.{network}.{precision}.log",
    benchmark:
        "benchmarks/{sample}/build_network_engine.{network}.{precision}.tsv"
    wildcard_constraints:
        network=one_of(PLAN.networks()),


# Run the engine with dummy weights as it is, then refit it with the trained ones.
rule refit_engine:
    input:
        plan="results/{sample}/dummy/engine.{precision}.plan",
        origin="results/{sample}/dummy/engine.{precision}.json",
        export=file_of(PLAN.exports),
        inputs="results/{sample}/inputs.npz",
        labels=file_of(PLAN.split, "val"),
        backend="results/backend.json",
    output:
        plan="results/{sample}/engine.{precision}.plan",
        origin="results/{sample}/engine.{precision}.json",
        before="results/{sample}/before_refit.{precision}.json",
    log:
        "logs/{sample}/refit_engine.{precision}.log",
    benchmark:
        "benchmarks/{sample}/refit_engine.{precision}.tsv"
    wildcard_constraints:
        sample=with_setting(refit=True),
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        **takes(3000, 30, engine=True),
    params:
        **script("refit_engine"),
        export=folder_of("export"),
        data=folder_of("labels"),
        batch_size=setting("max_batch_size"),
    shell:
        "{params.run:q} --sample {wildcards.sample} --dummy-plan {input.plan:q}"
        " --export-dir {params.export:q} --inputs {input.inputs:q} --data {params.data:q}"
        " --batch-size {params.batch_size} --backend-file {input.backend:q} --plan {output.plan:q}"
        " --before-out {output.before:q} > {log:q} 2>&1"


# Lower the network to plain ONNX, whatever the backend; nothing else needs it.
rule lower_network:
    input:
        export=file_of(PLAN.exports),
        table=table_of(PLAN.table),
        kept=table_of(PLAN.kept_layers),
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
        **takes(in_full(3000, 12000), 10),
    params:
        **script("lower_network"),
        export=folder_of("export"),
        table=table_option,
        kept=lambda wildcards, input: ["--keep", input.kept] if input.kept else [],
        options=lambda wildcards: (
            options.network(PLAN, wildcards.sample, wildcards.precision)
            + options.lowering(PLAN)
        ),
    shell:
        "{params.run:q} {params.options:q} --export-dir {params.export:q} {params.table:q}"
        " {params.kept:q} --out {output:q} > {log:q} 2>&1"
