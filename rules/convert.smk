"""From a framework's model to what TensorRT's parsers read."""


# Write SSD as its authors' deploy.prototxt and caffemodel, in TensorRT's form too.
rule export_ssd:
    input:
        model="results/{sample}/model/ssd.pt",
        script=script("export_ssd"),
        library=library("export_ssd"),
    output:
        stock="results/{sample}/export/deploy.prototxt",
        prototxt="results/{sample}/export/model.prototxt",
        caffemodel="results/{sample}/export/model.caffemodel",
        checksums="results/{sample}/export/SHA256SUMS",
    log:
        "logs/{sample}/export_ssd.log",
    benchmark:
        "benchmarks/{sample}/export_ssd.tsv"
    wildcard_constraints:
        sample=one_of(
            name
            for name in samples_with(source="caffe", model_network="vgg16")
            if name not in IMPORTED_DETECTORS
        ),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
        runtime=5,
    params:
        folder=folder_of("caffemodel"),
    shell:
        "python {input.script:q} --model {input.model} --out-dir {params.folder} > {log} 2>&1"


# Take a published Caffe model: for PyTorch to compare engines with, and in TensorRT's form.
for _sample in IMPORTED_DETECTORS:

    rule:
        name:
            f"import_{_sample}"
        input:
            deploy=f"results/{_sample}/artefacts/network.prototxt",
            caffemodel=f"results/{_sample}/artefacts/weights.caffemodel",
            script=script("import_detector"),
            library=library("import_detector"),
        output:
            imported=imported_files(_sample),
        log:
            f"logs/{_sample}/import.log",
        benchmark:
            f"benchmarks/{_sample}/import.tsv"
        conda:
            ENVIRONMENT
        resources:
            mem_mb=6000,
            runtime=10,
        params:
            settings=imported_network(_sample),
            export=lambda wildcards, output: os.path.dirname(output.imported[-1]),
        shell:
            "python {input.script:q} {params.settings} --deploy {input.deploy} --caffemodel {input.caffemodel}"
            " --out {output.imported[0]} --export-dir {params.export} > {log} 2>&1"


# Write Faster R-CNN as its authors' test.prototxt and caffemodel, in TensorRT's form too.
rule export_faster_rcnn:
    input:
        model="results/{sample}/model/network.pt",
        script=script("export_faster_rcnn"),
        library=library("export_faster_rcnn"),
    output:
        stock="results/{sample}/export/test.prototxt",
        prototxt="results/{sample}/export/model.prototxt",
        caffemodel="results/{sample}/export/model.caffemodel",
        shape="results/{sample}/export/input.json",
        checksums="results/{sample}/export/SHA256SUMS",
    log:
        "logs/{sample}/export_faster_rcnn.log",
    benchmark:
        "benchmarks/{sample}/export_faster_rcnn.tsv"
    wildcard_constraints:
        sample=one_of(name for name in FASTER_RCNNS if name not in IMPORTED_DETECTORS),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
        runtime=5,
    params:
        folder=folder_of("caffemodel"),
        shape=lambda wildcards: scene_shape(wildcards.sample),
    shell:
        "python {input.script:q} --model {input.model} {params.shape} --out-dir {params.folder} > {log} 2>&1"


# Convert Darknet's cfg and weights to ONNX.
rule convert_darknet:
    input:
        cfg=model_file("yolov3.cfg"),
        weights=model_file("yolov3.weights"),
        script=script("convert_darknet"),
        library=library("convert_darknet"),
    output:
        model="results/{sample}/export/model.onnx",
        cfg="results/{sample}/export/yolov3.cfg",
        checksums="results/{sample}/export/SHA256SUMS",
    log:
        "logs/{sample}/convert_darknet.log",
    benchmark:
        "benchmarks/{sample}/convert_darknet.tsv"
    wildcard_constraints:
        sample=one_of(samples_with(source="darknet")),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=3000,
        runtime=5,
    params:
        folder=folder_of("model"),
    shell:
        "python {input.script:q} --cfg {input.cfg} --weights {input.weights} --out-dir {params.folder} > {log} 2>&1"


# Write a PyTorch digit network as a Caffe model, .wts, arrays or ONNX.
for _sample in DIGITS_IN_PYTORCH:

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


# Take the published model of a classifier.
for _sample in PUBLISHED_CLASSIFIERS:

    rule:
        name:
            f"take_{_sample}"
        input:
            models=[
                f"results/{_sample}/artefacts/{name}"
                for name in published_models(_sample)
            ],
            script=script("take_model"),
            library=library("take_model"),
        output:
            exports=exports_of(_sample),
        log:
            f"logs/{_sample}/take_model.log",
        benchmark:
            f"benchmarks/{_sample}/take_model.tsv"
        conda:
            ENVIRONMENT
        resources:
            mem_mb=500,
            runtime=5,
        params:
            models=taken_models,
            size=(
                f"--size {SAMPLES[_sample]['model']['size']}"
                if _sample in PICTURES
                else ""
            ),
            folder=folder_of("exports"),
        shell:
            "python {input.script:q} {params.models} {params.size} --out-dir {params.folder} > {log} 2>&1"


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
        sample=one_of(
            name
            for name in FROZEN_DETECTORS
            if name in TRAINED_SSDS and name not in UNTRAINED
        ),
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
        sample=one_of(
            name for name in samples_with(source="uff") if name not in FROZEN_DETECTORS
        ),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
        runtime=5,
    params:
        inputs=frozen_inputs,
        output=setting("model", "output"),
    shell:
        "python {input.script:q} {input.model} {params.inputs} --output {params.output} --out {output} > {log} 2>&1"


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
        sample=one_of(
            [
                *samples_with(source="uff"),
                *(name for name in PROGRAMS if "uff" in SAMPLES[name]["programs"]),
            ]
        ),
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


# Take a published Caffe model of a network of pictures into PyTorch, for engines to be compared with.
for _sample in IMPORTED_PICTURES:

    rule:
        name:
            f"import_{_sample}"
        input:
            caffemodel=f"results/{_sample}/artefacts/model.caffemodel",
            pictures=split_files(_sample, "val"),
            script=script("import_classifier"),
            library=library("import_classifier"),
        output:
            model=f"results/{_sample}/model/network.pt",
            predictions=f"results/{_sample}/model/predictions.npz",
        log:
            f"logs/{_sample}/import.log",
        benchmark:
            f"benchmarks/{_sample}/import.tsv"
        conda:
            ENVIRONMENT
        resources:
            mem_mb=4000,
            runtime=20,
        params:
            data=data_folder(_sample),
            settings=options(
                {
                    key: SAMPLES[_sample]["model"][key]
                    for key in ("width", "size", "pixels")
                }
            ),
        shell:
            "python {input.script:q} --caffemodel {input.caffemodel} {params.settings} --data {params.data}"
            " --out {output.model} --predictions {output.predictions} > {log} 2>&1"


# Write GoogLeNet or ResNet-50 in the forms that a sample reads.
for _sample in [*TRAINED_PICTURES, *IMPORTED_PICTURES]:

    rule:
        name:
            f"export_{_sample}"
        input:
            model=f"results/{_sample}/model/network.pt",
            script=script("export_classifier"),
            library=library("export_classifier"),
        output:
            exports=exported_by_classifier(_sample)[0],
        log:
            f"logs/{_sample}/export.log",
        benchmark:
            f"benchmarks/{_sample}/export.tsv"
        conda:
            ENVIRONMENT
        resources:
            mem_mb=2000,
            runtime=5,
        params:
            forms=exported_by_classifier(_sample)[1],
            pixels=pixels_option(_sample),
            folder=folder_of("exports"),
        shell:
            "python {input.script:q} --model {input.model} {params.pixels} --format {params.forms}"
            " --out-dir {params.folder} > {log} 2>&1"


# Make a frozen TensorFlow graph of the same weights, on the way to UFF.
rule make_tensorflow_graph:
    input:
        model="results/{sample}/model/network.pt",
        script=script("export_classifier"),
        library=library("export_classifier"),
    output:
        "results/{sample}/model/frozen.pb",
    log:
        "logs/{sample}/make_tensorflow_graph.log",
    benchmark:
        "benchmarks/{sample}/make_tensorflow_graph.tsv"
    wildcard_constraints:
        sample=one_of(name for name in PROGRAMS if name in PICTURES),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=3000,
        runtime=5,
    params:
        folder=folder_of("model"),
    shell:
        "python {input.script:q} --model {input.model} --format tensorflow --out-dir {params.folder} > {log} 2>&1"
