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
