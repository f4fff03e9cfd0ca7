"""Planning: what the workflow is configured to do, which files its steps read and write, which code they run.

PyYAML and jsonschema alone, and nothing else of trtflow: Snakemake reads this at the start of every run, and of every
job of a cluster.
"""
