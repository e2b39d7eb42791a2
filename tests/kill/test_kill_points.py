"""An engine is killed at every step it takes: nothing is lost, and nothing is paid twice.

The steps are found by counting those of an engine that lives (`steps`), so that a new one is covered
by itself.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from PIL import Image

from tests.support.kill.points import Death, Killer, fork_servers
from tests.support.kill.provider import Provider

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and forks are POSIX's")

#: What has to be among the steps, whatever their names become: a word for it, where the run stood
#: in the log, and the step before which the engine died.
STAGES: dict[str, tuple[str | None, str]] = {
    "before the row": (None, "commit INSERT INTO runs prepared"),
    "after the row": ("prepared", ".*"),
    "before the call": ("submitting", "connect"),
    "while the call's head is sent": ("submitting", "send the other half of the head of POST .*"),
    "while the call's body is sent": ("submitting", "send the other half of the body of POST .*"),
    "after the call's body was sent": ("submitting", "have sent the body of POST .*"),
    "before the answer is read": ("submitting", "read the answer to POST .*"),
    "after the answer, before its commit": ("submitting", "commit UPDATE runs SET submitted"),
    "after the answer's commit": ("submitted", ".*"),
    "before the first sidecar": ("submitted", "open .*RUN.*tmp"),
    "in a poll": ("queued", "send GET .*"),
    "in a later poll": ("generating", "read the answer to GET .*"),
    "before the download": ("downloading", "open .*RUN.*PART"),
    "in the download": ("downloading", "read the answer to GET .*mp4"),
    "at the end of the download": ("downloading", "fsync .*RUN.*PART"),
    "before the rename": ("downloading", "rename .*RUN.*PART"),
    "after the rename": ("downloading", "commit UPDATE runs SET completed"),
    "after the end's commit": ("completed", ".*"),
    "in the last sidecar": ("completed", "(fsync|rename) .*RUN.*tmp"),
}
UPLOAD = {
    "before the upload": ("uploading", "send the head of POST /upload-asset"),
    "in the upload": ("uploading", "send the other half of the body of POST /upload-asset"),
    "after the upload": ("uploading", "have read of the answer to POST /upload-asset"),
}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    with Provider(tmp_path_factory.mktemp("clips")) as running:
        yield running


@pytest.fixture(scope="module")
def forking(provider: Provider) -> Iterator[Sequence[subprocess.Popen[str]]]:
    with fork_servers(provider) as running:
        yield running


@pytest.mark.parametrize(
    ("wire", "stages"), [("segmind", {**STAGES, **UPLOAD}), ("aimlapi", STAGES)]
)
def test_an_engine_killed_at_any_step_loses_nothing_and_buys_nothing_twice(
    provider: Provider,
    forking: Sequence[subprocess.Popen[str]],
    tmp_path: Path,
    wire: str,
    stages: dict[str, tuple[str | None, str]],
) -> None:
    frame = None
    if wire == "segmind":
        frame = tmp_path / "frame.png"
        Image.effect_noise((320, 320), 60).convert("RGB").save(frame)
    deaths = Killer(provider, forking, tmp_path, wire, frame).everywhere()
    wrong = [
        f"{death}\n  " + "\n  ".join(death.outcome.wrong) for death in deaths if death.outcome.wrong
    ]
    assert not wrong, f"{len(wrong)} of {len(deaths)} points:\n" + "\n".join(wrong)
    died = [death for death in deaths if death.outcome.died]
    missed = [
        name for name, stage in stages.items() if not any(_is_at(each, stage) for each in died)
    ]
    assert not missed, "these stages were not met: " + ", ".join(missed)
    # One run may ask once more often than another.
    assert len(died) > 0.9 * len(deaths), [str(each) for each in deaths if not each.outcome.died]
    held = [death.outcome for death in deaths if death.work.held]
    assert [(each.at_death, each.bought) for each in held] == [("submitting", 1)] * 2
    prompts = provider.bought()
    assert len(prompts) == len(set(prompts))


#: Steps that only one wire has, and what has to be among them.
OWN_STEPS = {
    "fal": (
        r"/storage/|requests/UUID$",
        {
            "before the frame's address": (
                "uploading", "send the head of POST /storage/upload/initiate"
            ),
            "before the frame's bytes": ("uploading", "send PUT /storage/signed/.*"),
            "after the frame's bytes": ("uploading", "read the answer to PUT /storage/signed/.*"),
            "before the result": ("downloading", "send GET .*/requests/UUID"),
            "after the result": ("downloading", "read the answer to GET .*/requests/UUID"),
        },
    ),
    "replicate": (
        r"POST /v1/files",
        {
            "before the upload": ("uploading", "send the head of POST /v1/files"),
            "in the upload": ("uploading", "send the other half of the body of POST /v1/files"),
            "after the upload": ("uploading", "read the answer to POST /v1/files"),
        },
    ),
    "runware": (
        r"the (head|body) of POST /runware|read of the answer to POST /runware",
        {
            "before the task under our own id": ("submitting", "send the head of POST /runware"),
            "after the task": ("submitting", "have sent the body of POST /runware"),
        },
    ),
    "minimax": (
        r"GET /v1/files/retrieve",
        {
            "before the file's link": ("downloading", "send GET /v1/files/retrieve"),
            "after the file's link": ("downloading", "read the answer to GET /v1/files/retrieve"),
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("wire", OWN_STEPS)
def test_the_steps_that_only_one_wire_has(
    provider: Provider, forking: Sequence[subprocess.Popen[str]], tmp_path: Path, wire: str
) -> None:
    frame = tmp_path / "frame.png"
    Image.effect_noise((320, 320), 60).convert("RGB").save(frame)
    pattern, stages = OWN_STEPS[wire]
    deaths = Killer(provider, forking, tmp_path, wire, frame).at(pattern)
    wrong = [f"{death}: {death.outcome.wrong}" for death in deaths if death.outcome.wrong]
    assert not wrong, "\n".join(wrong)
    died = [death for death in deaths if death.outcome.died]
    missed = [
        name for name, stage in stages.items() if not any(_is_at(each, stage) for each in died)
    ]
    assert not missed, [str(each) for each in died]
    prompts = provider.bought()
    assert len(prompts) == len(set(prompts))


@pytest.mark.parametrize(("wire", "call"), [("fal", "PUT"), ("replicate", "POST")])
def test_a_cancellation(
    provider: Provider,
    forking: Sequence[subprocess.Popen[str]],
    tmp_path: Path,
    wire: str,
    call: str,
) -> None:
    """Whether it arrived or not, the run can be cancelled afterwards, and ends as cancelled."""
    deaths = Killer(provider, forking, tmp_path, wire, cancelled=True).at(rf"{call} .*/cancel")
    wrong = [f"{death}: {death.outcome.wrong}" for death in deaths if death.outcome.wrong]
    assert not wrong, "\n".join(wrong)
    died = [death for death in deaths if death.outcome.died]
    for step in ("send", "read the answer to"):
        assert any(re.match(rf"{step} .*{call} .*/cancel", each.step) for each in died), step
    prompts = provider.bought()
    assert len(prompts) == len(set(prompts))


def _is_at(death: Death, stage: tuple[str | None, str]) -> bool:
    state, step = stage
    return death.outcome.at_death == state and re.fullmatch(step, death.step) is not None
