"""A process with everything imported, which forks an engine that is killed, and one that takes over.

It reads an order of work a line from standard input and writes what came of it, until the input ends.
The engine's threads start after the fork, so every fork is as a process of its own.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import httpx
from PIL import Image

from hailuo_jupyter import catalogue
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import CannotCancel, HailuoError, NotBought
from hailuo_jupyter.ipynb import verify as verifying
from hailuo_jupyter.ipynb.locate import RunLocator
from hailuo_jupyter.ipynb.redraw import draw
from hailuo_jupyter.ipynb.sync import sync
from hailuo_jupyter.kernel.display.bundle import templates
from hailuo_jupyter.runlog import Row, RunLog, peek_unfinished
from hailuo_jupyter.states import AT_PROVIDER, State
from tests.support.kill import provider, steps
from tests.support.kill.case import KEYS, Outcome, Work
from tests.support.kill.fast_timings import be_quick
from tests.support.kill.promises import judged, leftovers

#: Seconds after which a fork that hangs is ended by the system.
_HANGS_S = 90


def _buy(work: Work) -> None:
    trail = work.home / "trail"
    steps.arm(work.home, trail, name=work.name, turn=work.turn)
    engine = work.engine()
    run = work.place(engine).run
    if work.cancelled:
        until(lambda: run.status in AT_PROVIDER, "the run did not begin")
        run.cancel()
    until(lambda: run.done, "the run did not end")
    engine.stop()


def _cancel_again(work: Work) -> None:
    """Cancel a job whose cancellation may not have arrived; it must end the run, and buy nothing."""
    before = _row(work)
    outcome = Outcome(at_death=before and before.state.value)
    engine = work.engine()
    for run in engine.resume():
        _until_cancelled(run)
    engine.stop()
    after, outcome.bought = _row(work), provider.bought(work.url).count(work.prompt)
    problem = after and after.record.problem
    if (
        after is None
        or after.state is not State.FAILED
        or not problem
        or problem.code != "cancelled"
    ):
        outcome.wrong.append(f"a cancelled run is {after and after.state}: {problem}")
    if outcome.bought != 1:
        outcome.wrong.append(f"{outcome.bought} jobs were bought for one run")
    outcome.wrong += [f"left in the folder: {name}" for name in leftovers(work.clips)]
    (work.home / "outcome.json").write_text(json.dumps(vars(outcome)))


def _until_cancelled(run: Run) -> None:
    """Cancel a run as soon as this process works on it, and wait for its end."""

    def cancelled() -> bool:
        try:
            run.cancel()
        except CannotCancel:  # not yet, or it has ended
            return run.done
        return True

    until(cancelled, "the run could not be cancelled")
    until(lambda: run.done, "the cancelled run did not end")


def _take_over(work: Work) -> None:
    outcome = Outcome()
    before = _row(work)
    if before is not None:
        outcome.at_death, outcome.known = before.state.value, before.job_id is not None
        _write_notebook(work, before)
    outcome.bought = provider.bought(work.url).count(work.prompt)
    load(work, settle=bool(outcome.bought) and work.settles)
    after = _row(work)
    outcome.taken_over = after and after.state.value
    outcome.wrong += judged(work, outcome, before, after)
    outcome.again = _run_the_cell_again(work)
    outcome.bought = provider.bought(work.url).count(work.prompt)
    last = _row(work)
    if outcome.again == "refused":
        if last is None or last.state is not State.UNCONFIRMED:
            outcome.wrong.append(f"the cell was refused for a run that is {last and last.state}")
    elif outcome.bought != 1 or last is None or last.state is not State.COMPLETED:
        outcome.wrong.append(
            f"the cell, run again, leaves {outcome.bought} jobs and a run {last and last.state}"
        )
    outcome.wrong += [f"left in the folder: {name}" for name in leftovers(work.clips)]
    if before is not None:
        sync(work.notebook, settings=work.settings)
        verdict = verifying.verify(work.notebook, settings=work.settings)
        outcome.wrong += [f"verify: {each.text}" for each in verdict.findings if each.wrong]
    (work.home / "outcome.json").write_text(json.dumps(vars(outcome)))


def load(work: Work, *, settle: bool = False) -> None:
    """Do what `%load_ext` does, and wait for all that it takes over.

    With `settle` also until the provider's history has told of the run whose answer was lost.
    """
    if peek_unfinished(work.log):
        engine = work.engine()
        engine.resume()
        (log,) = engine.logs()
        if settle:
            until(lambda: log.recent()[0].state is State.COMPLETED, "it was not settled")
        until(lambda: not engine.active_runs(), "what was taken over did not end")
        engine.stop()


def _run_the_cell_again(work: Work) -> str:
    engine = work.engine()
    try:
        placed = work.place(engine)
    except NotBought:
        return "refused"
    else:
        until(lambda: placed.run.done, "the run did not end the second time")
        return placed.action.value
    finally:
        engine.stop()


def _row(work: Work) -> Row | None:
    if not work.log.is_file():
        return None
    with RunLog(work.log) as log:
        return next(iter(log.recent()), None)


def _write_notebook(work: Work, row: Row) -> None:
    """Write the notebook as the front end had saved it when the kernel died."""
    with RunLocator(work.home, {"cells": []}, settings=work.settings) as places:
        data = draw([row], places, work.home)
    cell = {
        "cell_type": "code",
        "execution_count": 1,
        "id": "clip",
        "metadata": {},
        "outputs": [{"data": data, "metadata": {}, "output_type": "display_data"}],
        "source": work.source,
    }
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    work.notebook.write_text(json.dumps(notebook))


def until(true: Callable[[], object], what: str) -> None:
    """Wait until something holds."""
    end = time.monotonic() + _HANGS_S - 10
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.005)


# ── forking ────────────────────────────────────────────────────────────────────────────────────


def fork(job: Callable[[], None], said: Path) -> int:
    """Do a job in a fork, which dies with this process, or after a while; what it says is kept."""
    sys.stdout.flush()
    parent = os.getpid()
    if pid := os.fork():
        return pid
    status = 1
    try:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
            if os.getppid() != parent:
                os._exit(1)
        signal.alarm(_HANGS_S)
        handle = os.open(said, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        job()
        status = 0
    except BaseException:  # noqa: BLE001 -- a fork ends here, whatever it is
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _kill_when_bought(work: Work, pid: int) -> None:
    end = time.monotonic() + _HANGS_S
    while work.prompt not in provider.bought(work.url) and time.monotonic() < end:
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)


def do(work: Work) -> Outcome:
    """Kill one engine and let another take over."""
    work.home.mkdir(parents=True)
    os.environ.update({KEYS[work.wire]: work.key})
    said = work.home / "said"
    pid = fork(lambda: _buy(work), said)
    if work.held:
        _kill_when_bought(work, pid)
    _, status = os.waitpid(pid, 0)
    died = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    wrong = [] if died or status == 0 else [f"the engine ended by itself ({status})"]
    take_over = _cancel_again if work.cancelled else _take_over
    _, status = os.waitpid(fork(lambda: take_over(work), said), 0)
    trail = (work.home / "trail").read_text().splitlines()
    try:
        outcome = Outcome(**json.loads((work.home / "outcome.json").read_text()))
    except FileNotFoundError:
        outcome = Outcome(wrong=[f"the take-over failed ({status})"])
    outcome.trail, outcome.died = trail, died
    outcome.wrong = wrong + outcome.wrong
    if outcome.wrong:
        outcome.wrong.append(said.read_text()[-3000:])
    return outcome


def prepare() -> None:
    """Do once what every fork would do again."""
    be_quick()
    context = httpx.create_ssl_context()
    httpx.create_ssl_context = lambda *_, **__: context
    # What is imported at the first use by rights.
    for module in ("anyio._backends._asyncio", "httpcore", "av"):
        import_module(module)
    Image.preinit()
    for name in templates().list_templates():
        templates().get_template(name)
    for name in KEYS:
        catalogue.provider(name)
    gc.freeze()  # or each fork would copy what its collector looks at


def main() -> None:
    prepare()
    for line in sys.stdin:
        try:
            outcome = do(Work(**json.loads(line)))
        except (HailuoError, OSError, ValueError):
            outcome = Outcome(wrong=[traceback.format_exc()])
        sys.stdout.write(json.dumps(vars(outcome)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
