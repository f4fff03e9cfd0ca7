"""Trainings, and what the frameworks themselves predict."""


# Train SSD300, on VGG-16 or InceptionV2, in PyTorch.
rule train_ssd:
    input:
        data="results/{sample}/data/train",
        script=script("train_ssd"),
        library=library("train_ssd"),
    output:
        model="results/{sample}/model/ssd.pt",
        training="results/{sample}/model/training.json",
    log:
        "logs/{sample}/train_ssd.log",
    benchmark:
        "benchmarks/{sample}/train_ssd.tsv"
    wildcard_constraints:
        sample=one_of(name for name in TRAINED_SSDS if name not in UNTRAINED),
    conda:
        ENVIRONMENT
    threads: lambda wildcards: sample_config(wildcards.sample)["training"]["threads"]
    resources:
        mem_mb=6000,
        runtime=30,
    params:
        network=setting("model", "network"),
        width=setting("model", "width"),
        settings=lambda wildcards: options(sample_config(wildcards.sample)["training"]),
    shell:
        "python {input.script:q} --network {params.network} --data {input.data} --width {params.width} {params.settings}"
        " --out {output.model} --log-out {output.training} > {log} 2>&1"


# Run a frozen detector in TensorFlow, to compare engines with.
rule predict_frozen_ssd:
    input:
        pictures=held_out,
        graph=model_file("frozen.pb"),
        script=script("predict_frozen_ssd"),
        library=library("predict_frozen_ssd"),
    output:
        "results/{sample}/model/predictions.npz",
    log:
        "logs/{sample}/predict_frozen_ssd.log",
    benchmark:
        "benchmarks/{sample}/predict_frozen_ssd.tsv"
    wildcard_constraints:
        sample=one_of(FROZEN_DETECTORS),
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=in_full(3000, 6000),
        runtime=in_full(10, 120),
    params:
        data=folder_of("pictures", 3),
    shell:
        "python {input.script:q} --graph {input.graph} --data {params.data} --split val --out {output} > {log} 2>&1"


# Run the trained network in PyTorch, to compare engines with.
rule predict_ssd:
    input:
        pictures=held_out,
        model="results/{sample}/model/ssd.pt",
        script=script("predict_ssd"),
        library=library("predict_ssd"),
    output:
        "results/{sample}/model/predictions.npz",
    log:
        "logs/{sample}/predict_ssd.log",
    benchmark:
        "benchmarks/{sample}/predict_ssd.tsv"
    wildcard_constraints:
        sample=one_of(samples_with(source="caffe", model_network="vgg16")),
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=in_full(3000, 6000),
        runtime=in_full(10, 120),
    params:
        data=folder_of("pictures", 3),
    shell:
        "python {input.script:q} --model {input.model} --data {params.data} --split val --out {output} > {log} 2>&1"


# Train Faster R-CNN in PyTorch.
rule train_faster_rcnn:
    input:
        data="results/{sample}/data/train",
        script=script("train_faster_rcnn"),
        library=library("train_faster_rcnn"),
    output:
        model="results/{sample}/model/network.pt",
        training="results/{sample}/model/training.json",
    log:
        "logs/{sample}/train_faster_rcnn.log",
    benchmark:
        "benchmarks/{sample}/train_faster_rcnn.tsv"
    wildcard_constraints:
        sample=one_of(name for name in FASTER_RCNNS if name not in UNTRAINED),
    conda:
        ENVIRONMENT
    threads: lambda wildcards: sample_config(wildcards.sample)["training"]["threads"]
    resources:
        mem_mb=6000,
        runtime=30,
    params:
        width=setting("model", "width"),
        scales=setting("model", "anchor_scales"),
        settings=lambda wildcards: options(sample_config(wildcards.sample)["training"]),
    shell:
        "python {input.script:q} --data {input.data} --width {params.width} --anchor-scales {params.scales}"
        " {params.settings} --out {output.model} --log-out {output.training} > {log} 2>&1"


# Run it in PyTorch, to compare engines with.
rule predict_faster_rcnn:
    input:
        pictures=held_out,
        model="results/{sample}/model/network.pt",
        script=script("predict_faster_rcnn"),
        library=library("predict_faster_rcnn"),
    output:
        "results/{sample}/model/predictions.npz",
    log:
        "logs/{sample}/predict_faster_rcnn.log",
    benchmark:
        "benchmarks/{sample}/predict_faster_rcnn.tsv"
    wildcard_constraints:
        sample=one_of(FASTER_RCNNS),
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=in_full(3000, 12000),
        runtime=in_full(10, 240),
    params:
        data=data_of_job,
    shell:
        "python {input.script:q} --model {input.model} --data {params.data} --split val --out {output} > {log} 2>&1"


# Train a narrow YOLOv3 in PyTorch and keep it as Darknet does.
rule train_yolov3:
    input:
        data="results/{sample}/data/train",
        script=script("train_yolov3"),
        library=library("train_yolov3"),
    output:
        cfg="results/{sample}/model/yolov3.cfg",
        weights="results/{sample}/model/yolov3.weights",
        training="results/{sample}/model/training.json",
    log:
        "logs/{sample}/train_yolov3.log",
    benchmark:
        "benchmarks/{sample}/train_yolov3.tsv"
    wildcard_constraints:
        sample=one_of(
            name for name in samples_with(source="darknet") if name not in UNTRAINED
        ),
    conda:
        ENVIRONMENT
    threads: lambda wildcards: sample_config(wildcards.sample)["training"]["threads"]
    resources:
        mem_mb=6000,
        runtime=30,
    params:
        width=setting("model", "width"),
        size=setting("model", "size"),
        settings=lambda wildcards: options(sample_config(wildcards.sample)["training"]),
    shell:
        "python {input.script:q} --data {input.data} --width {params.width} --size {params.size} {params.settings}"
        " --cfg-out {output.cfg} --weights-out {output.weights} --log-out {output.training} > {log} 2>&1"


# Run the Darknet network in PyTorch, to compare engines with.
rule predict_yolov3:
    input:
        pictures=held_out,
        cfg=model_file("yolov3.cfg"),
        weights=model_file("yolov3.weights"),
        script=script("predict_yolov3"),
        library=library("predict_yolov3"),
    output:
        "results/{sample}/model/predictions.npz",
    log:
        "logs/{sample}/predict_yolov3.log",
    benchmark:
        "benchmarks/{sample}/predict_yolov3.tsv"
    wildcard_constraints:
        sample=one_of(samples_with(source="darknet")),
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=in_full(3000, 6000),
        runtime=in_full(10, 240),
    params:
        data=data_of_job,
    shell:
        "python {input.script:q} --cfg {input.cfg} --weights {input.weights} --data {params.data} --split val"
        " --out {output} > {log} 2>&1"


# Train a digit network in PyTorch.
rule train_digits:
    input:
        train="results/{sample}/data/train.npz",
        val="results/{sample}/data/val.npz",
        script=script("train_digits"),
        library=library("train_digits"),
    output:
        model="results/{sample}/model/network.pt",
        training="results/{sample}/model/training.json",
        predictions="results/{sample}/model/predictions.npz",
    log:
        "logs/{sample}/train_digits.log",
    benchmark:
        "benchmarks/{sample}/train_digits.tsv"
    wildcard_constraints:
        sample=one_of(DIGITS_IN_PYTORCH),
    conda:
        ENVIRONMENT
    threads: lambda wildcards: sample_config(wildcards.sample)["training"]["threads"]
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        data=folder_of("train"),
        network=lambda wildcards: digit_network(wildcards.sample),
        settings=lambda wildcards: options(sample_config(wildcards.sample)["training"]),
    shell:
        "python {input.script:q} {params.network} --data {params.data} {params.settings} --out {output.model}"
        " --predictions {output.predictions} --log-out {output.training} > {log} 2>&1"


# Run a published network in ONNX Runtime, to compare engines with.
rule predict_published:
    input:
        export=export_files,
        inputs="results/{sample}/inputs.npz",
        script=script("predict_published"),
        library=sample_library("predict_published"),
    output:
        "results/{sample}/model/predictions.npz",
    log:
        "logs/{sample}/predict_published.log",
    benchmark:
        "benchmarks/{sample}/predict_published.tsv"
    wildcard_constraints:
        sample=one_of(PUBLISHED_CLASSIFIERS),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        export=folder_of("export"),
        batch_size=setting("max_batch_size"),
    shell:
        "python {input.script:q} --sample {wildcards.sample} --export-dir {params.export} --inputs {input.inputs}"
        " --batch-size {params.batch_size} --out {output} > {log} 2>&1"


# Train a digit network in TensorFlow and keep it as Keras does.
rule train_keras_digits:
    input:
        train="results/{sample}/data/train.npz",
        val="results/{sample}/data/val.npz",
        script=script("train_keras_digits"),
        library=library("train_keras_digits"),
    output:
        model="results/{sample}/model/network.keras",
        training="results/{sample}/model/training.json",
        predictions="results/{sample}/model/predictions.npz",
    log:
        "logs/{sample}/train_keras_digits.log",
    benchmark:
        "benchmarks/{sample}/train_keras_digits.tsv"
    wildcard_constraints:
        sample=one_of(
            samples_with(
                task="classification", model_framework="tensorflow", source="uff"
            )
        ),
    conda:
        ENVIRONMENT
    threads: lambda wildcards: sample_config(wildcards.sample)["training"]["threads"]
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        data=folder_of("train"),
        network=lambda wildcards: digit_network(wildcards.sample),
        settings=lambda wildcards: options(sample_config(wildcards.sample)["training"]),
    shell:
        "python {input.script:q} {params.network} --data {params.data} {params.settings} --out {output.model}"
        " --predictions {output.predictions} --log-out {output.training} > {log} 2>&1"


# Train a digit network in TensorFlow and keep it as a checkpoint.
rule train_keras_checkpoint:
    input:
        train="results/{sample}/data/train.npz",
        val="results/{sample}/data/val.npz",
        script=script("train_keras_digits"),
        library=library("train_keras_digits"),
    output:
        index="results/{sample}/model/network.index",
        values="results/{sample}/model/network.data-00000-of-00001",
        training="results/{sample}/model/training.json",
        predictions="results/{sample}/model/predictions.npz",
    log:
        "logs/{sample}/train_keras_checkpoint.log",
    benchmark:
        "benchmarks/{sample}/train_keras_checkpoint.tsv"
    wildcard_constraints:
        sample=one_of(
            samples_with(
                task="classification", model_framework="tensorflow", source="wts2"
            )
        ),
    conda:
        ENVIRONMENT
    threads: lambda wildcards: sample_config(wildcards.sample)["training"]["threads"]
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        data=folder_of("train"),
        prefix=lambda wildcards, output: output.index.removesuffix(".index"),
        network=lambda wildcards: digit_network(wildcards.sample),
        settings=lambda wildcards: options(sample_config(wildcards.sample)["training"]),
    shell:
        "python {input.script:q} {params.network} --data {params.data} {params.settings} --out {params.prefix}"
        " --predictions {output.predictions} --log-out {output.training} > {log} 2>&1"


# Train a character model in TensorFlow and keep it as a checkpoint.
rule train_char_rnn:
    input:
        text="results/{sample}/data/train.txt",
        vocabulary="results/{sample}/export/vocab.json",
        script=script("train_char_rnn"),
        library=library("train_char_rnn"),
    output:
        index="results/{sample}/model/network.index",
        values="results/{sample}/model/network.data-00000-of-00001",
        training="results/{sample}/model/training.json",
    log:
        "logs/{sample}/train_char_rnn.log",
    benchmark:
        "benchmarks/{sample}/train_char_rnn.tsv"
    wildcard_constraints:
        sample=one_of(TRAINED_TEXTS),
    conda:
        ENVIRONMENT
    threads: lambda wildcards: sample_config(wildcards.sample)["training"]["threads"]
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        prefix=lambda wildcards, output: output.index.removesuffix(".index"),
        hidden_size=setting("model", "hidden_size"),
        embedding_size=setting("model", "embedding_size"),
        settings=lambda wildcards: options(sample_config(wildcards.sample)["training"]),
    shell:
        "python {input.script:q} --text {input.text} --vocabulary {input.vocabulary}"
        " --hidden-size {params.hidden_size} --embedding-size {params.embedding_size} {params.settings}"
        " --out {params.prefix} --log-out {output.training} > {log} 2>&1"


# Score and write text in TensorFlow, to compare engines with.
rule predict_char_rnn:
    input:
        checkpoint=checkpoint_files,
        text="results/{sample}/data/val.txt",
        vocabulary="results/{sample}/export/vocab.json",
        script=script("predict_char_rnn"),
        library=library("predict_char_rnn"),
    output:
        "results/{sample}/model/predictions.npz",
    log:
        "logs/{sample}/predict_char_rnn.log",
    benchmark:
        "benchmarks/{sample}/predict_char_rnn.tsv"
    wildcard_constraints:
        sample=one_of(TEXTS),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        prefix=checkpoint_prefix,
        seeds=setting("generation", "seeds"),
        length=setting("generation", "length"),
    shell:
        "python {input.script:q} --checkpoint {params.prefix} --vocabulary {input.vocabulary} --text {input.text}"
        " --seeds {params.seeds:q} --length {params.length} --out {output} > {log} 2>&1"


# Train a recommender in TensorFlow and keep it as Keras does.
rule train_ncf:
    input:
        ratings="results/{sample}/data/train.rating",
        script=script("train_ncf"),
        library=library("train_ncf"),
    output:
        model="results/{sample}/model/network.keras",
        sizes="results/{sample}/export/sizes.json",
        training="results/{sample}/model/training.json",
    log:
        "logs/{sample}/train_ncf.log",
    benchmark:
        "benchmarks/{sample}/train_ncf.tsv"
    wildcard_constraints:
        sample=one_of(TRAINED_RECOMMENDERS),
    conda:
        ENVIRONMENT
    threads: lambda wildcards: sample_config(wildcards.sample)["training"]["threads"]
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        users=setting("splits", "users"),
        movies=setting("splits", "movies"),
        settings=lambda wildcards: options(sample_config(wildcards.sample)["training"]),
    shell:
        "python {input.script:q} --ratings {input.ratings} --users {params.users} --movies {params.movies}"
        " {params.settings} --out {output.model} --sizes-out {output.sizes} --log-out {output.training} > {log} 2>&1"


# Take a recommender's published weights, and keep them as Keras does.
rule load_ncf:
    input:
        weights="results/{sample}/artefacts/weights.h5",
        script=script("load_ncf"),
        library=library("load_ncf"),
    output:
        model="results/{sample}/model/network.keras",
        sizes="results/{sample}/export/sizes.json",
    log:
        "logs/{sample}/load_ncf.log",
    benchmark:
        "benchmarks/{sample}/load_ncf.tsv"
    wildcard_constraints:
        sample=one_of([name for name in RECOMMENDERS if name in UNTRAINED]),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
        runtime=5,
    shell:
        "python {input.script:q} --weights {input.weights} --out {output.model} --sizes-out {output.sizes} > {log} 2>&1"


# Ask a recommender in TensorFlow, to compare engines with.
rule predict_ncf:
    input:
        model="results/{sample}/model/network.keras",
        choices=choices_file,
        script=script("predict_ncf"),
        library=library("predict_ncf"),
    output:
        "results/{sample}/model/predictions.npz",
    log:
        "logs/{sample}/predict_ncf.log",
    benchmark:
        "benchmarks/{sample}/predict_ncf.tsv"
    wildcard_constraints:
        sample=one_of(RECOMMENDERS),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
        runtime=10,
    shell:
        "python {input.script:q} --model {input.model} --choices {input.choices} --out {output} > {log} 2>&1"


# Train GoogLeNet or ResNet-50 in PyTorch.
rule train_classifier:
    input:
        train="results/{sample}/data/train",
        labels="results/{sample}/data/train.txt",
        val=held_out,
        script=script("train_classifier"),
        library=library("train_classifier"),
    output:
        model="results/{sample}/model/network.pt",
        training="results/{sample}/model/training.json",
        predictions="results/{sample}/model/predictions.npz",
    log:
        "logs/{sample}/train_classifier.log",
    benchmark:
        "benchmarks/{sample}/train_classifier.tsv"
    wildcard_constraints:
        sample=one_of(TRAINED_PICTURES),
    conda:
        ENVIRONMENT
    threads: lambda wildcards: sample_config(wildcards.sample)["training"]["threads"]
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        data=folder_of("labels"),
        network=lambda wildcards: picture_network(wildcards.sample),
        settings=lambda wildcards: options(sample_config(wildcards.sample)["training"]),
    shell:
        "python {input.script:q} {params.network} --data {params.data} {params.settings} --out {output.model}"
        " --predictions {output.predictions} --log-out {output.training} > {log} 2>&1"
