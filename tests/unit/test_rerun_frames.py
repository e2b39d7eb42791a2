"""Where a rerun takes its frames from: the kept file by its hash, an address, or nowhere."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from hailuo_jupyter import catalogue
from hailuo_jupyter.errors import FrameError
from hailuo_jupyter.kernel.rerun import _kept
from hailuo_jupyter.record import FrameRecord, prepare
from hailuo_jupyter.request import build
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.states import State
from tests.support.sample_rows import shown_row

URL = "https://pictures.example/cat.png"


def row(folder: Path, image: object) -> tuple[Row, FrameRecord]:
    """Make a run that was asked for with a first frame."""
    provider = catalogue.provider("segmind")
    request = build("a cat", provider, options={}, image=image)
    record = prepare(request, provider, frames_kept=True)
    assert record.request.first_frame is not None
    made = replace(shown_row(State.COMPLETED), folder=folder, record_json=record.to_json())
    return made, record.request.first_frame


def kept(found: tuple[Row, FrameRecord], folder: Path) -> Path | str:
    return _kept(found[0], "image", found[1], folder)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    Image.effect_noise((480, 320), 60).convert("RGB").save(path)
    return path


def test_the_kept_file_is_taken_by_its_hash(tmp_path: Path, picture: Path) -> None:
    found, digest = (
        row(tmp_path / "hailuo", picture),
        hashlib.sha256(picture.read_bytes()).hexdigest(),
    )
    with pytest.raises(FrameError, match=r"is no longer in hailuo/frames\.") as caught:
        kept(found, tmp_path / "hailuo")
    assert "--image" in caught.value.todo
    assert str(tmp_path) not in str(caught.value)
    # In the folder that was moved with the notebook it is found, too.
    path = tmp_path / "moved" / "frames" / f"{digest}.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(picture.read_bytes())
    assert kept(found, tmp_path / "moved") == path
    path.write_bytes(b"another")
    with pytest.raises(FrameError, match="has changed in moved/frames"):
        kept(found, tmp_path / "moved")


def test_an_address_is_taken_as_it_was_sent(tmp_path: Path) -> None:
    assert kept(row(tmp_path, URL), tmp_path) == URL


def test_an_address_whose_signature_is_not_kept_is_refused(tmp_path: Path) -> None:
    found = row(tmp_path, f"{URL}?Signature=abc&Expires=1750446300")
    with pytest.raises(FrameError, match="a signed link") as caught:
        kept(found, tmp_path)
    assert "Nothing was sent" in caught.value.money


def test_a_frame_that_was_never_kept_is_refused(tmp_path: Path, picture: Path) -> None:
    made, frame = row(tmp_path, picture)
    with pytest.raises(FrameError, match="was not saved"):
        kept((made, frame.model_copy(update={"kept": None})), tmp_path)
