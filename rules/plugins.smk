"""CUDA plugins, for the TensorRT backend; the reference backend has the same ones in Python."""

PLUGIN_SOURCES = [
    "CMakeLists.txt",
    "headers.json",
    "clip/clip_plugin.cu",
    "common/bytes.h",
    "common/cuda_check.h",
    "common/fields.h",
    "common/plugin.h",
    "fc/bias.cu",
    "fc/bias.h",
    "fc/fc_plugin.cpp",
    "fc/fc_plugin_module.cpp",
    "fc/handles.h",
    "flatten_concat/flatten_concat_plugin.cpp",
]


# Compile the plugins for the TensorRT of the engine's Python.
rule build_plugins:
    input:
        sources=[workflow.source_path(f"../plugins/{name}") for name in PLUGIN_SOURCES],
        script=script("build_plugins"),
        library=library("build_plugins"),
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
        mem_mb=4000,
        runtime=10,
    params:
        python=engine_python(),
        folder=folder_of("record", 1),
    shell:
        "python {input.script:q} --engine-python {params.python:q} --out-dir {params.folder} > {log} 2>&1"
