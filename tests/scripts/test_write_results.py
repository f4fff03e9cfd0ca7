"""docs/results.md is what the script makes of the reports beside it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_page_of_results_is_up_to_date(tmp_path):
    command = [sys.executable, "scripts/write_results.py", "--cpu", "docs/results/cpu", "--gpu", "docs/results/h200"]
    page = tmp_path / "results.md"
    done = subprocess.run([*command, "--out", page], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    written = page.read_text().replace(str(page), "docs/results.md")
    assert written == (ROOT / "docs" / "results.md").read_text()
    assert "| char_rnn | fp32 | perplexity |" in written
