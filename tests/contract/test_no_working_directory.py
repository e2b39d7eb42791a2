"""A process whose working directory is gone still collects, waits for and goes on with runs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.states import State
from tests.support.engine_fixture import PREAMBLE, EngineFixture, eventually

pytestmark = pytest.mark.skipif(os.name != "posix", reason="elsewhere it cannot be removed")

#: Begun in a folder that is removed before anything of ours is imported, or after.
COMMAND = "import sys; from hailuo_jupyter.cli import main; sys.exit(main({words!r}))"
RESUME = """
from hailuo_jupyter.engine import process
runs = process.get_engine().resume()
assert runs, "nothing was taken"
for run in runs:
    run.wait(60)
"""
REMOVED_LATER = "\nimport os; os.rmdir(os.getcwd())\n"


@pytest.mark.parametrize(
    "code",
    [
        PREAMBLE + COMMAND.format(words=["collect"]),
        PREAMBLE + COMMAND.format(words=["wait"]),
        PREAMBLE + RESUME,
        PREAMBLE + REMOVED_LATER + RESUME,
        PREAMBLE + REMOVED_LATER + COMMAND.format(words=["collect"]),
    ],
    ids=["collect", "wait", "resume", "resume, removed later", "collect, removed later"],
)
def test_a_clip_comes(lab: EngineFixture, code: str) -> None:
    engine = lab.engine()
    run = lab.place(engine)
    eventually(lambda: run.record.job.id)
    engine.stop()
    gone = lab.folder / "gone"
    gone.mkdir()
    remove = "" if "rmdir" in code else 'rmdir "$PWD"; '
    done = subprocess.run(
        ["sh", "-c", f'{remove}exec "$0" -c "$1"', sys.executable, code],
        cwd=gone,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    with RunLog(lab.log) as log:
        assert log.get(run.run_id).state is State.COMPLETED
    assert (lab.clips / f"{run.run_id}.mp4").is_file()
    assert not gone.exists()


@pytest.mark.parametrize("words", [["doctor"], ["runs"], ["du"]])
def test_other_commands_say_no_traceback(lab: EngineFixture, words: list[str]) -> None:
    gone = lab.folder / "gone"
    gone.mkdir()
    done = subprocess.run(
        [
            "sh",
            "-c",
            'rmdir "$PWD"; exec "$0" -c "$1"',
            sys.executable,
            COMMAND.format(words=words),
        ],
        cwd=gone,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "Traceback" not in done.stderr
