"""Every example runs and says what it claims."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
LAST_WORDS = {
    "own_model.py": "RTL equals PyTorch on 359 images",
    "precision_sweep.py": "w8a8",
    "folding_sweep.py": "4096",
    "export_testbench.py": "run the testbench by: make -C",
}


def test_every_example_is_listed() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(LAST_WORDS)
    page = (EXAMPLES / "README.md").read_text()
    assert all(f"({name})" in page for name in LAST_WORDS)


@pytest.mark.parametrize("name", LAST_WORDS)
def test_example_runs(name: str, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, str(EXAMPLES / name)], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert LAST_WORDS[name] in done.stdout
