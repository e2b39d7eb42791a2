"""A process that is forked is as one that Python starts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.forking.process import PythonProcess, run_python

TELL = """
import json, os, sys, threading, warnings
print(json.dumps([
    sys.argv, sys.path, os.getcwd(), os.getppid(), os.environ.get("OF_THE_TEST"), sys.stdin.read(),
    __name__, sorted(globals()), sys.modules["__main__"].__dict__ is globals(),
    os.getsid(0) == os.getpid(), threading.active_count(), sys.warnoptions,
    any(each[0] == "error" and each[2] is UserWarning for each in warnings.filters),
    sorted(int(each) for each in os.listdir("/proc/self/fd"))[:4],
]))
sys.stderr.write("complains")
sys.exit(3)
"""


@pytest.fixture(scope="module", autouse=True)
def there_is_a_server() -> None:
    """Start the process after which all others are forked."""
    run_python([sys.executable, "-c", ""])


def told(start: Callable[..., subprocess.Popen[str]], line: list[str], **how: Any) -> Any:
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    env = {**os.environ, "OF_THE_TEST": "\udcff and ü"}
    with start([sys.executable, *line], **pipes, env=env, text=True, **how) as process:
        return *process.communicate("asked"), process.returncode


@pytest.mark.parametrize("session", [True, False])
@pytest.mark.parametrize(
    "line", [["-c", TELL, "a", "b"], ["-W", "error::UserWarning", "-c", TELL], ["-m", "told", "c"]]
)
def test_it_tells_the_same(tmp_path: Path, line: list[str], session: bool) -> None:
    (tmp_path / "told.py").write_text(TELL)
    expected = told(subprocess.Popen, line, cwd=tmp_path, start_new_session=session)
    assert expected[1:] == ("complains", 3)
    assert told(PythonProcess, line, cwd=tmp_path, start_new_session=session) == expected


def test_it_has_its_libraries() -> None:
    code = "import sys; print('httpx' in sys.modules)"
    libraries = [
        run([sys.executable, "-c", code], capture_output=True).stdout
        for run in (run_python, subprocess.run)
    ]
    assert libraries == [b"True\n", b"False\n"]


def test_it_can_be_killed() -> None:
    with PythonProcess([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        assert process.poll() is None
        process.kill()
        assert process.wait(60) == -9


def test_a_command_of_jupyters() -> None:
    line = [str(Path(sys.executable).with_name("jupyter")), "hailuo", "--version"]
    expected = subprocess.run(line, capture_output=True, check=True)
    assert run_python(line, capture_output=True, check=True).stdout == expected.stdout
