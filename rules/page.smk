"""Pages for people: all samples, one sample, two runs. Each is one file that asks for no other."""


# Write the page of a sample.
rule write_page:
    input:
        report="results/{sample}_report.json",
        figures=file_of(PLAN.figures),
        profiles=per_precision("profile.{precision}.json"),
        calibration=file_of(PLAN.calibration),
        losses=file_of(PLAN.losses),
        config="results/{sample}/config.yaml",
    output:
        report(
            "results/{sample}/index.html",
            caption="../report/page.rst",
            category="{sample}",
            labels=lambda wildcards, input: closing.page_labels(input.report),
        ),
    log:
        "logs/{sample}/write_page.log",
    benchmark:
        "benchmarks/{sample}/write_page.tsv"
    conda:
        ENVIRONMENT
    resources:
        **takes(500, 5),
    params:
        **script("write_page", "report", "config/schema/report.schema.json"),
    shell:
        "{params.run:q} {input.report:q} --out {output:q} > {log:q} 2>&1"


# Write the page of all samples, which links to theirs.
rule write_index:
    input:
        reports=expand("results/{sample}_report.json", sample=PLAN.page()),
        pages=expand("results/{sample}/index.html", sample=PLAN.page()),
        figures=[PLAN.figures(name)[0] for name in PLAN.page()],
        comparison="results/comparison.html" if config["compare"] else [],
    output:
        report(
            "results/index.html",
            caption="../report/index.rst",
            category="All samples",
            labels={"what": "page of all samples"},
        ),
    log:
        "logs/write_index.log",
    benchmark:
        "benchmarks/write_index.tsv"
    conda:
        ENVIRONMENT
    resources:
        **takes(500, 5),
    params:
        **script("write_index", "report", "config/schema/report.schema.json"),
        comparison="--comparison comparison.html" if config["compare"] else "",
    shell:
        "{params.run:q} {input.reports:q} {params.comparison} --out {output:q} > {log:q} 2>&1"


# Put two runs side by side, sample by sample.
rule write_comparison:
    output:
        report(
            "results/comparison.html",
            caption="../report/comparison.rst",
            category="All samples",
            labels={"what": "two runs side by side"},
        ),
    log:
        "logs/write_comparison.log",
    benchmark:
        "benchmarks/write_comparison.tsv"
    conda:
        ENVIRONMENT
    resources:
        **takes(500, 5),
    params:
        **script("write_comparison", "report", "config/schema/report.schema.json"),
        names=lambda wildcards: planned(PLAN.compared_runs)[0],
        folders=lambda wildcards: planned(PLAN.compared_runs)[1],
        reports=lambda wildcards: planned(PLAN.compared_runs)[2],  # their contents: a change makes the page anew
    shell:
        "{params.run:q} {params.folders:q} --names {params.names:q} --out {output:q} > {log:q} 2>&1"
