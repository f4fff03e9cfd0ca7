"""From a framework's model to what TensorRT's parsers read."""

# Write a framework's model in the form of TensorRT's parsers, or take a published one.
for _step in steps.step_rules(PLAN, "export"):

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


# Convert a frozen graph to UFF, after a sample's own changes to it.
rule convert_to_uff:
    input:
        frozen=file_of(PLAN.frozen),
    output:
        "results/{sample}/export/model.uff",
    log:
        "logs/{sample}/convert_to_uff.log",
    benchmark:
        "benchmarks/{sample}/convert_to_uff.tsv"
    wildcard_constraints:
        sample=one_of(PLAN.with_form("uff")),
    conda:
        ENVIRONMENT
    resources:
        **takes(2000, 5),
    params:
        **script("convert_to_uff", "preprocessor"),
        output=setting("model.output"),
        preprocessor=lambda wildcards: options.preprocessor(PLAN, wildcards.sample),
    shell:
        "{params.run:q} {input.frozen:q} --strict -O {params.output:q}"
        " {params.preprocessor:q} -o {output:q} > {log:q} 2>&1"


# Write the weights of a TensorFlow checkpoint as .wts2.
rule dump_tf_weights:
    input:
        checkpoint=file_of(PLAN.checkpoint),
    output:
        "results/{sample}/export/model.wts2",
    log:
        "logs/{sample}/dump_tf_weights.log",
    benchmark:
        "benchmarks/{sample}/dump_tf_weights.tsv"
    wildcard_constraints:
        sample=one_of(PLAN.with_form("wts2")),
    conda:
        ENVIRONMENT
    resources:
        **takes(2000, 5),
    params:
        **script("dump_tf_weights"),
        prefix=lambda wildcards, input: input.checkpoint[0].removesuffix(".index"),
    shell:
        "{params.run:q} --model {params.prefix:q} --output {output:q} > {log:q} 2>&1"


# Convert Darknet's cfg and weights to ONNX.
rule convert_darknet:
    input:
        cfg=file_of(PLAN.darknet, "cfg"),
        weights=file_of(PLAN.darknet, "weights"),
    output:
        model="results/{sample}/export/model.onnx",
        cfg="results/{sample}/export/yolov3.cfg",
        checksums="results/{sample}/export/SHA256SUMS",
    log:
        "logs/{sample}/convert_darknet.log",
    benchmark:
        "benchmarks/{sample}/convert_darknet.tsv"
    wildcard_constraints:
        sample=one_of(PLAN.with_form("darknet")),
    conda:
        ENVIRONMENT
    resources:
        **takes(3000, 5),
    params:
        **script("convert_darknet"),
        folder=folder_of("model"),
    shell:
        "{params.run:q} --cfg {input.cfg:q} --weights {input.weights:q}"
        " --out-dir {params.folder:q} > {log:q} 2>&1"
