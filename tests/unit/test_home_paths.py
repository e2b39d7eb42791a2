"""Paths in a home folder: those that cannot be expanded, and how they are shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from hailuo_jupyter import home
from hailuo_jupyter.errors import SettingsError
from hailuo_jupyter.kernel.runs.export import write_file
from hailuo_jupyter.kernel.sweep.rows import rows_of


def test_a_path_is_expanded_and_shown_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert home.folder() == tmp_path
    assert home.expand("~/clips") == tmp_path / "clips"
    assert home.expand(Path("clips")) == Path("clips")
    assert home.shorten(tmp_path / "clips") == str(Path("~") / "clips")
    assert home.shorten(tmp_path.parent) == str(tmp_path.parent)
    monkeypatch.setenv("HOME", tmp_path.anchor)  # as containers set it for users they do not know
    monkeypatch.setenv("USERPROFILE", tmp_path.anchor)
    assert home.shorten(tmp_path) == str(tmp_path)


@pytest.mark.parametrize(
    "use", [home.expand, lambda path: write_file(path, ""), lambda path: rows_of(path, Path())]
)
def test_a_user_that_does_not_exist(use: object) -> None:
    assert callable(use)
    with pytest.raises(SettingsError, match="unknown user 'no-such-user'"):
        use("~no-such-user/runs.csv")
