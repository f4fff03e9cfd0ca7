"""A folder for PYTHONPATH: its `sitecustomize` gives child processes NVIDIA's names (`trtflow.nvidia.children`)."""
