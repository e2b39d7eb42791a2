"""From a request to a clip on the disk, at both providers and on both of AI/ML API's paths."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hailuo_jupyter.engine.decide import Action
from hailuo_jupyter.errors import NotBought
from hailuo_jupyter.media import examine
from hailuo_jupyter.states import State
from tests.support.engine_fixture import KEYS, EngineFixture, ending, eventually, no_longer_kept

WIRES = [("segmind", None), ("aimlapi", "legacy"), ("aimlapi", "unified")]


@pytest.mark.parametrize(("provider", "wire"), WIRES)
def test_one_submit_gives_one_clip_with_its_record(
    lab: EngineFixture, provider: str, wire: str | None
) -> None:
    run = lab.place(lab.engine(), "a heron", provider, wire=wire)
    assert run.wait(60) is run
    assert run.status is State.COMPLETED
    assert lab.submits() == len(lab.sim.ledger) == 1
    assert run.clip is not None
    assert run.clip == lab.clips / f"{run.run_id}.mp4"
    record, content = run.record, run.clip.read_bytes()
    assert record.clip is not None
    assert record.clip.sha256 == hashlib.sha256(content).hexdigest()
    assert record.clip.bytes == len(content)
    assert record.job.id == lab.sim.ledger[0].id
    assert record.body == lab.sim.ledger[0].body
    sidecar = json.loads((lab.clips / f"{run.run_id}.json").read_text())
    assert sidecar == json.loads(record.to_json())
    assert not lab.leftovers()
    for state in ("prepared", "submitting", "submitted", "downloading", "completed"):
        assert state in record.times


def test_nothing_on_the_disk_shows_a_key_or_a_signature(lab: EngineFixture, frame: Path) -> None:
    engine = lab.engine()
    runs = [lab.place(engine, "a cat", each, image=frame) for each in ("segmind", "aimlapi")]
    for run in runs:
        run.wait(60)
    engine.stop()
    for path in lab.folder.rglob("*"):
        if path.is_file() and path.suffix != ".mp4":
            content = path.read_bytes()
            for secret in (*KEYS.values(), "Signature=", "base64,"):
                assert secret.encode() not in content, f"{secret} in {path.name}"


def test_the_key_goes_to_the_provider_and_nowhere_else(
    make_lab: Callable[..., EngineFixture],
) -> None:
    lab = make_lab(media_elsewhere=True)
    engine = lab.engine()
    for provider in ("segmind", "aimlapi"):
        lab.place(engine, "a cat", provider).wait(60)
    media = [each for each in lab.sim.requests if each.stage == "media"]
    assert media
    for each in media:
        assert not each.had_api_key
        assert not each.had_authorization
        assert not each.had_cookie
    calls = [each for each in lab.sim.requests if each.stage in ("submit", "status", "result")]
    assert all(each.had_api_key != each.had_authorization for each in calls)


@pytest.mark.parametrize("provider", ["segmind", "aimlapi"])
def test_local_frames_arrive(lab: EngineFixture, frame: Path, provider: str) -> None:
    run = lab.place(lab.engine(), "a cat", provider, image=frame, last_image=frame)
    run.wait(60)
    (job,) = lab.sim.ledger
    assert job.first_frame == job.last_frame == ("asset" if provider == "segmind" else "data")
    uploads = sum(each.stage == "upload" for each in lab.sim.requests)
    assert uploads == (2 if provider == "segmind" else 0)
    first = run.record.request.first_frame
    assert first is not None
    kept = lab.clips / "frames" / f"{first.sha256}.png"
    assert kept.read_bytes() == frame.read_bytes()
    assert run.record.body is not None
    assert first.sha256 in json.dumps(run.record.body)


def test_a_frames_address_is_sent_as_it_is(lab: EngineFixture) -> None:
    url = "https://pictures.example/cat.png?token=abc"
    run = lab.place(lab.engine(), "a cat", image=url)
    run.wait(60)
    (job,) = lab.sim.ledger
    assert job.body["image_url"] == url
    assert "abc" not in json.dumps(run.record.body)


def test_text_to_video_does_not_buy_the_providers_sample_picture(lab: EngineFixture) -> None:
    lab.place(lab.engine()).wait(60)
    assert lab.sim.ledger[0].first_frame is None


def test_options_arrive(lab: EngineFixture) -> None:
    wanted: list[tuple[str, dict[str, Any]]] = [
        ("segmind", {"mode": "pro"}),
        ("aimlapi", {"resolution": "1080P"}),
        ("aimlapi", {"duration": 10}),
    ]
    engine = lab.engine()
    runs = [lab.place(engine, "a cat", provider, **options) for provider, options in wanted]
    for run in runs:
        run.wait(60)
    bodies = [job.body for job in lab.sim.ledger]
    for _, options in wanted:
        assert sum(options.items() <= body.items() for body in bodies) == 1


def test_the_actual_cost_is_recorded_where_the_provider_tells(lab: EngineFixture) -> None:
    run = lab.place(lab.engine(), "a cat", "aimlapi", wire="unified")
    run.wait(60)
    assert run.record.cost.actual == pytest.approx(lab.sim.ledger.cost, abs=1e-6)


def test_a_paid_call_goes_out_on_a_connection_of_its_own(lab: EngineFixture) -> None:
    engine = lab.engine()
    for prompt in ("a cat", "a dog"):
        lab.place(engine, prompt).wait(60)
    ports = {each.client_port for each in lab.sim.requests if each.stage == "submit"}
    others = {each.client_port for each in lab.sim.requests if each.stage == "status"}
    assert len(ports) == 2
    assert not ports & others


# ── running a cell again ───────────────────────────────────────────────────────────────────────


def test_asked_for_again_a_run_is_attached_to_and_later_shown(lab: EngineFixture) -> None:
    engine = lab.engine()
    run = lab.place(engine)
    (again,) = lab.placed(engine)
    assert (again.action, again.run) == (Action.ATTACH, run)
    run.wait(60)
    (shown,) = lab.placed(engine)
    assert (shown.action, shown.run) == (Action.SHOW, run)
    assert lab.submits() == 1


def test_new_buys_another_one(lab: EngineFixture) -> None:
    engine = lab.engine()
    first = lab.place(engine)
    second = lab.place(engine, new=True)
    assert first != second
    for run in (first, second):
        run.wait(60)
    assert len(lab.sim.ledger) == 2


def test_of_a_count_only_what_is_missing_is_bought(lab: EngineFixture) -> None:
    engine = lab.engine()
    lab.place(engine).wait(60)
    placed = lab.placed(engine, count=3)
    assert [each.action for each in placed] == [Action.SHOW, Action.BUY, Action.BUY]
    for each in placed:
        each.run.wait(60)
    assert [each.action for each in lab.placed(engine, count=3)] == [Action.SHOW] * 3
    assert [each.action for each in lab.placed(engine)] == [Action.SHOW]
    assert len(lab.sim.ledger) == 3


def test_many_cells_at_once_buy_one_clip(lab: EngineFixture) -> None:
    """Run All in two windows: deciding and writing down is one step."""
    engines = [lab.engine(), lab.engine()]
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda n: lab.place(engines[n % 2]), range(16)))
    assert len(set(runs)) == 1
    for run in runs[:2]:
        run.wait(60)
    assert lab.submits() == 1


@pytest.mark.parametrize("provider", ["segmind", "aimlapi"])
def test_a_deleted_clip_is_fetched_again_while_the_provider_keeps_it(
    lab: EngineFixture, provider: str
) -> None:
    engine = lab.engine()
    run = lab.place(engine, "a cat", provider)
    run.wait(60)
    assert run.clip is not None
    content = run.clip.read_bytes()
    run.clip.unlink()
    assert run.clip is None
    (again,) = lab.placed(engine, "a cat", provider)
    assert (again.action, again.run) == (Action.FETCH, run)
    eventually(lambda: run.clip is not None)
    assert run.wait(60).status is State.COMPLETED
    assert run.clip is not None
    assert run.clip.read_bytes() == content
    assert lab.submits() == 1


def test_a_deleted_clip_that_the_provider_has_deleted_too_is_not_bought_again(
    lab: EngineFixture,
) -> None:
    engine = lab.engine()
    run = lab.place(engine)
    run.wait(60)
    assert run.clip is not None
    run.clip.unlink()
    order = lab.order()
    with pytest.raises(NotBought, match="is no longer in") as caught:
        engine.submit(no_longer_kept(order))
    assert "--new" in caught.value.todo
    assert lab.submits() == 1


def test_a_failed_run_is_sent_again_by_running_its_cell(lab: EngineFixture) -> None:
    lab.sim.fault("job-fails")
    engine = lab.engine()
    assert ending(lab.place(engine)) is not None
    assert lab.place(engine).wait(60).status is State.COMPLETED
    assert len(lab.sim.ledger) == 2


def test_another_notebooks_run_is_not_this_ones(lab: EngineFixture) -> None:
    engine, order = lab.engine(), lab.order()
    placed = []
    for name in ("one", "another"):
        (lab.folder / f"{name}.ipynb").touch()
        changes = {"notebook_id": name, "notebook_path": f"{name}.ipynb"}
        origin = order.origin.model_copy(update=changes)
        placed += engine.submit(replace(order, origin=origin))
    assert [each.action for each in placed] == [Action.BUY, Action.BUY]
    assert placed[0].run != placed[1].run


@pytest.mark.parametrize("provider", ["segmind", "aimlapi"])
@pytest.mark.parametrize("result_as", ["file", "redirect"])
def test_the_clip_itself_or_a_redirect_to_it_for_an_answer(
    make_lab: Callable[..., EngineFixture], provider: str, result_as: str
) -> None:
    lab = make_lab(result_as=result_as, shrink=2, media_elsewhere=True)
    run = lab.place(lab.engine(), provider=provider)
    run.wait(60)
    assert run.status is State.COMPLETED
    assert examine(lab.clips / f"{run.run_id}.mp4").duration_s == pytest.approx(5.9, abs=0.5)
    assert len(lab.sim.ledger) == 1
    files = [each for each in lab.sim.requests if each.stage == "media"]
    assert bool(files) == (result_as == "redirect")
    assert not any(each.had_api_key or each.had_authorization for each in files)
