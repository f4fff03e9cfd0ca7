"""From a framework's model to what TensorRT's parsers read."""


# Write SSD as its authors' deploy.prototxt and caffemodel, in TensorRT's form too.
rule export_ssd:
    input:
        model="results/ssd/model/ssd.pt",
        script=script("export_ssd"),
        library=library("export_ssd"),
    output:
        stock="results/ssd/export/deploy.prototxt",
        prototxt="results/ssd/export/model.prototxt",
        caffemodel="results/ssd/export/model.caffemodel",
        checksums="results/ssd/export/SHA256SUMS",
    log:
        "logs/ssd/export_ssd.log",
    benchmark:
        "benchmarks/ssd/export_ssd.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
        runtime=5,
    params:
        folder=folder_of("caffemodel"),
    shell:
        "python {input.script:q} --model {input.model} --out-dir {params.folder} > {log} 2>&1"


# Write a PyTorch digit network as a Caffe model, .wts, arrays or ONNX.
for _sample in samples_with(task="classification", model_framework="pytorch"):

    rule:
        name:
            f"export_{_sample}"
        input:
            model=f"results/{_sample}/model/network.pt",
            script=script("export_digits"),
            library=library("export_digits"),
        output:
            exports=exports_of(_sample),
        log:
            f"logs/{_sample}/export.log",
        benchmark:
            f"benchmarks/{_sample}/export.tsv"
        conda:
            ENVIRONMENT
        resources:
            mem_mb=1000,
            runtime=5,
        params:
            form=SAMPLES[_sample]["source"],
            folder=folder_of("exports"),
        shell:
            "python {input.script:q} --format {params.form} --model {input.model} --out-dir {params.folder} > {log} 2>&1"


# Write an SSD on InceptionV2 as a frozen TensorFlow graph.
rule freeze_ssd:
    input:
        model="results/{sample}/model/ssd.pt",
        script=script("freeze_ssd"),
        library=library("freeze_ssd"),
    output:
        "results/{sample}/model/frozen.pb",
    log:
        "logs/{sample}/freeze_ssd.log",
    benchmark:
        "benchmarks/{sample}/freeze_ssd.tsv"
    wildcard_constraints:
        sample=one_of(name for name in FROZEN_DETECTORS if name in TRAINED_DETECTORS),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
        runtime=5,
    shell:
        "python {input.script:q} --model {input.model} --out {output} > {log} 2>&1"


# Freeze a Keras model: variables become constants, input and output take the names that the sample knows.
rule freeze:
    input:
        model="results/{sample}/model/network.keras",
        script=script("freeze"),
        library=library("freeze"),
    output:
        "results/{sample}/model/frozen.pb",
    log:
        "logs/{sample}/freeze.log",
    benchmark:
        "benchmarks/{sample}/freeze.tsv"
    wildcard_constraints:
        sample=one_of(samples_with(task="classification", source="uff")),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
        runtime=5,
    params:
        input=setting("model", "input"),
        output=setting("model", "output"),
    shell:
        "python {input.script:q} {input.model} --input {params.input} --output {params.output} --out {output} > {log} 2>&1"


# Convert a frozen graph to UFF, after a sample's own changes to it.
rule convert_to_uff:
    input:
        frozen=model_file("frozen.pb"),
        preprocessor=preprocessor,
        script=script("convert_to_uff"),
        library=library("convert_to_uff"),
    output:
        "results/{sample}/export/model.uff",
    log:
        "logs/{sample}/convert_to_uff.log",
    benchmark:
        "benchmarks/{sample}/convert_to_uff.tsv"
    wildcard_constraints:
        sample=one_of(samples_with(source="uff")),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
        runtime=5,
    params:
        output=setting("model", "output"),
        preprocessor=lambda wildcards, input: (
            f"-p {input.preprocessor}" if input.preprocessor else ""
        ),
    shell:
        "python {input.script:q} {input.frozen} --strict -O {params.output} {params.preprocessor} -o {output} > {log} 2>&1"


# Write the weights of a TensorFlow checkpoint as .wts2.
rule dump_tf_weights:
    input:
        checkpoint=checkpoint_files,
        script=script("dump_tf_weights"),
        library=library("dump_tf_weights"),
    output:
        "results/{sample}/export/model.wts2",
    log:
        "logs/{sample}/dump_tf_weights.log",
    benchmark:
        "benchmarks/{sample}/dump_tf_weights.tsv"
    wildcard_constraints:
        sample=one_of(samples_with(source="wts2")),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
        runtime=5,
    params:
        prefix=checkpoint_prefix,
    shell:
        "python {input.script:q} --model {params.prefix} --output {output} > {log} 2>&1"
