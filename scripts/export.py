"""Write a sample's network in the form that engines are built from, or do another step on the way there.

python scripts/export.py --sample ssd
python scripts/export.py --sample uff_mnist --step freeze --output frozen=frozen.pb
python scripts/export.py --sample nmt --input checkpoint=network.index --output exports=EXPORT/encembed.bin

Steps of a sample's family are in config/families/<family>.yaml. Published models are taken by `import_model` and
`take_model`. Of several files in one folder the first says where all go.
"""

import _path  # noqa: F401

from trtflow import families
from trtflow.cli import run
from trtflow.job import read_job


def main() -> None:
    """Read the job and do it."""
    job = read_job("export", __doc__)
    families.function_of(job)(job)


if __name__ == "__main__":
    run(main)
