"""Kernels are killed in the middle of a cell, and the next one goes on with `%load_ext`."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.states import State
from tests.support.fake_front_end import Cell, FrontEnd
from tests.support.kill.promises import finished, leftovers
from tests.support.kill.provider import NO_HISTORY, ROOT, Provider
from tests.support.notebook_files import code, command, notebook, shown, write

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")

#: Before which step a kernel dies, and how the run stands when the next one has done what it can.
DEATHS = (
    ("commit INSERT INTO runs prepared", 1, None),
    ("connect", 1, State.UNCONFIRMED),
    ("send the other half of the body of POST /v2/minimax-hailuo-2", 1, State.UNCONFIRMED),
    ("commit UPDATE runs SET submitted", 1, State.UNCONFIRMED),
    ("read the answer to GET /generations/UUID.mp4", 2, State.COMPLETED),
    ("commit UPDATE runs SET completed", 1, State.COMPLETED),
)


def test_killed_kernels_lose_nothing_and_the_notebook_is_right_in_the_end(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    log, path = work / "log" / "runs.sqlite3", work / "notebook.ipynb"
    with Provider(tmp_path / "clips") as provider:
        env = {
            **provider.environment(),
            "HAILUO_RUN_LOG": str(log),
            "SEGMIND_API_KEY": f"key-{NO_HISTORY}-0123456789",
            "IPYTHONDIR": str(tmp_path / "ipython"),
            "JUPYTER_DATA_DIR": str(tmp_path / "jupyter"),
        }
        with FrontEnd(work, env) as page:
            cells = [_kill(page, provider, work, number) for number in range(len(DEATHS))]
            _load(page, work)
            rows = _settled(page, log)
        bought = Counter(provider.bought())
        for number, (name, _, state) in enumerate(DEATHS):
            row = rows.get(prompt(number))
            assert (row and row.state) == state, name
            assert bought[prompt(number)] <= 1
            if state is State.COMPLETED:
                assert row is not None
                assert finished(row) == []
            if state is State.UNCONFIRMED:
                assert row is not None
                assert row.record.problem is not None
                assert "may have been charged" in row.record.problem.money
                assert "--new" in row.record.problem.todo
        assert bought[prompt(3)] == 1, "the one that was accepted, whose answer is in no log"
        assert bought.total() == 3
        assert leftovers(work / "hailuo") == []
        # As the page had saved it.
        outputs = [
            [shown(each["data"]) for each in cell.outputs if "data" in each] for cell in cells
        ]
        write(path, notebook(*(code(f"clip-{n}", source(n), o) for n, o in enumerate(outputs))))
        assert all(outputs[-2:])
        for word in ("sync", "verify"):
            done = command(word, path, cwd=work, env=env)
            assert done.returncode == 0, done.stdout + done.stderr
        assert "no problems" in done.stdout


def prompt(number: int) -> str:
    return f"A heron, number {number}."


def source(number: int) -> str:
    return f"%%hailuo --provider segmind\n{prompt(number)}"


def _load(page: FrontEnd, work: Path) -> None:
    cell = page.run(
        f"""
        import sys
        from pathlib import Path
        sys.path.insert(0, {str(ROOT)!r})
        from tests.support.kill import steps
        from tests.support.kill.fast_timings import be_quick
        be_quick()
        counted = steps.arm(Path({str(work)!r}), Path({str(work / "trail")!r}))
        """
    )
    assert cell.error is None, cell.error
    assert page.run("%load_ext hailuo_jupyter").error is None


def _kill(page: FrontEnd, provider: Provider, work: Path, number: int) -> Cell:
    """Let a kernel die in a cell, once it has taken over what the one before it left."""
    name, turn, state = DEATHS[number]
    _load(page, work)
    if number:
        _settled(page, work / "log" / "runs.sqlite3")
    assert page.run(f"counted.aim({name!r}, {turn})").error is None
    if state is State.COMPLETED:
        # The cell has come to its end, and the clip is made while nobody types.
        provider.fault("seconds", prompt=prompt(number), seconds=1000.0)
        cell = page.run(source(number), f"clip-{number}")
        assert cell.error is None, cell.error
        provider.advance(1000.0)
    else:
        cell = page.start(source(number), f"clip-{number}")
    page.until(lambda: not page.alive())
    page.restart()
    return cell


def _settled(page: FrontEnd, log: Path) -> dict[str, Row]:
    """Wait until nobody has a run in hand, and give the runs by their prompts."""
    rows: list[Row] = []

    def settled() -> bool:
        nonlocal rows
        if log.is_file():
            with RunLog(log) as opened:
                rows = opened.recent()
                return not any(row.state is not State.PREPARED for row in opened.unfinished())
        return True

    page.until(settled)
    return {row.record.request.prompt: row for row in rows}
