"""Data sets: made here (mini), or published (full)."""

# Make a data set, or one of its splits.
for _step in steps.step_rules(PLAN, "make_data"):

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


# List the files of the user's own, with their checksums, in place of their names in every job.
rule list_own_files:
    output:
        "results/{sample}/own/{part}.sha256",
    log:
        "logs/{sample}/list_own_files.{part}.log",
    benchmark:
        "benchmarks/{sample}/list_own_files.{part}.tsv"
    wildcard_constraints:
        sample=one_of(PLAN.own),
        part="model|val|calibration",
    conda:
        ENVIRONMENT
    resources:
        **takes(500, 10),
    params:
        **script("list_files"),
        files=lambda wildcards: planned(
            PLAN.own_listing, wildcards.sample, wildcards.part
        ),
        state=lambda wildcards: planned(
            PLAN.own_state, wildcards.sample, wildcards.part
        ),
    shell:
        "{params.run:q} {params.files:q} --out {output:q} > {log:q} 2>&1"
