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
        sample=one_of(TRAINED_DETECTORS),
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
        mem_mb=3000,
        runtime=10,
    params:
        data=folder_of("pictures", 3),
    shell:
        "python {input.script:q} --graph {input.graph} --data {params.data} --split val --out {output} > {log} 2>&1"


# Run the trained network in PyTorch, to compare engines with.
rule predict_ssd:
    input:
        pictures=split_files("ssd", "val"),
        model="results/ssd/model/ssd.pt",
        script=script("predict_ssd"),
        library=library("predict_ssd"),
    output:
        "results/ssd/model/predictions.npz",
    log:
        "logs/ssd/predict_ssd.log",
    benchmark:
        "benchmarks/ssd/predict_ssd.tsv"
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        data=folder_of("pictures", 3),
    shell:
        "python {input.script:q} --model {input.model} --data {params.data} --split val --out {output} > {log} 2>&1"


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
        sample=one_of(samples_with(task="classification", model_framework="pytorch")),
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
        sample=one_of(samples_with(model_framework="tensorflow", source="uff")),
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
