"""Engines at work: what they are given, and what they answer."""


# Preprocess the held-out pictures, which needs more than an engine's environment has.
rule prepare_inputs:
    input:
        val=file_of(PLAN.split, "val"),
        export=file_of(PLAN.exports),
    output:
        "results/{sample}/inputs.npz",
    log:
        "logs/{sample}/prepare_inputs.log",
    benchmark:
        "benchmarks/{sample}/prepare_inputs.tsv"
    conda:
        ENVIRONMENT
    resources:
        **takes(in_full(2000, 12000), in_full(5, 20)),
    params:
        **script("prepare_inputs"),
        name=program_of,
        data=data_of("val"),
        export=folder_of("export"),
    shell:
        "{params.run:q} --sample {params.name} {params.data:q}"
        " --export-dir {params.export:q} --out {output:q} > {log:q} 2>&1"


# The same for another form of a sample's model, whose input has another name.
use rule prepare_inputs as prepare_program_inputs with:
    output:
        "results/{sample}/{program}/inputs.npz",
    log:
        "logs/{sample}/prepare_program_inputs.{program}.log",
    benchmark:
        "benchmarks/{sample}/prepare_program_inputs.{program}.tsv"
    wildcard_constraints:
        sample=with_setting(programs="set"),


# The same for the picture that a chapter looks at.
use rule prepare_inputs as prepare_picture with:
    input:
        picture=file_of(PLAN.picture),
        export=file_of(PLAN.exports),
    output:
        "results/{sample}/dog/inputs.npz",
    log:
        "logs/{sample}/prepare_picture.log",
    benchmark:
        "benchmarks/{sample}/prepare_picture.tsv"
    wildcard_constraints:
        sample=with_setting(picture="set"),
    params:
        **script("prepare_inputs"),
        name=program_of,
        data=lambda wildcards, input: ["--pictures", input.picture],
        export=folder_of("export"),


# Run an engine.
for _step in steps.step_rules(PLAN, "infer"):

    rule:
        name:
            _step.name
        input:
            **step_input(_step),
        output:
            **step_output(_step),
        log:
            f"logs/{_step.log}.log",
        benchmark:
            f"benchmarks/{_step.log}.tsv"
        conda:
            ENVIRONMENT
        threads: step_threads(_step)
        resources:
            **step_resources(_step),
        params:
            **step_params(_step),
        shell:
            "{params.run:q} --job {params.job:q} > {log:q} 2>&1"
