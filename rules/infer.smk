"""Engines at work: predictions, scores, pictures."""


# Preprocess the held-out pictures, which needs more than an engine's environment has.
rule prepare_inputs:
    input:
        pictures=held_out,
        export=export_files,
        script=script("prepare_inputs"),
        library=sample_library("prepare_inputs"),
    output:
        "results/{sample}/inputs.npz",
    log:
        "logs/{sample}/prepare_inputs.log",
    benchmark:
        "benchmarks/{sample}/prepare_inputs.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=in_full(2000, 12000),
        runtime=in_full(5, 20),
    params:
        data=data_of_job,
        export=folder_of("export"),
    shell:
        "python {input.script:q} --sample {wildcards.sample} --data {params.data} --split val"
        " --export-dir {params.export} --out {output} > {log} 2>&1"


# Run an engine over the prepared inputs.
rule infer:
    input:
        inputs="results/{sample}/inputs.npz",
        plan="results/{sample}/engine.{precision}.plan",
        origin="results/{sample}/engine.{precision}.json",
        backend="results/backend.json",
        script=script("infer"),
        library=sample_library("infer"),
    output:
        "results/{sample}/predictions.{precision}.npz",
    log:
        "logs/{sample}/infer.{precision}.log",
    benchmark:
        "benchmarks/{sample}/infer.{precision}.tsv"
    wildcard_constraints:
        sample=one_of([*DETECTORS, *CLASSIFIERS, *OWN]),
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=in_full(2000, 12000),
        runtime=in_full(10, 240),
        gpu=gpus(),
    params:
        batch_size=setting("max_batch_size"),
    shell:
        "python {input.script:q} --sample {wildcards.sample} --plan {input.plan} --backend-file {input.backend}"
        " --inputs {input.inputs} --batch-size {params.batch_size} --out {output} > {log} 2>&1"


# Preprocess the picture that chapter 23 looks at.
rule prepare_dog:
    input:
        picture="results/{sample}/artefacts/dog.jpg",
        export=export_files,
        script=script("prepare_inputs"),
        library=sample_library("prepare_inputs"),
    output:
        "results/{sample}/dog/inputs.npz",
    log:
        "logs/{sample}/prepare_dog.log",
    benchmark:
        "benchmarks/{sample}/prepare_dog.tsv"
    wildcard_constraints:
        sample=one_of(PICTURED),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        export=folder_of("export"),
    shell:
        "python {input.script:q} --sample {wildcards.sample} --pictures {input.picture} --export-dir {params.export}"
        " --out {output} > {log} 2>&1"


# Run the engine over it, as the chapter in the highest precision.
rule infer_dog:
    input:
        inputs="results/{sample}/dog/inputs.npz",
        plan=lambda wildcards: (
            f"results/{wildcards.sample}/engine.{first_precision(wildcards)}.plan"
        ),
        origin=lambda wildcards: (
            f"results/{wildcards.sample}/engine.{first_precision(wildcards)}.json"
        ),
        backend="results/backend.json",
        script=script("infer"),
        library=sample_library("infer"),
    output:
        "results/{sample}/dog/predictions.npz",
    log:
        "logs/{sample}/infer_dog.log",
    benchmark:
        "benchmarks/{sample}/infer_dog.tsv"
    wildcard_constraints:
        sample=one_of(PICTURED),
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=4000,
        runtime=10,
        gpu=gpus(),
    shell:
        "python {input.script:q} --sample {wildcards.sample} --plan {input.plan} --backend-file {input.backend}"
        " --inputs {input.inputs} --batch-size 1 --out {output} > {log} 2>&1"


# Score predictions against the truth.
rule score:
    input:
        pictures=held_out,
        predictions="results/{sample}/predictions.{precision}.npz",
        script=script("score"),
        library=library("score"),
    output:
        "results/{sample}/metrics.{precision}.json",
    log:
        "logs/{sample}/score.{precision}.log",
    benchmark:
        "benchmarks/{sample}/score.{precision}.tsv"
    wildcard_constraints:
        sample=one_of([*DETECTORS, *CLASSIFIERS]),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        task=setting("task"),
        data=data_of_job,
        batch=random_batch,
        form=lambda wildcards: "pictures" if wildcards.sample in PICTURES else "digits",
        objects=objects_of_job,
    shell:
        "python {input.script:q} --task {params.task} --predictions {input.predictions} --data {params.data}"
        " --split val --data-set {params.form} {params.objects} {params.batch} --out {output} > {log} 2>&1"


# Compare the engine's predictions with the framework's own.
rule compare_framework:
    input:
        predictions="results/{sample}/predictions.fp32.npz",
        framework="results/{sample}/model/predictions.npz",
        script=script("compare_framework"),
        library=library("compare_framework"),
    output:
        "results/{sample}/agreement.json",
    log:
        "logs/{sample}/compare_framework.log",
    benchmark:
        "benchmarks/{sample}/compare_framework.tsv"
    wildcard_constraints:
        sample=one_of(
            name
            for name in [*DETECTORS, *CLASSIFIERS, *OWN]
            if name not in [*FROZEN_DETECTORS, *FASTER_RCNNS, *VOC]
        ),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        task=setting("task"),
    shell:
        "python {input.script:q} --task {params.task} --predictions {input.predictions}"
        " --framework {input.framework} --out {output} > {log} 2>&1"


# Score a text with an engine of a character model, and write on from seeds.
rule generate:
    input:
        plan="results/{sample}/engine.{precision}.plan",
        origin="results/{sample}/engine.{precision}.json",
        backend="results/backend.json",
        export=export_files,
        text="results/{sample}/data/val.txt",
        script=script("generate"),
        library=sample_library("generate"),
    output:
        "results/{sample}/predictions.{precision}.npz",
    log:
        "logs/{sample}/generate.{precision}.log",
    benchmark:
        "benchmarks/{sample}/generate.{precision}.tsv"
    wildcard_constraints:
        sample=one_of(TEXTS),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
        runtime=10,
        gpu=gpus(),
    params:
        export=folder_of("export"),
        seeds=setting("generation", "seeds"),
        length=setting("generation", "length"),
    shell:
        "python {input.script:q} --sample {wildcards.sample} --plan {input.plan} --backend-file {input.backend}"
        " --export-dir {params.export} --text {input.text} --seeds {params.seeds:q} --length {params.length}"
        " --out {output} > {log} 2>&1"


# Score what it foresaw and wrote.
rule score_text:
    input:
        predictions="results/{sample}/predictions.{precision}.npz",
        vocabulary="results/{sample}/export/vocab.json",
        script=script("score_text"),
        library=library("score_text"),
    output:
        "results/{sample}/metrics.{precision}.json",
    log:
        "logs/{sample}/score_text.{precision}.log",
    benchmark:
        "benchmarks/{sample}/score_text.{precision}.tsv"
    wildcard_constraints:
        sample=one_of(TEXTS),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=5,
    params:
        published=published_texts,
    shell:
        "python {input.script:q} --predictions {input.predictions} --vocabulary {input.vocabulary}"
        " {params.published:q} --out {output} > {log} 2>&1"


# Compare every engine's boxes, and its mAP, with those of the framework.
rule compare_detections:
    input:
        pictures=held_out,
        predictions=per_precision("results/{sample}/predictions.{precision}.npz"),
        framework="results/{sample}/model/predictions.npz",
        script=script("compare_detections"),
        library=library("compare_detections"),
    output:
        "results/{sample}/agreement.json",
    log:
        "logs/{sample}/compare_detections.log",
    benchmark:
        "benchmarks/{sample}/compare_detections.tsv"
    wildcard_constraints:
        sample=one_of([*FROZEN_DETECTORS, *FASTER_RCNNS, *VOC]),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        data=folder_of("pictures", 3),
        threshold=setting("figures", "threshold"),
        objects=objects_of_job,
        predictions=lambda wildcards, input: named_by_precision(input.predictions),
    shell:
        "python {input.script:q} --framework {input.framework} --data {params.data} --split val"
        " --threshold {params.threshold} {params.objects} --out {output} {params.predictions} > {log} 2>&1"


# Compare it with what TensorFlow foresaw and wrote.
rule compare_text:
    input:
        predictions=per_precision("results/{sample}/predictions.{precision}.npz"),
        framework="results/{sample}/model/predictions.npz",
        script=script("compare_text"),
        library=library("compare_text"),
    output:
        "results/{sample}/agreement.json",
    log:
        "logs/{sample}/compare_text.log",
    benchmark:
        "benchmarks/{sample}/compare_text.tsv"
    wildcard_constraints:
        sample=one_of(TEXTS),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=5,
    params:
        predictions=lambda wildcards, input: named_by_precision(input.predictions),
    shell:
        "python {input.script:q} --framework {input.framework} --out {output} {params.predictions} > {log} 2>&1"


# Ask the engine of a recommender for every user.
rule recommend:
    input:
        plan="results/{sample}/engine.{precision}.plan",
        origin="results/{sample}/engine.{precision}.json",
        backend="results/backend.json",
        export=export_files,
        choices=choices_file,
        script=script("recommend"),
        library=sample_library("recommend"),
    output:
        "results/{sample}/predictions.{precision}.npz",
    log:
        "logs/{sample}/recommend.{precision}.log",
    benchmark:
        "benchmarks/{sample}/recommend.{precision}.tsv"
    wildcard_constraints:
        sample=one_of([name for name in RECOMMENDERS if name not in SERVED]),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
        runtime=10,
        gpu=gpus(),
    params:
        export=folder_of("export"),
        batch_size=setting("max_batch_size"),
    shell:
        "python {input.script:q} --sample {wildcards.sample} --plan {input.plan} --backend-file {input.backend}"
        " --export-dir {params.export} --choices {input.choices} --batch-size {params.batch_size}"
        " --out {output} > {log} 2>&1"


# Ask it from one process, from several, and from several under MPS, and time them.
rule serve:
    input:
        plan="results/{sample}/engine.{precision}.plan",
        origin="results/{sample}/engine.{precision}.json",
        backend="results/backend.json",
        export=export_files,
        choices=choices_file,
        script=script("serve"),
        library=sample_library("serve"),
    output:
        answers="results/{sample}/predictions.{precision}.npz",
        serving="results/{sample}/serving.{precision}.json",
    log:
        "logs/{sample}/serve.{precision}.log",
    benchmark:
        "benchmarks/{sample}/serve.{precision}.tsv"
    wildcard_constraints:
        sample=one_of(SERVED),
    conda:
        ENVIRONMENT
    threads: workflow.cores or 1  # alone, so that nothing disturbs the measurement
    resources:
        mem_mb=8000,
        runtime=15,
        gpu=gpus(),
    params:
        export=folder_of("export"),
        serving=serving_options,
        large_batch=setting("max_batch_size"),
        seconds=config["latency_seconds"],
    shell:
        "python {input.script:q} --sample {wildcards.sample} --plan {input.plan} --backend-file {input.backend}"
        " --export-dir {params.export} --choices {input.choices} {params.serving} --large-batch {params.large_batch}"
        " --seconds {params.seconds} --out {output.answers} --serving-out {output.serving} > {log} 2>&1"


# Score how high the engine ranks the movie that each user watched next.
rule score_recommendations:
    input:
        predictions="results/{sample}/predictions.{precision}.npz",
        serving=measurements,
        script=script("score_recommendations"),
        library=library("score_recommendations"),
    output:
        "results/{sample}/metrics.{precision}.json",
    log:
        "logs/{sample}/score_recommendations.{precision}.log",
    benchmark:
        "benchmarks/{sample}/score_recommendations.{precision}.tsv"
    wildcard_constraints:
        sample=one_of(RECOMMENDERS),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        published=published_movies,
        serving=optional("--serving", "serving"),
    shell:
        "python {input.script:q} --predictions {input.predictions} {params.published} {params.serving}"
        " --out {output} > {log} 2>&1"


# Compare its answers with TensorFlow's.
rule compare_recommendations:
    input:
        predictions=per_precision("results/{sample}/predictions.{precision}.npz"),
        framework="results/{sample}/model/predictions.npz",
        script=script("compare_recommendations"),
        library=library("compare_recommendations"),
    output:
        "results/{sample}/agreement.json",
    log:
        "logs/{sample}/compare_recommendations.log",
    benchmark:
        "benchmarks/{sample}/compare_recommendations.tsv"
    wildcard_constraints:
        sample=one_of(RECOMMENDERS),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        predictions=lambda wildcards, input: named_by_precision(input.predictions),
    shell:
        "python {input.script:q} --framework {input.framework} --out {output} {params.predictions} > {log} 2>&1"


# Compare precisions with the first: the five likeliest classes.
rule compare_precisions:
    input:
        reference=lambda wildcards: (
            f"results/{wildcards.sample}/predictions.{first_precision(wildcards)}.npz"
        ),
        predictions=of_other_precisions,
        script=script("compare_top5"),
        library=library("compare_top5"),
    output:
        "results/{sample}/top5.json",
    log:
        "logs/{sample}/compare_precisions.log",
    benchmark:
        "benchmarks/{sample}/compare_precisions.tsv"
    wildcard_constraints:
        sample=one_of(PICTURES),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        predictions=lambda wildcards, input: [
            f"{path.split('.')[-2]}={path}" for path in input.predictions
        ],
    shell:
        "python {input.script:q} --reference {input.reference} --out {output} {params.predictions} > {log} 2>&1"


# Preprocess the held-out pictures for another form of a sample's model, whose input has another name.
rule prepare_program_inputs:
    input:
        pictures=held_out,
        export=export_files,
        script=script("prepare_inputs"),
        library=sample_library("prepare_inputs"),
    output:
        "results/{sample}/{program}/inputs.npz",
    log:
        "logs/{sample}/prepare_program_inputs.{program}.log",
    benchmark:
        "benchmarks/{sample}/prepare_program_inputs.{program}.tsv"
    wildcard_constraints:
        sample=one_of(PROGRAMS),
        program="caffe|uff",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
        runtime=5,
    params:
        data=data_of_job,
        export=folder_of("export"),
    shell:
        "python {input.script:q} --sample {wildcards.sample}.{wildcards.program} --data {params.data} --split val"
        " --export-dir {params.export} --out {output} > {log} 2>&1"


# Run the engine of another form of a sample's model.
rule infer_program:
    input:
        inputs="results/{sample}/{program}/inputs.npz",
        plan="results/{sample}/{program}/engine.plan",
        origin="results/{sample}/{program}/engine.json",
        backend="results/backend.json",
        script=script("infer"),
        library=sample_library("infer"),
    output:
        "results/{sample}/{program}/predictions.npz",
    log:
        "logs/{sample}/infer_program.{program}.log",
    benchmark:
        "benchmarks/{sample}/infer_program.{program}.tsv"
    wildcard_constraints:
        sample=one_of(PROGRAMS),
        program="caffe|uff",
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=2000,
        runtime=10,
        gpu=gpus(),
    params:
        batch_size=setting("max_batch_size"),
    shell:
        "python {input.script:q} --sample {wildcards.sample}.{wildcards.program} --plan {input.plan}"
        " --backend-file {input.backend} --inputs {input.inputs} --batch-size {params.batch_size}"
        " --out {output} > {log} 2>&1"


# Compare what the forms of a model say.
rule compare_programs:
    input:
        reference="results/{sample}/predictions.fp32.npz",
        predictions=of_other_programs,
        script=script("compare_top5"),
        library=library("compare_top5"),
    output:
        "results/{sample}/programs.json",
    log:
        "logs/{sample}/compare_programs.log",
    benchmark:
        "benchmarks/{sample}/compare_programs.tsv"
    wildcard_constraints:
        sample=one_of(PROGRAMS),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        predictions=lambda wildcards, input: [
            f"{path.split('/')[-2]}={path}" for path in input.predictions
        ],
    shell:
        "python {input.script:q} --reference {input.reference} --precision fp32 --tolerance 0.00001"
        " --out {output} {params.predictions} > {log} 2>&1"
