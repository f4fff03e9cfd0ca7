"""What engines answered against the truth, the framework, and one another."""

# Score what an engine answered against the truth.
for _step in steps.step_rules(PLAN, "score"):

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


# Compare what engines answered with what the framework did, or with one another.
for _step in steps.step_rules(PLAN, "compare"):

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
