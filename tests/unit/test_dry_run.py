"""``--dry-run``: the address that would be used, and what would be in the body."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hailuo_jupyter.kernel import generate
from hailuo_jupyter.settings import Hailuo
from tests.support.sample_images import picture


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Use a run log and settings of this test's own, and no address from outside."""
    monkeypatch.setenv("HAILUO_RUN_LOG", str(tmp_path / "runs.sqlite3"))
    for name in ("SEGMIND_BASE_URL", "AIML_API_BASE_URL", "HAILUO_SIMULATOR_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    Hailuo.clear_instance()
    yield
    Hailuo.clear_instance()


def printed(capsys: pytest.CaptureFixture[str], **options: Any) -> tuple[str, dict[str, Any]]:
    """Return the first line of a dry run, and the body."""
    generate.dry_run(*generate.submission_from("A heron.", options))  # type: ignore[arg-type]
    line, _, rest = capsys.readouterr().out.partition("\n")
    body, end = json.JSONDecoder().raw_decode(rest)
    assert rest[end:].rstrip().endswith("Dry run: nothing was sent.")
    return line, body


def test_the_address_is_the_one_that_will_be_used(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    line, _ = printed(capsys, provider="segmind")
    assert line == "POST https://api.segmind.com/v2/minimax-hailuo-2"
    monkeypatch.setenv("SEGMIND_BASE_URL", "http://127.0.0.1:9950")
    line, _ = printed(capsys, provider="segmind")
    assert line == "POST http://127.0.0.1:9950/v2/minimax-hailuo-2"
    monkeypatch.setenv("SEGMIND_BASE_URL", "https://me:secret@gateway.example")
    line, _ = printed(capsys, provider="segmind")
    assert line == "POST https://gateway.example/v2/minimax-hailuo-2"


def test_the_demos_simulator_is_not_started_and_has_no_made_up_address(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    line, _ = printed(capsys, provider="demo")
    assert line == "POST (the demo's simulator)/v2/minimax-hailuo-2"
    assert not [*tmp_path.rglob("simulator-*.json")]
    monkeypatch.setenv("HAILUO_SIMULATOR_URL", "http://127.0.0.1:4711/")
    line, _ = printed(capsys, provider="demo")
    assert line == "POST http://127.0.0.1:4711/v2/minimax-hailuo-2"


def test_a_local_frame_is_described_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    picture().save("first.png")
    _, body = printed(capsys, provider="segmind", image="first.png")
    assert body["image_url"].startswith("<link to the uploaded file, sha256 ")
    _, body = printed(capsys, provider="aimlapi", image="first.png")
    (value,) = [each for each in body.values() if str(each).startswith("<data URI of ")]
    assert " bytes, sha256 " in value
    _, body = printed(capsys, provider="segmind", image="https://example.com/a.png?token=secret")
    assert body["image_url"] == "https://example.com/a.png"
    assert body["prompt"] == "A heron."
