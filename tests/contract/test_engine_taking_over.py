"""Kernels that are restarted, killed, forked or doubled: who goes on with a run, and who does not."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from hailuo_jupyter import errors
from hailuo_jupyter.errors import CannotCancel
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State
from tests.support.engine_fixture import EngineFixture, StartKernel, ending, eventually, first_line
from tests.support.held_jobs import holding

posix = pytest.mark.skipif(os.name != "posix", reason="signals and forks are POSIX's")


ASK = """
run = h.generate("a heron", "segmind")
print(run.run_id, flush=True)
"""
STAY = "import time; time.sleep(60)"

# A cell returns after some seconds, whether or not its request is answered by then; and on a busy machine
# a job of half a second is over before the test looks. So tests hold the job, and wait for its id.


def test_a_stopped_engines_run_goes_on_in_the_next(lab: EngineFixture) -> None:
    let_go = [holding(lab.sim, prompt) for prompt in ("a cat", "a dog")]
    first = lab.engine()
    runs = [lab.place(first, "a cat"), lab.place(first, "a dog", "aimlapi")]
    eventually(lambda: all(run.record.job.id for run in runs))
    first.stop()
    assert not first.alive
    second = lab.engine()
    assert {run.run_id for run in second.resume()} == {run.run_id for run in runs}
    for each in let_go:
        each()
    for run in runs:
        assert second.run(run.run_id).wait(60).clip is not None
    assert lab.submits() == 2


def test_the_cell_that_asked_takes_its_run_over(lab: EngineFixture) -> None:
    first = lab.engine()
    run = lab.place(first)
    eventually(lambda: run.record.job.id)
    first.stop()
    again = lab.place(lab.engine())
    assert again == run
    assert again.wait(60).clip is not None
    assert lab.submits() == 1


@posix
def test_a_kernel_killed_while_the_clip_is_made(lab: EngineFixture, kernel: StartKernel) -> None:
    let_go = holding(lab.sim, "a heron")
    process = kernel(ASK, STAY)
    engine = lab.engine()
    run = engine.run(first_line(process))
    eventually(lambda: run.record.job.id)
    assert engine.resume() == [], "its kernel lives"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert engine.resume() == [run]
    let_go()
    assert run.wait(60).clip is not None
    assert lab.submits() == 1


@posix
def test_a_run_that_somebody_looks_at_is_taken_over_by_itself(
    lab: EngineFixture, kernel: StartKernel
) -> None:
    let_go = holding(lab.sim, "a heron")
    process = kernel(ASK, STAY)
    run = lab.engine().run(first_line(process))
    assert not run.done
    eventually(lambda: run.record.job.id)
    process.send_signal(signal.SIGKILL)
    let_go()
    assert run.wait(60).clip is not None


@posix
def test_a_kernel_killed_while_its_request_is_on_its_way(
    lab: EngineFixture, kernel: StartKernel
) -> None:
    lab.sim.fault("delay", "submit", seconds=20)
    process = kernel(ASK, STAY)
    eventually(lambda: len(lab.sim.ledger) == 1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    engine = lab.engine()
    assert engine.resume() == []
    (row,) = engine.logs()[0].recent()
    assert row.state is State.UNCONFIRMED
    error = ending(engine.run(row.run_id))
    assert isinstance(error, errors.AnswerLost)
    assert "may have been charged" in error.money
    assert "--new" in error.todo
    time.sleep(0.5)
    assert lab.submits() + len(lab.sim.ledger) <= 2, "nothing is sent again by itself"
    assert len(lab.sim.ledger) == 1


@posix
def test_a_kernel_killed_while_it_downloads(lab: EngineFixture, kernel: StartKernel) -> None:
    lab.sim.fault("media-slow", bytes_per_second=2000)
    process = kernel(ASK, STAY)
    run_id = first_line(process)
    engine = lab.engine()
    eventually(lambda: engine.logs()[0].get(run_id).state is State.DOWNLOADING)
    eventually(lab.leftovers)
    process.send_signal(signal.SIGKILL)
    process.wait()
    engine.resume()
    assert engine.run(run_id).wait(60).clip is not None
    assert not lab.leftovers()


@posix
def test_a_kernel_killed_while_it_uploads_frames_has_sent_nothing(
    lab: EngineFixture, kernel: StartKernel, frame: Path
) -> None:
    lab.sim.fault("delay", "upload", seconds=20)
    process = kernel(f"h.generate('a cat', 'segmind', image={str(frame)!r})", STAY)
    engine = lab.engine()
    eventually(lambda: [row.state for row in engine.logs()[0].recent()] == [State.UPLOADING])
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert engine.resume() == []
    (row,) = engine.logs()[0].recent()
    assert row.state is State.PREPARED
    error = ending(engine.run(row.run_id))
    assert isinstance(error, errors.NotSent)
    assert error.money == "No charge."
    assert lab.submits() == 0


@posix
def test_a_kernel_killed_while_it_waits_for_the_provider_says_no_longer_that_it_goes_on(
    lab: EngineFixture, kernel: StartKernel
) -> None:
    lab.sim.fault("rate-limited-seconds", "submit", count=None, seconds=60)
    process = kernel(ASK, STAY)
    run_id = first_line(process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    engine = lab.engine()
    engine.resume()
    error = ending(engine.run(run_id))
    assert isinstance(error, errors.NotSent)
    assert "Rerun the cell" in error.todo
    assert "automatically" not in str(error)


# ── two engines on one log ─────────────────────────────────────────────────────────────────────


def test_of_two_engines_one_watches_and_the_other_learns_of_it(lab: EngineFixture) -> None:
    first, second = lab.engine(), lab.engine()
    run = lab.place(first)
    eventually(lambda: run.record.job.id)
    seen = lab.place(second)
    assert seen == run
    assert second.resume() == []
    assert second.active_runs() == []
    assert seen.wait(60).clip == run.wait(60).clip
    downloads = [each for each in lab.sim.requests if each.stage == "media"]
    assert (lab.submits(), len(downloads)) == (1, 1)


def test_when_the_watching_engine_ends_the_other_goes_on(lab: EngineFixture) -> None:
    lab.sim.fault("seconds", seconds=2.0)
    first, second = lab.engine(), lab.engine()
    run = lab.place(first)
    eventually(lambda: run.record.job.id)
    seen = lab.place(second)
    first.stop()
    second.resume()
    assert seen.wait(60).clip is not None
    assert lab.submits() == 1


# ── forks, and scripts that end ────────────────────────────────────────────────────────────────


@posix
def test_a_fork_leaves_no_second_engine_and_the_parent_goes_on(
    lab: EngineFixture, kernel: StartKernel
) -> None:
    process = kernel(
        """
        import os, threading
        from hailuo_jupyter.engine import process
        run = h.generate("a heron", "segmind")
        parent = process.get_engine()
        child = os.fork()
        if child == 0:
            try:
                assert process._engine is None
                assert "hailuo-engine" not in [t.name for t in threading.enumerate()]
                other = h.generate("a heron", "segmind")  # an engine of its own, at the first use
                assert process.get_engine() is not parent
                assert other == run, "the parent's run is attached to"
                assert other.wait(60).clip is not None
                process.shut_down()
                os._exit(0)
            except BaseException:
                import traceback
                traceback.print_exc()
                os._exit(1)
        assert run.wait(60).clip is not None
        assert process.get_engine() is parent
        print("child", os.waitpid(child, 0)[1], flush=True)
        """
    )
    out, err = process.communicate(timeout=60)
    assert out.strip() == "child 0", err
    assert lab.submits() == 1


def test_a_script_that_ends_at_once_has_the_answer_on_the_disk(
    lab: EngineFixture, kernel: StartKernel
) -> None:
    lab.sim.fault("delay", "submit", seconds=3.5)
    process = kernel(ASK)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    run_id, told = out.splitlines()
    assert run_id in told
    assert "jupyter hailuo" in told
    assert not err
    engine = lab.engine()
    row = engine.logs()[0].get(run_id)
    assert row.job_id == lab.sim.ledger[0].id
    assert row.record.problem is None
    assert (lab.clips / f"{run_id}.json").is_file()
    engine.resume()
    assert engine.run(run_id).wait(60).clip is not None


def test_a_script_that_ends_during_an_upload_still_submits(
    lab: EngineFixture, kernel: StartKernel, frame: Path
) -> None:
    """What is left to do after the upload needs threads, which Python gives up early at its end."""
    lab.sim.fault("delay", "upload", seconds=3.5)
    process = kernel(
        f"""
        import os
        os.environ["SEGMIND_BASE_URL"] = {lab.sim.url.replace("127.0.0.1", "localhost")!r}
        print(h.generate("a heron", "segmind", image={str(frame)!r}).run_id)
        """
    )
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    run_id = out.split()[0]
    row = lab.engine().logs()[0].get(run_id)
    assert row.state is State.SUBMITTED, (row.record.problem, err)
    assert row.job_id == lab.sim.ledger[0].id
    assert "jupyter hailuo" in out


def test_a_script_that_waits_leaves_nothing_to_say(lab: EngineFixture, kernel: StartKernel) -> None:
    process = kernel("run = h.generate('a heron', 'aimlapi', wait=True)", "print(run.clip.name)")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    name = out.strip()
    assert (lab.clips / name).is_file()
    assert '"state": "completed"' in (lab.clips / name).with_suffix(".json").read_text().replace(
        '":"', '": "'
    )


# ── cancelling ─────────────────────────────────────────────────────────────────────────────────


def test_before_anything_is_sent_a_run_can_be_cancelled(lab: EngineFixture) -> None:
    lab.sim.fault("rate-limited-seconds", "submit", count=None, seconds=30)
    engine = lab.engine()
    run = lab.place(engine)
    eventually(lambda: run.record.problem is not None)
    began = time.monotonic()
    run.cancel()
    assert time.monotonic() - began < 15, "it waits for no answer"
    assert run.done
    assert run.status is State.PREPARED
    error = ending(run)
    assert isinstance(error, errors.NotSent)
    assert error.money == "No charge."
    time.sleep(0.5)
    assert (lab.submits(), len(lab.sim.ledger)) == (1, 0)


def test_a_run_can_be_cancelled_at_once(lab: EngineFixture) -> None:
    """Whatever comes first, the run is either unsent and done with, or cannot be cancelled."""
    engine = lab.engine()
    for number in range(5):
        run = lab.place(engine, f"cat {number}")
        try:
            run.cancel()
        except CannotCancel:
            assert run.wait(60).clip is not None
        else:
            assert run.done
            assert run.status is State.PREPARED
            assert isinstance(ending(run), errors.NotSent)
    sent = {job.body["prompt"] for job in lab.sim.ledger}
    for row in engine.logs()[0].recent():
        assert (row.record.request.prompt in sent) == (row.state is State.COMPLETED)


@pytest.mark.parametrize("provider", ["segmind", "aimlapi"])
def test_what_was_sent_cannot_be_cancelled_and_its_clip_comes(
    lab: EngineFixture, provider: str
) -> None:
    run = lab.place(lab.engine(), "a cat", provider)
    eventually(lambda: run.record.job.id)
    with pytest.raises(CannotCancel) as caught:
        run.cancel()
    assert "paid for" in caught.value.money
    assert run.wait(60).clip is not None
    with pytest.raises(CannotCancel, match="completed"):
        run.cancel()


# ── waiting for a run ──────────────────────────────────────────────────────────────────────────


def test_waits_end_and_runs_go_on(lab: EngineFixture) -> None:
    import asyncio

    lab.sim.fault("seconds", seconds=2.0)
    run = lab.place(lab.engine())
    with pytest.raises(errors.WaitTimeout) as caught:
        run.wait(0.3)
    assert "continue" in caught.value.money
    assert run.run_id in caught.value.todo

    async def cell() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_until(run), 0.1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await run
        task = asyncio.ensure_future(_until(run))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not run.done
        one, other = await asyncio.gather(_until(run), _until(run))
        assert one is other is run

    asyncio.run(cell())
    assert run.clip is not None


async def _until(run: object) -> object:
    return await run  # type: ignore[misc]


def test_a_wait_for_a_run_that_failed_raises_what_happened(lab: EngineFixture) -> None:
    import asyncio

    lab.sim.fault("job-fails")
    run = lab.place(lab.engine())

    async def cell() -> None:
        with pytest.raises(errors.JobFailed):
            await run

    asyncio.run(cell())
    with pytest.raises(errors.JobFailed):
        run.wait()


def test_the_engine_of_a_process_is_one_and_starts_again_after_it_was_stopped(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hailuo_jupyter.engine import process

    monkeypatch.setattr(Hailuo, "instance", lambda: lab.settings)
    first = process.get_engine()
    assert process.get_engine() is first
    process.shut_down()
    assert not first.alive
    second = process.get_engine()
    assert second is not first
    process.shut_down()
    process.shut_down()
