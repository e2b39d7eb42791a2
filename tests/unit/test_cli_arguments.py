"""Arguments of ``jupyter hailuo`` that one of its commands passes on, and what the others refuse."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from hailuo_jupyter import cli, demo
from tests.support.notebook_files import surroundings


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return the options that JupyterLab would be started with, by call."""
    calls: list[list[str]] = []
    monkeypatch.setattr(demo, "lab", lambda _where, _say, options: calls.append([*options]) or 0)
    return calls


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("demo --lab", []),
        ("demo --lab --no-browser --port 8889", ["--no-browser", "--port", "8889"]),
        ("demo --no-browser --lab --ip=0.0.0.0", ["--no-browser", "--ip=0.0.0.0"]),
        ("demo --lab -- --allow-root", ["--allow-root"]),
        ("demo --lab --ServerApp.token=x", ["--ServerApp.token=x"]),
    ],
)
def test_the_demo_passes_options_to_jupyterlab(
    passed: list[list[str]], line: str, options: list[str]
) -> None:
    assert cli.main(line.split()) == 0
    assert passed == [options]


@pytest.mark.parametrize("line", ["demo --no-browser", "doctor --lab", "runs --port 1", "doctor x"])
def test_other_unknown_options_are_errors(
    passed: list[list[str]], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(line.split())
    assert ended.value.code == 2
    assert "unrecognized arguments" in capsys.readouterr().err
    assert not passed


def test_a_date_that_is_none_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with surroundings(tmp_path, None):
        assert cli.main(["runs", "--since", "yesterday"]) == 2
    assert "OptionError: 'yesterday' is not an age or date. Examples:" in capsys.readouterr().err


def test_a_wrong_value_is_called_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["runs", "--state", "done"])
    assert "Unknown state 'done'. Choose from prepared, " in capsys.readouterr().err


def test_the_simulator_is_named_as_it_was_called(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["simulator", "--help"])
    assert capsys.readouterr().out.startswith("usage: jupyter hailuo simulator [")


@pytest.mark.parametrize(
    ("size", "valid"), [("1", True), ("50", True), ("0", False), ("51", False)]
)
def test_a_page_has_1_to_50_runs(size: str, valid: bool) -> None:
    read = argparse.Namespace(size=None)
    if valid:
        assert cli.parser().parse_args(["runs", "--size", size], read).size == int(size)
    else:
        with pytest.raises(SystemExit):
            cli.parser().parse_args(["runs", "--size", size], read)
