from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hailuo_jupyter.kernel import drive_advice, frontends
from hailuo_jupyter.kernel.session import KernelSession

CONTENT = Path("/content/hailuo")


@pytest.fixture(autouse=True)
def a_new_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drive_advice, "session", KernelSession())


def submission(folder: Path = CONTENT, provider: str = "segmind") -> Any:
    return SimpleNamespace(folder=folder, provider=SimpleNamespace(name=provider))


def test_in_colab_a_drive_is_suggested_once_a_session_in_one_line() -> None:
    assert drive_advice.once(frontends.COLAB, submission(provider="demo")) == ""
    said = drive_advice.once(frontends.COLAB, submission())
    assert "HAILUO_OUTPUT_DIR=/content/drive/MyDrive/hailuo" in said
    assert "\n" not in said
    assert drive_advice.once(frontends.COLAB, submission()) == ""


def test_a_mounted_folder_needs_no_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    drive = Path("/content/drive")
    monkeypatch.setattr(Path, "is_mount", lambda self: self in {drive, Path("/")})
    assert drive_advice.once(frontends.COLAB, submission(drive / "MyDrive" / "hailuo")) == ""
    assert drive_advice.once(frontends.COLAB, submission())


@pytest.mark.parametrize(
    "host", [frontends.JUPYTER, frontends.VSCODE, frontends.KAGGLE, frontends.VOILA]
)
def test_nowhere_else(host: frontends.Host) -> None:
    assert drive_advice.once(host, submission()) == ""
