"""How long engines take, whole and layer by layer."""

# Time the engines of a sample in turns, where a query is more than a run.
for _step in steps.step_rules(PLAN, "measure"):

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


# Time engines layer by layer while they do that.
for _step in steps.step_rules(PLAN, "profile"):

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
