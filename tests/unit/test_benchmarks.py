"""The benchmark suite can be asked what it measures; what it measures is no test's business."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "benchmarks"


def asked(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FOLDER / "run.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_its_help_lists_every_row() -> None:
    done = asked("--help")
    assert done.returncode == 0, done.stderr
    rows = [int(row) for row in re.findall(r"^ +([0-9]+)  ", done.stdout, re.MULTILINE)]
    assert rows == list(range(1, 13))


def test_a_row_that_is_not_there_is_refused() -> None:
    done = asked("--rows", "2,99")
    assert done.returncode == 2
    assert "there is no row 99" in done.stderr


def test_each_row_has_its_module() -> None:
    text = (FOLDER / "run.py").read_text(encoding="utf-8")
    modules = re.findall(r'^ +[0-9]+: \("([a-z_]+)"', text, re.MULTILINE)
    assert len(modules) == 12
    for module in modules:
        source = (FOLDER / f"{module}.py").read_text(encoding="utf-8")
        assert re.search(r"^def measure(_row)?\(\*, full: bool\)", source, re.MULTILINE), module
