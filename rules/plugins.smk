"""CUDA plugins, for the TensorRT backend; the reference backend has the same ones in Python."""


# Compile the plugins for the TensorRT of the engine's Python.
rule build_plugins:
    output:
        record="results/plugins/plugins.json",
        libraries=expand(
            "results/plugins/lib{name}_plugin.so",
            name=["clip", "fc", "flatten_concat"],
        ),
        module="results/plugins/fc_plugin.so",
    log:
        "logs/build_plugins.log",
    benchmark:
        "benchmarks/build_plugins.tsv"
    conda:
        ENVIRONMENT
    threads: 4
    resources:
        **takes(4000, 10),
    params:
        **script("build_plugins", "plugins"),
        # a function: in a plain string braces would be wildcards
        python=lambda wildcards: options.engine_python(PLAN, workflow.basedir),
        folder=folder_of("record"),
    shell:
        "{params.run:q} --engine-python {params.python:q} --out-dir {params.folder:q} > {log:q} 2>&1"
