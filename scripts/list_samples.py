"""Print the samples with their chapters and titles.

python scripts/list_samples.py config/samples/ssd.yaml
"""

from pathlib import Path

import _path  # noqa: F401
import yaml

from trtflow.cli import parser, run


def main() -> None:
    """Read the command line and print one line a sample."""
    arguments = parser(__doc__)
    arguments.add_argument("samples", nargs="+", type=Path, help="config/samples/*.yaml")
    options = arguments.parse_args()
    for path in options.samples:
        sample = yaml.safe_load(path.read_text())
        chapter = f"chapter {sample['chapter']:>2}" if "chapter" in sample else "your own"
        print(f"{sample['name']:<30} {chapter:<10}  {sample.get('upstream', ''):<30} {sample['title']}")


if __name__ == "__main__":
    run(main)
