"""Handles of runs that are copied, pickled and kept in IPython's store: the id is enough."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from hailuo_jupyter import generate
from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import RunNotFound
from hailuo_jupyter.settings import Hailuo
from tests.support.engine_fixture import EngineFixture


@pytest.fixture
def run(lab: EngineFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """A run of this process's own engine, with its clip."""
    monkeypatch.chdir(lab.folder)
    Hailuo.clear_instance()
    made = generate("a cat", provider="segmind")
    yield made.wait(60)
    process.shut_down()
    Hailuo.clear_instance()


def pickled(protocol: int, value: Any) -> Any:
    return pickle.loads(pickle.dumps(value, protocol))


WAYS: dict[str, Any] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{f"pickle {each}": partial(pickled, each) for each in range(pickle.HIGHEST_PROTOCOL + 1)},
}


def test_a_copy_is_the_same_run(run: Run) -> None:
    for way in WAYS.values():
        found = way(run)
        assert type(found) is Run
        assert found == run
        assert found.clip == run.clip
        assert found.record == run.record
        nested = way({"runs": [run, run], "best": run})
        assert nested["runs"] == [run, run]
        found.rate(5)
        assert run.record.rating == 5
        run.rate(None)


def test_only_the_id_is_kept(run: Run, lab: EngineFixture) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        data = pickle.dumps(run, protocol)
        assert run.run_id.encode() in data
        assert len(data) < 120
        assert str(lab.folder).encode() not in data


def test_nothing_is_started_until_a_restored_run_is_used(run: Run) -> None:
    data = pickle.dumps([run])
    process.shut_down()
    (found,) = pickle.loads(data)
    assert process.started() is None
    assert found.run_id == run.run_id
    assert found.done
    assert process.started() is not None


def test_a_run_that_the_log_does_not_have(run: Run) -> None:
    other = pickle.loads(pickle.dumps(run).replace(run.run_id[-6:].encode(), b"zzzzzz"))
    with pytest.raises(RunNotFound):
        _ = other.status
    with pytest.raises(ValueError, match="not the id of a run"):
        process.restored("../../etc/passwd")


def test_another_process_gets_the_run(run: Run) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(attrgetter("clip"), run).result(60) == run.clip


def test_ipythons_store_keeps_it(run: Run, tmp_path: Path) -> None:
    def session(*lines: str) -> str:
        program = [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", "-c"]
        return subprocess.run(
            [*program, "\n".join(lines)],
            env={**os.environ, "IPYTHONDIR": str(tmp_path / "ipython")},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout

    session(
        "import hailuo_jupyter.engine.process as process",
        f"run = process.get_engine().run('{run.run_id}')",
        "runs = [run]",
        "%store run runs",
    )
    said = session("%store -r run runs", "print(run.clip, runs == [run], run.status)")
    assert said.splitlines()[-1] == f"{run.clip} True completed"
