"""Data sets: made here (mini), or published (full)."""


# Draw the pictures to train on; together they are one output.
rule make_training_scenes:
    input:
        script=script("make_digit_scenes"),
        library=library("make_digit_scenes"),
    output:
        directory("results/{sample}/data/train"),
    log:
        "logs/{sample}/make_training_scenes.log",
    benchmark:
        "benchmarks/{sample}/make_training_scenes.tsv"
    wildcard_constraints:
        sample=one_of(DETECTORS),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        amount=setting("splits", "train"),
        seed=setting("splits", "seed"),
        shape=lambda wildcards: scene_shape(wildcards.sample),
    shell:
        "python {input.script:q} --split train --count {params.amount} --seed {params.seed} {params.shape}"
        " --out {output} > {log} 2>&1"


# Every picture is an output of its own, so that touching one rebuilds what was made from it.
for _sample in [name for name in DETECTORS if name not in VOC]:
    for _split in ("val", "calibration"):

        rule:
            name:
                f"make_{_sample}_{_split}_scenes"
            input:
                script=script("make_digit_scenes"),
                library=library("make_digit_scenes"),
            output:
                pictures=split_files(_sample, _split),
            log:
                f"logs/{_sample}/make_{_split}_scenes.log",
            benchmark:
                f"benchmarks/{_sample}/make_{_split}_scenes.tsv"
            conda:
                ENVIRONMENT
            resources:
                mem_mb=1000,
                runtime=10,
            params:
                split=_split,
                amount=SAMPLES[_sample]["splits"][_split],
                seed=SAMPLES[_sample]["splits"]["seed"],
                shape=scene_shape(_sample),
                root=folder_of("pictures", 3),
            shell:
                "python {input.script:q} --split {params.split} --count {params.amount} --seed {params.seed}"
                " {params.shape} --out {params.root} > {log} 2>&1"


# Take pictures of Pascal VOC 2007 from its tars, in the size that the network takes.
for _sample in VOC:
    for _split in ("val", "calibration"):

        rule:
            name:
                f"make_{_sample}_{_split}_voc"
            input:
                archive=VOC_TARS[_split],
                script=script("make_voc"),
                library=library("make_voc"),
            output:
                pictures=split_files(_sample, _split),
            log:
                f"logs/{_sample}/make_{_split}_voc.log",
            benchmark:
                f"benchmarks/{_sample}/make_{_split}_voc.tsv"
            conda:
                ENVIRONMENT
            resources:
                mem_mb=1000,
                runtime=10,
            params:
                split=_split,
                amount=SAMPLES[_sample]["splits"][_split],
                seed=SAMPLES[_sample]["splits"]["seed"],
                shape=scene_shape(_sample),
                ratio=(
                    "--keep-ratio"
                    if SAMPLES[_sample]["splits"].get("keep_ratio")
                    else ""
                ),
                objects=objects_of(_sample),
                root=folder_of("pictures", 3),
            shell:
                "python {input.script:q} --archive {input.archive} --split {params.split} --count {params.amount}"
                " --seed {params.seed} {params.shape} {params.ratio} {params.objects} --out {params.root} > {log} 2>&1"


# Deal out the digits of the MNIST samples, made or published.
rule make_digits:
    input:
        images=artefact("train-images.gz"),
        labels=artefact("train-labels.gz"),
        val_images=artefact("val-images.gz"),
        val_labels=artefact("val-labels.gz"),
        script=script("make_digits"),
        library=library("make_digits"),
    output:
        train="results/{sample}/data/train.npz",
        calibration="results/{sample}/data/calibration.npz",
        val="results/{sample}/data/val.npz",
        ten=[f"results/{{sample}}/data/{digit}.pgm" for digit in range(10)],
    log:
        "logs/{sample}/make_digits.log",
    benchmark:
        "benchmarks/{sample}/make_digits.tsv"
    wildcard_constraints:
        sample=one_of(DIGITS),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        published=published_digits,
        splits=lambda wildcards: options(sample_config(wildcards.sample)["splits"]),
        folder=folder_of("train"),
    shell:
        "python {input.script:q} {params.published} {params.splits} --out-dir {params.folder} > {log} 2>&1"


# Split a text, and number its characters: that of Python's help, or a published one.
rule make_text:
    input:
        text=artefact("text.txt"),
        known=artefact("vocab.json"),
        script=script("make_text"),
        library=library("make_text"),
    output:
        train="results/{sample}/data/train.txt",
        val="results/{sample}/data/val.txt",
        vocabulary="results/{sample}/export/vocab.json",
    log:
        "logs/{sample}/make_text.log",
    benchmark:
        "benchmarks/{sample}/make_text.tsv"
    wildcard_constraints:
        sample=one_of(TEXTS),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=5,
    params:
        text=optional("--text", "text"),
        known=optional("--known-vocabulary", "known"),
        splits=lambda wildcards: options(sample_config(wildcards.sample)["splits"]),
        folder=folder_of("train"),
    shell:
        "python {input.script:q} {params.text} {params.known} {params.splits} --out-dir {params.folder}"
        " --vocabulary {output.vocabulary} > {log} 2>&1"


# Make ratings, or read published ones, and hold the last of each user out.
rule make_ratings:
    input:
        archive=artefact("ml-1m.zip"),
        script=script("make_ratings"),
        library=library("make_ratings"),
    output:
        train="results/{sample}/data/train.rating",
        choices="results/{sample}/data/test.negative",
    log:
        "logs/{sample}/make_ratings.log",
    benchmark:
        "benchmarks/{sample}/make_ratings.tsv"
    wildcard_constraints:
        sample=one_of(TRAINED_RECOMMENDERS),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1500,
        runtime=5,
    params:
        archive=optional("--archive", "archive"),
        splits=lambda wildcards: options(sample_config(wildcards.sample)["splits"]),
        folder=folder_of("train"),
    shell:
        "python {input.script:q} {params.archive} {params.splits} --out-dir {params.folder} > {log} 2>&1"


# Download a published file. Another mirror or an edit of the script is no reason to download it again.
rule fetch_artefact:
    input:
        known=ancient(DOWNLOADS_FILE),
        script=ancient(script("fetch_artefact")),
        library=ancient(library("fetch_artefact")),
    output:
        "results/downloads/{file}",
    log:
        "logs/downloads/{file}.log",
    benchmark:
        "benchmarks/downloads/{file}.tsv"
    wildcard_constraints:
        file=one_of([re.escape(file) for file in DOWNLOADS]),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=240,
    params:
        given=download_options,
        pinned=pinned,
    shell:
        "python {input.script:q} --downloads {input.known:q} --file {wildcards.file:q} {params.given}"
        " --out {output:q} > {log:q} 2>&1"


# Unpack a published archive.
rule unpack_artefact:
    input:
        archive="results/downloads/{file}",
        script=script("unpack_artefact"),
        library=library("unpack_artefact"),
    output:
        directory("results/unpacked/{file}"),
    log:
        "logs/unpacked/{file}.log",
    benchmark:
        "benchmarks/unpacked/{file}.tsv"
    wildcard_constraints:
        file=one_of(
            [re.escape(file) for file in DOWNLOADS if "unpacked" in DOWNLOADS[file]]
        ),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=30,
    params:
        limits=most_unpacked,
    shell:
        "python {input.script:q} --archive {input.archive:q} {params.limits} --out {output:q} > {log:q} 2>&1"


# Put published files where their samples want them.
for _sample in SAMPLES:
    for _artefact in SAMPLES[_sample].get("artefacts", []):
        if "path" not in _artefact:
            continue

        rule:
            name:
                f"place_{_sample}_{os.path.basename(_artefact['path']).replace('.', '_').replace('-', '_')}"
            input:
                source=source_of(_artefact),
                script=script("place_artefact"),
                library=library("place_artefact"),
            output:
                f"results/{_sample}/{_artefact['path']}",
            log:
                f"logs/{_sample}/place.{os.path.basename(_artefact['path'])}.log",
            benchmark:
                f"benchmarks/{_sample}/place.{os.path.basename(_artefact['path'])}.tsv"
            conda:
                ENVIRONMENT
            resources:
                mem_mb=500,
                runtime=10,
            params:
                member=member_options(_artefact),
            shell:
                "python {input.script:q} --source {input.source:q} {params.member} --out {output:q} > {log} 2>&1"


# Draw the coloured pictures to train on; with their list they are one output.
rule make_training_pictures:
    input:
        script=script("make_digit_pictures"),
        library=library("make_digit_pictures"),
    output:
        pictures=directory("results/{sample}/data/train"),
        labels="results/{sample}/data/train.txt",
    log:
        "logs/{sample}/make_training_pictures.log",
    benchmark:
        "benchmarks/{sample}/make_training_pictures.tsv"
    wildcard_constraints:
        sample=one_of(TRAINED_PICTURES),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        folder=folder_of("labels"),
        amount=setting("splits", "train"),
        size=setting("model", "size"),
        seed=setting("splits", "seed"),
    shell:
        "python {input.script:q} --split train --count {params.amount} --size {params.size} --seed {params.seed}"
        " --out-dir {params.folder} > {log} 2>&1"


for _sample in TRAINED_PICTURES:
    for _split in ("val", "calibration"):

        rule:
            name:
                f"make_{_sample}_{_split}_pictures"
            input:
                script=script("make_digit_pictures"),
                library=library("make_digit_pictures"),
            output:
                pictures=split_files(_sample, _split),
            log:
                f"logs/{_sample}/make_{_split}_pictures.log",
            benchmark:
                f"benchmarks/{_sample}/make_{_split}_pictures.tsv"
            conda:
                ENVIRONMENT
            resources:
                mem_mb=1000,
                runtime=10,
            params:
                split=_split,
                folder=folder_of("pictures"),
                amount=SAMPLES[_sample]["splits"][_split],
                size=SAMPLES[_sample]["model"]["size"],
                seed=SAMPLES[_sample]["splits"]["seed"],
            shell:
                "python {input.script:q} --split {params.split} --count {params.amount} --size {params.size}"
                " --seed {params.seed} --out-dir {params.folder} > {log} 2>&1"


# Take ImageNet's pictures, scaled and cut as the networks were tested.
for _sample in PUBLISHED_PICTURES:

    rule:
        name:
            f"take_{_sample}_pictures"
        input:
            archive=f"results/{_sample}/artefacts/pictures.tar",
            labels=f"results/{_sample}/artefacts/labels.txt",
            words=f"results/{_sample}/artefacts/words.txt",
            script=script("take_pictures"),
            library=library("take_pictures"),
        output:
            pictures=split_files(_sample, "val") + split_files(_sample, "calibration"),
            classes=f"results/{_sample}/data/classes.txt",
        log:
            f"logs/{_sample}/take_pictures.log",
        benchmark:
            f"benchmarks/{_sample}/take_pictures.tsv"
        conda:
            ENVIRONMENT
        resources:
            mem_mb=1000,
            runtime=30,
        params:
            folder=folder_of("classes"),
            splits=options(
                {
                    key: SAMPLES[_sample]["splits"][key]
                    for key in ("val", "calibration", "seed")
                }
            ),
            size=SAMPLES[_sample]["model"]["size"],
        shell:
            "python {input.script:q} --archive {input.archive} --labels {input.labels} --words {input.words}"
            " {params.splits} --size {params.size} --out-dir {params.folder} > {log} 2>&1"
