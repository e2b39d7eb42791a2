from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import hailuo_jupyter
from hailuo_jupyter import catalogue, request
from hailuo_jupyter.record import prepare
from hailuo_jupyter.runlog import Owner, RunLog, ownership
from tests.support.runlog_rows import IDS, R1, R2, R3

ROOT = Path(hailuo_jupyter.__file__).parents[1]

CLAIM = """
import sys
from pathlib import Path
from hailuo_jupyter.runlog import Owner, RunLog
log = RunLog(Path(sys.argv[1]))
owner = Owner(log.path)
print(owner.id, flush=True)
sys.stdin.readline()
print(*log.claim(sys.argv[2:], owner.id), flush=True)
sys.stdin.readline()
owner.close()
log.close()
"""


class Child:
    """A real process that claims runs when told, and lives until it is told or killed."""

    def __init__(self, log: RunLog, *run_ids: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", CLAIM, str(log.path), *run_ids],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.owner = self.line()

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def tell(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def claim(self) -> list[str]:
        self.tell()
        return self.line().split()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[RunLog]:
    with RunLog(tmp_path / "runs.sqlite3") as opened:
        asked = request.build("a cat", catalogue.provider("segmind"), options={})
        for run_id in IDS:
            record = prepare(asked, run_id=run_id)
            opened.insert(record, folder=tmp_path, kind=asked.kind, owner=None)
        yield opened


@pytest.fixture
def owner(log: RunLog) -> Iterator[Owner]:
    with Owner(log.path) as own:
        yield own


def test_an_owner_lives_until_closed(log: RunLog, owner: Owner) -> None:
    with Owner(log.path) as other:
        assert other.id != owner.id
        assert log.alive(owner.id)
        assert log.alive(other.id)
    assert not log.alive(other.id)
    other.close()
    assert log.alive(owner.id)


@pytest.mark.parametrize("stranger", ["", "me", "../../etc/passwd", "1-00000000"])
def test_a_stranger_is_not_alive(log: RunLog, stranger: str) -> None:
    assert not log.alive(stranger)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_lock_files_are_the_users_alone(log: RunLog, owner: Owner) -> None:
    folder = ownership.owners_folder(log.path)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / f"{owner.id}.lock").stat().st_mode) == 0o600


def test_a_run_is_claimed_by_one(log: RunLog, owner: Owner) -> None:
    with Owner(log.path) as other:
        assert log.claim([R2, R1, "unknown"], owner.id) == [R2, R1]
        assert log.claim([R1], owner.id) == [R1]
        assert log.claim([R1, R3], other.id) == [R3]
        log.release(R1, other.id)
        assert log.claim([R1], other.id) == []
        log.release(R1, owner.id)
        assert log.claim([R1], other.id) == [R1]
    assert log.claim([R1], owner.id) == [R1]  # closed: as good as dead


def test_processes_that_claim_at_once_share_without_overlap(log: RunLog) -> None:
    ids = list(IDS)
    children = [Child(log, *ids) for _ in range(4)]
    for child in children:
        child.tell()
    won = [child.line().split() for child in children]
    try:
        assert sorted(run_id for each in won for run_id in each) == sorted(ids)
        for child, each in zip(children, won, strict=True):
            assert all(log.get(run_id).owner == child.owner for run_id in each)
    finally:
        for child in children:
            child.kill()


def test_a_killed_process_is_taken_over_at_once(log: RunLog, owner: Owner) -> None:
    child = Child(log, R1)
    assert child.claim() == [R1]
    assert log.alive(child.owner)
    assert log.claim([R1], owner.id) == []
    child.kill()
    assert not log.alive(child.owner)
    assert log.claim([R1], owner.id) == [R1]


def test_programs_that_an_owner_starts_do_not_keep_its_lock(log: RunLog) -> None:
    code = CLAIM.replace(
        "print(owner.id, flush=True)\n",
        "import os, subprocess\n"
        "code = 'import os; os.write(1, bytes([46, 10])); input()'\n"
        "rest = subprocess.Popen([sys.executable, '-c', code], close_fds=False)\n"
        "os.write(1, f'{owner.id}\\n'.encode())\n",
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(log.path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    # The system closes what a new program does not inherit just before that program begins.
    lines = {process.stdout.readline().strip(), process.stdout.readline().strip()}
    (owner,) = lines - {"."}
    assert log.alive(owner)
    process.kill()
    process.wait()
    assert not log.alive(owner)
    process.communicate()  # closes its stdin, which ends the rest too


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
@pytest.mark.parametrize("end", ["exit", "close"])
def test_a_forks_end_does_not_free_its_parents_lock(log: RunLog, owner: Owner, end: str) -> None:
    child = os.fork()
    if child == 0:
        try:
            if end == "close":
                owner.close()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert log.alive(owner.id)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_fork_does_not_keep_its_dead_parents_lock(log: RunLog) -> None:
    code = CLAIM.replace(
        "print(owner.id, flush=True)\n",
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.write(1, b'fork\\n'); sys.stdin.readline(); os._exit(0)\n"
        "os.write(1, f'{owner.id}\\n'.encode())\n"  # not by print: two processes, one pipe
        "time.sleep(60)\n",
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(log.path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    lines = {process.stdout.readline().strip(), process.stdout.readline().strip()}
    (owner,) = lines - {"fork"}
    assert log.alive(owner)
    process.kill()
    process.wait()
    assert not log.alive(owner)  # while the fork still waits for its line
    process.communicate()


def test_forgetting_frees_nothing_twice(log: RunLog) -> None:
    own = Owner(log.path)
    own.forget()
    own.forget()
    own.close()
    assert not log.alive(own.id)


def test_files_of_the_dead_are_swept(log: RunLog, owner: Owner) -> None:
    child = Child(log, R1)
    assert child.claim() == [R1]
    child.kill()
    folder = ownership.owners_folder(log.path)
    assert (folder / f"{child.owner}.lock").exists()
    with Owner(log.path) as other:
        assert {path.stem for path in folder.iterdir()} == {owner.id, other.id}
    assert log.claim([R1], owner.id) == [R1]
