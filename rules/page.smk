"""Pages for people: all samples, one sample, two runs. Each is one file that asks for no other."""


# Write the page of a sample.
rule write_page:
    input:
        report="results/{sample}_report.json",
        figures=figures,
        profiles=per_precision("results/{sample}/profile.{precision}.json"),
        calibration=own_calibration,
        config="results/{sample}/config.yaml",
        templates=PAGE_TEMPLATES,
        captions=CAPTIONS,
        script=script("write_page"),
        library=library("write_page"),
        schema=workflow.source_path("../config/schema/report.schema.json"),
    output:
        report(
            "results/{sample}/index.html",
            caption="../report/page.rst",
            category="{sample}",
            labels={"what": "page of the sample"},
        ),
    log:
        "logs/{sample}/write_page.log",
    benchmark:
        "benchmarks/{sample}/write_page.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=5,
    shell:
        "python {input.script:q} {input.report} --out {output} > {log} 2>&1"


# Write the page of all samples, which links to theirs.
rule write_index:
    input:
        reports=expand("results/{sample}_report.json", sample=page_samples()),
        pages=expand("results/{sample}/index.html", sample=page_samples()),
        figures=[figures_of(name)[0] for name in page_samples()],
        comparison=comparison,
        templates=PAGE_TEMPLATES,
        script=script("write_index"),
        library=library("write_index"),
        schema=workflow.source_path("../config/schema/report.schema.json"),
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
        mem_mb=500,
        runtime=5,
    params:
        comparison=comparison_option,
    shell:
        "python {input.script:q} {input.reports} {params.comparison} --out {output} > {log} 2>&1"


# Write the page of two runs, or of two backends, side by side.
rule write_comparison:
    input:
        reports=compared_reports,
        templates=PAGE_TEMPLATES,
        script=script("write_comparison"),
        library=library("write_comparison"),
        schema=workflow.source_path("../config/schema/report.schema.json"),
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
        mem_mb=500,
        runtime=5,
    params:
        names=list(config["compare"]),
        folders=list(config["compare"].values()),
    shell:
        "python {input.script:q} {params.folders:q} --names {params.names:q} --out {output} > {log} 2>&1"
