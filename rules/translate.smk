"""Translation: sentences, the model, its two engines, and what they say (guide chapter 11)."""

if config["data"] == "mini":

    # Make sentences in two languages, and the vocabularies of those to train on.
    rule make_translation:
        input:
            script=script("make_translation"),
            library=library("make_translation"),
        output:
            data=sentence_files("train", "val"),
            vocabularies=VOCABULARIES,
        log:
            "logs/{sample}/make_translation.log",
        benchmark:
            "benchmarks/{sample}/make_translation.tsv"
        wildcard_constraints:
            sample=one_of(TRANSLATORS),
        conda:
            ENVIRONMENT
        resources:
            mem_mb=1000,
            runtime=10,
        params:
            splits=lambda wildcards: options(sample_config(wildcards.sample)["splits"]),
            merges=setting("model", "merges"),
            folder=folder_of("data"),
            vocabularies=folder_of("vocabularies"),
        shell:
            "python {input.script:q} {params.splits} --merges {params.merges} --out-dir {params.folder}"
            " --vocabulary-dir {params.vocabularies} > {log} 2>&1"

    # Train in TensorFlow and keep a checkpoint, named as TensorFlow's NMT framework does.
    rule train_nmt:
        input:
            data=sentence_files("train"),
            vocabularies=VOCABULARIES,
            script=script("train_nmt"),
            library=library("train_nmt"),
        output:
            index="results/{sample}/model/network.index",
            values="results/{sample}/model/network.data-00000-of-00001",
            training="results/{sample}/model/training.json",
        log:
            "logs/{sample}/train_nmt.log",
        benchmark:
            "benchmarks/{sample}/train_nmt.tsv"
        wildcard_constraints:
            sample=one_of(TRANSLATORS),
        conda:
            ENVIRONMENT
        threads: lambda wildcards: sample_config(wildcards.sample)["training"]["threads"]
        resources:
            mem_mb=3000,
            runtime=30,
        params:
            data=folder_of("data"),
            vocabularies=folder_of("vocabularies"),
            prefix=lambda wildcards, output: output.index.removesuffix(".index"),
            units=setting("model", "hidden_size"),
            layers=setting("model", "layers"),
            settings=lambda wildcards: options(
                sample_config(wildcards.sample)["training"]
            ),
        shell:
            "python {input.script:q} --data {params.data} --vocabulary-dir {params.vocabularies}"
            " --units {params.units} --layers {params.layers} {params.settings} --out {params.prefix} --log-out {output.training}"
            " > {log} 2>&1"

    # Convert the checkpoint to the guide's weight files (§11.5).
    rule convert_nmt:
        input:
            index="results/{sample}/model/network.index",
            values="results/{sample}/model/network.data-00000-of-00001",
            script=script("convert_nmt"),
            library=library("convert_nmt"),
        output:
            weights=WEIGHT_FILES,
            settings="results/{sample}/export/inference.json",
        log:
            "logs/{sample}/convert_nmt.log",
        benchmark:
            "benchmarks/{sample}/convert_nmt.tsv"
        wildcard_constraints:
            sample=one_of(TRANSLATORS),
        conda:
            ENVIRONMENT
        resources:
            mem_mb=1500,
            runtime=5,
        params:
            prefix=lambda wildcards, input: input.index.removesuffix(".index"),
            sizes=inference_options("beam", "max_input_sequence_length"),
            folder=folder_of("weights"),
        shell:
            "python {input.script:q} --checkpoint {params.prefix} {params.sizes} --out-dir {params.folder} > {log} 2>&1"

    # Translate in TensorFlow, to compare engines with.
    rule predict_nmt:
        input:
            index="results/{sample}/model/network.index",
            values="results/{sample}/model/network.data-00000-of-00001",
            data=sentence_files("val"),
            vocabularies=VOCABULARIES,
            script=script("predict_nmt"),
            library=library("predict_nmt"),
        output:
            "results/{sample}/model/translations.txt",
        log:
            "logs/{sample}/predict_nmt.log",
        benchmark:
            "benchmarks/{sample}/predict_nmt.tsv"
        wildcard_constraints:
            sample=one_of(TRANSLATORS),
        conda:
            ENVIRONMENT
        threads: 2
        resources:
            mem_mb=3000,
            runtime=10,
        params:
            prefix=lambda wildcards, input: input.index.removesuffix(".index"),
            vocabularies=folder_of("vocabularies"),
            settings=inference_options(
                "batch", "beam", "max_output_sequence_length", "max_inference_samples"
            ),
        shell:
            "python {input.script:q} --checkpoint {params.prefix} --vocabulary-dir {params.vocabularies}"
            " --source {input.data[0]} {params.settings} --out {output} > {log} 2>&1"

else:

    # Lay out the published sentences, vocabularies and weights as the engines' steps want them.
    rule collect_nmt:
        input:
            files=artefact_files("nmt"),
            script=script("collect_nmt"),
            library=library("collect_nmt"),
        output:
            data=sentence_files("val"),
            vocabularies=VOCABULARIES,
            weights=WEIGHT_FILES,
            settings="results/{sample}/export/inference.json",
        log:
            "logs/{sample}/collect_nmt.log",
        benchmark:
            "benchmarks/{sample}/collect_nmt.tsv"
        wildcard_constraints:
            sample=one_of(TRANSLATORS),
        conda:
            ENVIRONMENT
        resources:
            mem_mb=1500,
            runtime=10,
        params:
            artefacts=folder_of("files"),
            sizes=inference_options("beam", "max_input_sequence_length"),
            data=folder_of("data"),
            export=folder_of("weights"),
        shell:
            "python {input.script:q} --artefacts {params.artefacts} {params.sizes} --data-dir {params.data}"
            " --export-dir {params.export} > {log} 2>&1"


# Build the engine of the encoder; that of the generator is the sample's engine.
rule build_encoder:
    input:
        export=export_files,
        backend="results/backend.json",
        script=script("build_engine"),
        library=sample_library("build_engine"),
    output:
        plan="results/{sample}/encoder.{precision}.plan",
        origin="results/{sample}/encoder.{precision}.json",
        layers="results/{sample}/encoder_layers.{precision}.txt",
    log:
        "logs/{sample}/build_encoder.{precision}.log",
    benchmark:
        "benchmarks/{sample}/build_encoder.{precision}.tsv"
    wildcard_constraints:
        sample=one_of(TRANSLATORS),
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=3000,
        runtime=30,
        gpu=gpus(),
    params:
        export=folder_of("export"),
        max_batch_size=setting("max_batch_size"),
        builder=builder_options(),
        recurrent=recurrent_option,
    shell:
        "python {input.script:q} --sample {wildcards.sample} --network encoder --precision {wildcards.precision}"
        " --export-dir {params.export} --backend-file {input.backend} --max-batch-size {params.max_batch_size}"
        " {params.builder} {params.recurrent} --plan {output.plan} --layers {output.layers} > {log} 2>&1"


# Translate: beam search and, for comparison, greedy search.
rule translate:
    input:
        plan="results/{sample}/engine.{precision}.plan",
        encoder="results/{sample}/encoder.{precision}.plan",
        origins=[
            "results/{sample}/engine.{precision}.json",
            "results/{sample}/encoder.{precision}.json",
        ],
        backend="results/backend.json",
        export=export_files,
        data=sentence_files("val"),
        script=script("translate"),
        library=sample_library("translate"),
    output:
        beam="results/{sample}/translations.{precision}.txt",
        greedy="results/{sample}/greedy.{precision}.txt",
        attention="results/{sample}/attention.{precision}.npz",
    log:
        "logs/{sample}/translate.{precision}.log",
    benchmark:
        "benchmarks/{sample}/translate.{precision}.tsv"
    wildcard_constraints:
        sample=one_of(TRANSLATORS),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=3000,
        runtime=30,
        gpu=gpus(),
    params:
        export=folder_of("export"),
        data=folder_of("data"),
        settings=inference_options(
            "data_writer",
            "batch",
            "lanes",
            "max_output_sequence_length",
            "max_inference_samples",
        ),
    shell:
        "python {input.script:q} --encoder {input.encoder} --plan {input.plan} --backend-file {input.backend}"
        " --export-dir {params.export} --data-dir {params.data} {params.settings} --output-file {output.beam}"
        " --greedy-file {output.greedy} --attention-out {output.attention} > {log} 2>&1"


# Score the translations by BLEU.
rule score_translation:
    input:
        beam="results/{sample}/translations.{precision}.txt",
        greedy="results/{sample}/greedy.{precision}.txt",
        data=sentence_files("val"),
        script=script("score_translation"),
        library=library("score_translation"),
    output:
        "results/{sample}/metrics.{precision}.json",
    log:
        "logs/{sample}/score_translation.{precision}.log",
    benchmark:
        "benchmarks/{sample}/score_translation.{precision}.tsv"
    wildcard_constraints:
        sample=one_of(TRANSLATORS),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=5,
    params:
        most=inference_options("max_inference_samples"),
    shell:
        "python {input.script:q} --translations {input.beam} --greedy {input.greedy} --references {input.data[1]}"
        " {params.most} --out {output} > {log} 2>&1"


# Compare it with that of TensorFlow's own translations, where the checkpoint is there.
rule compare_translation:
    input:
        translations=per_precision("results/{sample}/translations.{precision}.txt"),
        framework=framework_translations,
        data=sentence_files("val"),
        script=script("compare_translation"),
        library=library("compare_translation"),
    output:
        "results/{sample}/agreement.json",
    log:
        "logs/{sample}/compare_translation.log",
    benchmark:
        "benchmarks/{sample}/compare_translation.tsv"
    wildcard_constraints:
        sample=one_of(TRANSLATORS),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=5,
    params:
        framework=optional("--framework", "framework"),
        most=inference_options("max_inference_samples"),
        translations=lambda wildcards, input: named_by_precision(input.translations),
    shell:
        "python {input.script:q} {params.framework} --references {input.data[1]} {params.most} --out {output}"
        " {params.translations} > {log} 2>&1"


# Time translations by the engines in turns: a query is a batch of sentences, all steps of it.
rule measure_translation:
    input:
        plans=per_precision("results/{sample}/engine.{precision}.plan"),
        encoders=per_precision("results/{sample}/encoder.{precision}.plan"),
        backend="results/backend.json",
        export=export_files,
        data=sentence_files("val"),
        script=script("measure_translation"),
        library=sample_library("measure_translation"),
    output:
        "results/{sample}/latency.json",
    log:
        "logs/{sample}/measure_translation.log",
    benchmark:
        "benchmarks/{sample}/measure_translation.tsv"
    wildcard_constraints:
        sample=one_of(TRANSLATORS),
    conda:
        ENVIRONMENT
    threads: workflow.cores or 1
    resources:
        mem_mb=3000,
        runtime=20,
        gpu=gpus(),
    params:
        export=folder_of("export"),
        folder=folder_of("plans"),
        precisions=setting("precisions"),
        settings=inference_options("batch", "lanes", "max_output_sequence_length"),
        seconds=config["latency_seconds"],
    shell:
        "python {input.script:q} --backend-file {input.backend} --export-dir {params.export}"
        " --source {input.data[0]} --results-dir {params.folder} --precisions {params.precisions}"
        " {params.settings} --seconds {params.seconds} --out {output} > {log} 2>&1"


# Time the layers of both engines while they translate.
rule profile_translation:
    input:
        plan="results/{sample}/engine.{precision}.plan",
        encoder="results/{sample}/encoder.{precision}.plan",
        origins=[
            "results/{sample}/engine.{precision}.json",
            "results/{sample}/encoder.{precision}.json",
        ],
        backend="results/backend.json",
        export=export_files,
        data=sentence_files("val"),
        script=script("profile_translation"),
        library=sample_library("profile_translation"),
    output:
        "results/{sample}/profile.{precision}.json",
    log:
        "logs/{sample}/profile_translation.{precision}.log",
    benchmark:
        "benchmarks/{sample}/profile_translation.{precision}.tsv"
    wildcard_constraints:
        sample=one_of(TRANSLATORS),
    conda:
        ENVIRONMENT
    threads: workflow.cores or 1
    resources:
        mem_mb=3000,
        runtime=20,
        gpu=gpus(),
    params:
        export=folder_of("export"),
        settings=inference_options("batch", "lanes", "max_output_sequence_length"),
        aggregate=aggregate_option,
    shell:
        "python {input.script:q} --encoder {input.encoder} --plan {input.plan} --precision {wildcards.precision}"
        " --backend-file {input.backend} --export-dir {params.export} --source {input.data[0]}"
        " {params.settings} {params.aggregate} --out {output} > {log} 2>&1"


# Draw what the words of a translation looked at, and BLEU's precisions; write the first translations.
rule draw_translation:
    input:
        attention=attention_to_draw,
        translations=per_precision("results/{sample}/translations.{precision}.txt"),
        metrics=per_precision("results/{sample}/metrics.{precision}.json"),
        data=sentence_files("val"),
        script=script("draw_translation"),
        library=library("draw_translation"),
    output:
        picture=report(
            "results/{sample}/figures/translation.png",
            caption="../report/translation.rst",
            category="{sample}",
            labels={"what": "attention and BLEU"},
        ),
        text="results/{sample}/figures/translation.txt",
    log:
        "logs/{sample}/draw_translation.log",
    benchmark:
        "benchmarks/{sample}/draw_translation.tsv"
    wildcard_constraints:
        sample=one_of(TRANSLATORS),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        metrics=lambda wildcards, input: named_by_precision(input.metrics),
    shell:
        "python {input.script:q} --attention {input.attention} --source {input.data[0]}"
        " --references {input.data[1]} --translations {input.translations[0]} --out {output.picture}"
        " --text-out {output.text} {params.metrics} > {log} 2>&1"
