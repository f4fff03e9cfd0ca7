"""Trainings, and what the frameworks themselves predict."""

# Train the network of a sample.
for _step in steps.step_rules(PLAN, "train"):

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


# Ask the framework that a model comes from, to compare engines with.
for _step in steps.step_rules(PLAN, "predict"):

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
