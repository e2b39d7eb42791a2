"""What a link may answer: every clip that came whole is kept, and none that did not is called completed."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
import pytest

from hailuo_jupyter import errors
from hailuo_jupyter.engine.decide import Action
from hailuo_jupyter.media import frame_at
from hailuo_jupyter.record import Record
from hailuo_jupyter.simulator import media
from hailuo_jupyter.simulator.responses import Response
from hailuo_jupyter.states import State
from tests.support.engine_fixture import EngineFixture, ending, eventually, shorten

Serve = Callable[[bytes], Response]


@dataclass
class Served:
    """What the provider's store answers: each of `answers` once, the last for ever; or the clip."""

    answers: list[Serve] = field(default_factory=list)
    clip: bytes = b""
    count: int = 0


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Served:
    found, reply = Served(), media.Clip.reply

    async def instead(self: media.Clip, *names: str) -> Response:
        answer = await reply(self, *names)
        if answer.status != 200 or not found.answers:
            return answer
        serve = found.answers[min(found.count, len(found.answers) - 1)]
        found.count += 1
        found.clip = answer.content()
        return serve(answer.content())

    monkeypatch.setattr(media.Clip, "reply", instead)
    return found


def answer(content: bytes, status: int = 200, **headers: str) -> Response:
    said = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, content, {"Content-Type": "video/mp4", **said})


WHOLE: dict[str, Serve] = {
    "gzip": lambda clip: answer(gzip.compress(clip), Content_Encoding="gzip"),
    "deflate": lambda clip: answer(zlib.compress(clip), Content_Encoding="deflate"),
    "said to be packed, and is not": lambda clip: answer(clip, Content_Encoding="gzip"),
    "an encoding nobody knows": lambda clip: answer(clip, Content_Encoding="aws-chunked"),
    "201": lambda clip: answer(clip, 201),
    "203": lambda clip: answer(clip, 203),
    "206, all of it": lambda clip: answer(
        clip, 206, Content_Range=f"bytes 0-{len(clip) - 1}/{len(clip)}"
    ),
    "another type": lambda clip: answer(clip, Content_Type="application/octet-stream"),
}


@pytest.mark.parametrize("case", WHOLE)
def test_a_clip_that_came_whole_is_kept(lab: EngineFixture, served: Served, case: str) -> None:
    served.answers = [WHOLE[case]]
    run = lab.place(lab.engine()).wait(60)
    assert run.clip is not None
    assert run.clip.read_bytes() == served.clip
    assert (served.count, run.record.problem) == (1, None)
    assert sorted(each.suffix for each in lab.clips.iterdir()) == [".json", ".mp4"]


def test_bytes_behind_the_last_box_are_no_fault(lab: EngineFixture, served: Served) -> None:
    served.answers = [lambda clip: answer(clip + b"\r\n<!-- from the cache -->\r\n" * 50)]
    run = lab.place(lab.engine()).wait(60)
    assert run.clip is not None
    assert run.clip.stat().st_size == run.record.clip.bytes  # type: ignore[union-attr]
    assert served.count == 1


def written(path: Path, kind: str, codec: str, **options: str) -> bytes:
    """Write a second of a clip."""
    with av.open(str(path), "w", format=kind, options=options) as out:
        stream = out.add_stream(codec, rate=24, options={"g": "6"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(24):
            picture = av.VideoFrame.from_ndarray(
                np.full((240, 320, 3), number * 10, np.uint8), format="rgb24"
            )
            picture.pts = number
            out.mux(stream.encode(picture))
        out.mux(stream.encode())
    return path.read_bytes()


@pytest.mark.parametrize(
    "other",
    [
        ("webm", "libvpx", ".webm"),
        ("mov", "libx264", ".mov"),
        ("matroska", "libx264", ".mkv"),
        ("avi", "mpeg4", ".avi"),
    ],
)
def test_another_kind_of_file_is_kept_under_its_own_suffix_wherever_it_is_looked_for(
    lab: EngineFixture, served: Served, tmp_path: Path, other: tuple[str, str, str]
) -> None:
    kind, codec, suffix = other
    data = written(tmp_path / "made", kind, codec)
    served.answers = [lambda _: answer(data)]
    engine = lab.engine()
    run = lab.place(engine).wait(60)
    assert run.clip == lab.clips / f"{run.run_id}{suffix}"
    assert run.clip.read_bytes() == data
    assert frame_at(run.clip, "last").size == (320, 240)
    (shown,) = lab.placed(engine)
    assert (shown.action, shown.run) == (Action.SHOW, run)
    # The log is lost: the record beside the clip is enough.
    engine.stop()
    for path in lab.log.parent.iterdir():
        if path.is_file():
            path.unlink()
    (found,) = lab.placed(lab.engine())
    assert (found.action, found.run.run_id) == (Action.SHOW, run.run_id)
    # Its process was killed between the clip and its record.
    document = Record.from_json((lab.clips / f"{run.run_id}.json").read_bytes())
    assert document.clip is not None
    assert document.clip.path == run.clip.name
    assert lab.submits() == 1


CUT: dict[str, Serve] = {
    "half": lambda clip: answer(clip[: len(clip) // 2]),
    "the last byte": lambda clip: answer(clip[:-1]),
    "a part (206)": lambda clip: answer(
        clip[: len(clip) // 2], 206, Content_Range=f"bytes 0-{len(clip) // 2 - 1}/{len(clip)}"
    ),
    "packed and cut": lambda clip: answer(gzip.compress(clip)[:-20], Content_Encoding="gzip"),
    "no content": lambda _: answer(b"", 204),
    "a page": lambda _: answer(b"<!doctype html><p>This clip is gone."),
}


@pytest.mark.parametrize("case", CUT)
def test_what_is_not_the_whole_clip_is_fetched_again(
    lab: EngineFixture, served: Served, case: str
) -> None:
    served.answers = [CUT[case], answer]
    run = lab.place(lab.engine()).wait(60)
    assert run.clip is not None
    assert served.count == 2
    assert sorted(each.suffix for each in lab.clips.iterdir()) == [".json", ".mp4"]


FRAGMENTS = "frag_keyframe+empty_moov+default_base_moof"


def boundaries(data: bytes) -> Iterator[int]:
    at = 0
    while at < len(data):
        at += int.from_bytes(data[at : at + 4])
        yield at


def test_a_clip_in_pieces_that_was_cut_between_two_is_never_completed(
    lab: EngineFixture, served: Served, tmp_path: Path
) -> None:
    data = written(tmp_path / "pieces.mp4", "mp4", "libx264", movflags=FRAGMENTS)
    cuts = [each for each in boundaries(data) if each < len(data)][-4:]
    served.answers = [
        *(lambda _, cut=cut: answer(data[:cut]) for cut in cuts),
        lambda _: answer(data),
    ]  # type: ignore[misc]
    run = lab.place(lab.engine()).wait(60)
    assert served.count == len(cuts) + 1
    assert run.clip is not None
    assert run.clip.read_bytes() == data


@pytest.fixture
def soon_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the end of the provider's retention come at once, and tries follow each other."""
    shorten(monkeypatch, retention_grace_s=-1e9, last_attempts=3, costly_retry_s=0.1)


@pytest.mark.usefixtures("soon_over")
def test_the_last_download_is_kept_where_none_could_be_checked(
    lab: EngineFixture, served: Served
) -> None:
    odd = b"\0\0\0\x18ftypodd!\0\0\0\0odd!mp42" + os.urandom(50_000)
    page = b"<html>This link has expired."
    served.answers = [lambda _: answer(odd), lambda _: answer(odd), lambda _: answer(page)]
    engine = lab.engine()
    run = lab.place(engine)
    eventually(lambda: served.count >= 3 and engine.row(run.run_id).owner is None)
    kept = lab.clips / f"{run.run_id}.unchecked"
    assert kept.read_bytes() == odd  # and not the page
    error = ending(run)
    assert isinstance(error, errors.ClipError)
    assert run.status is State.UNDOWNLOADED
    assert kept.name in str(error)
    assert "charged" in error.money
    assert not list(lab.clips.glob("*.mp4"))
    eventually(lambda: not lab.leftovers())
    # Whole at last: what was kept of it is not needed any more, but what is larger stays.
    larger = lab.clips / "larger"
    larger.write_bytes(odd * 100)
    larger.replace(kept)
    served.answers = []
    assert engine.resume() == [run]
    eventually(lambda: run.clip is not None)
    assert kept.read_bytes() == odd * 100
    assert lab.submits() == 1


def test_what_was_kept_goes_once_the_clip_is_there(lab: EngineFixture, served: Served) -> None:
    served.answers = [
        lambda _: answer(os.urandom(3000)),
        lambda _: answer(os.urandom(3000)),
        answer,
    ]
    run = lab.place(lab.engine())
    error = ending(run)
    assert error is None or f"in {run.run_id}.unchecked" in error.todo
    eventually(lambda: run.clip is not None)
    assert sorted(each.suffix for each in lab.clips.iterdir()) == [".json", ".mp4"]
