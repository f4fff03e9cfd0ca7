"""Published files of data: full."""


localrules:
    fetch_artefact,


# Download a published file. Another mirror or an edit of the script is no reason to download it again.
rule fetch_artefact:
    output:
        "results/downloads/{file}",
    log:
        "logs/downloads/{file}.log",
    benchmark:
        "benchmarks/downloads/{file}.tsv"
    wildcard_constraints:
        file=one_of(PLAN.downloads, literal=True),
    conda:
        ENVIRONMENT
    resources:
        **takes(500, 240),
    params:
        run=command("fetch_artefact"),
        # as it takes the output, a change of these is no reason to download again
        given=lambda wildcards, output: downloads.options(PLAN),
        known=lambda wildcards, output: str(ROOT / "config/downloads.yaml"),
        pinned=lambda wildcards: downloads.pinned(PLAN, wildcards.file),
    shell:
        "{params.run:q} --downloads {params.known:q} --file {wildcards.file:q}"
        " {params.given:q} --out {output:q} > {log:q} 2>&1"


# What `fetch` downloads, to where: a module has a prefix.
FETCH = downloads.Fetch(
    PLAN, lambda file: str(rules.fetch_artefact.output[0]).replace("{file}", file)
)


# Unpack a published archive.
rule unpack_artefact:
    input:
        "results/downloads/{file}",
    output:
        directory("results/unpacked/{file}"),
    log:
        "logs/unpacked/{file}.log",
    benchmark:
        "benchmarks/unpacked/{file}.tsv"
    wildcard_constraints:
        file=one_of(downloads.archives(PLAN), literal=True),
    conda:
        ENVIRONMENT
    resources:
        **takes(500, 30),
    params:
        **script("unpack_artefact"),
        limits=lambda wildcards: downloads.limits(PLAN, wildcards.file),
    shell:
        "{params.run:q} --archive {input:q} {params.limits:q} --out {output:q} > {log:q} 2>&1"


# Put a published file where its sample wants it.
rule place_artefact:
    input:
        lambda wildcards: downloads.source(PLAN, wildcards.sample, wildcards.file),
    output:
        "results/{sample}/artefacts/{file}",
    log:
        "logs/{sample}/place.{file}.log",
    benchmark:
        "benchmarks/{sample}/place.{file}.tsv"
    wildcard_constraints:
        file=one_of(downloads.placed(PLAN), literal=True),
    conda:
        ENVIRONMENT
    resources:
        **takes(500, 10),
    params:
        **script("place_artefact"),
        member=lambda wildcards: downloads.member(
            PLAN, wildcards.sample, wildcards.file
        ),
    shell:
        "{params.run:q} --source {input:q} {params.member:q} --out {output:q} > {log:q} 2>&1"
