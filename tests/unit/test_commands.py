"""The list of commands and the modules that do them: they have to agree, and nothing loads early."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

from hailuo_jupyter import redact
from hailuo_jupyter.errors import HailuoError, OptionError, SettingsError
from hailuo_jupyter.kernel import magic_args
from hailuo_jupyter.kernel.commands import dispatch
from hailuo_jupyter.kernel.commands.registry import COMMANDS, GROUPS


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_done_by_its_home(name: str) -> None:
    home = import_module(f"hailuo_jupyter.kernel.commands.{COMMANDS[name].home}")
    assert callable(home.DO[name])
    assert set(home.OPTIONS) <= set(COMMANDS)
    for each in home.OPTIONS.get(name, ()):
        assert each.help
        assert magic_args.parse_line(
            [f"--{each.name}=1"]
            if each.takes is not magic_args.Takes.NOTHING
            else [f"--{each.name}"],
            [each],
        ).values


@pytest.mark.parametrize("name", COMMANDS)
def test_no_home_does_what_is_not_listed(name: str) -> None:
    home = import_module(f"hailuo_jupyter.kernel.commands.{COMMANDS[name].home}")
    listed = {each for each, command in COMMANDS.items() if command.home == COMMANDS[name].home}
    assert set(home.DO) == listed


@pytest.mark.parametrize(
    "name",
    [name for name, command in COMMANDS.items() if command.least or command.most is not None],
)
def test_too_few_and_too_many_words_are_told_how_it_is_written(name: str) -> None:
    command = COMMANDS[name]
    wrong = [command.least - 1] if command.least else []
    wrong += [command.most + 1] if command.most is not None else []
    for count in wrong:
        with pytest.raises(OptionError, match=f"%hailuo {name}"):
            dispatch.run(" ".join([name, *["word"] * count]), None)


def test_a_usage_that_ends_in_dots_gets_no_other() -> None:
    with pytest.raises(OptionError) as caught:
        dispatch.run("tag", None)
    assert caught.value.what == "Usage: %hailuo tag RUN TAG..."


@pytest.mark.parametrize("ask", ["--help", "-h"])
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, ask: str, capsys: pytest.CaptureFixture[str]) -> None:
    dispatch.run(f"{name} {ask}", None)
    usage, about, *options = capsys.readouterr().out.rstrip().splitlines()
    command = COMMANDS[name]
    assert usage.startswith(f"%hailuo {name} {command.words}".rstrip())
    assert about == command.help
    assert options[:2] == ["", "Options:"]
    for option in dispatch.options_of(name):
        assert any(line.startswith(f"  --{option.name}") for line in options)
        assert all(choice in " ".join(options) for choice in option.choices)
    assert max(map(len, options)) <= 76
    assert "--help" in options[-1]
    assert ("[options]" in usage) == (len(options) > 3)


def test_help_comes_before_what_is_wrong_with_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    dispatch.run("tag --help --nosuch", None)
    assert "%hailuo tag RUN TAG... [options]" in capsys.readouterr().out


def test_the_list_shows_status_first_and_every_command_in_its_group(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dispatch, "active_runs", lambda: ["1 active run.", "  a run"])
    for line in ("", "--help", "-h", "help"):
        dispatch.run(line, None)
        text = capsys.readouterr().out
        assert text.startswith("1 active run.\n  a run\n\n%%hailuo")
        groups = [part.splitlines() for part in text.split("\n\n")[2:]]
        assert [head for head, *_ in groups] == list(GROUPS)
        for head, *lines in groups:
            commands = [each.split()[1] for each in lines if each.startswith("  %hailuo ")]
            assert commands == list(GROUPS[head])
        # So that it fits a window of 800 pixels.
        assert max(map(len, text.splitlines())) <= 76


def test_the_demo_needs_no_key(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("getpass.getpass", lambda _: pytest.fail("it asked for one"))
    dispatch.run("key Demo", None)
    assert capsys.readouterr().out == "The demo needs no key. Use --provider demo.\n"


@pytest.mark.parametrize(
    "line",
    [
        "key {}",
        "key segmind {}",
        "key {} segmind",
        "key --keyring {}",
        "key segmind={}",
        "key '{}'",
        "key {} and more",
    ],
)
@pytest.mark.parametrize("secret", ["SG_0a1b2c3d4e5f6071", "9f8e7d6c5b4a39281706f5e4d3c2b1a0"])
def test_a_key_on_the_line_is_not_said_again(line: str, secret: str) -> None:
    known = set(redact._secrets)
    try:
        with pytest.raises(OptionError) as caught:
            dispatch.run(line.format(secret), None)
        assert secret not in redact.text(f"and later: {secret}"), "nor by anything later"
    finally:
        redact._secrets.intersection_update(known)
    said = "".join([str(caught.value), *caught.value._render_traceback_()])
    assert secret not in said
    assert secret[:8] not in said
    for part in (
        "in this cell and in IPython's history",
        "ipython history clear",
        "replace the key",
    ):
        assert part in said


@pytest.mark.parametrize(
    "line",
    [
        "{0}",
        "--{0}",
        "key --{0}",
        "key --key={0}",
        "wait --timeout {0}",
        "runs --limit {0}",
        "panel {0}",
    ],
)
def test_no_command_says_a_key_again_that_was_mistyped(line: str) -> None:
    with pytest.raises(HailuoError) as caught:
        dispatch.run(line.format("SG_0a1b2c3d4e5f6071"), None)
    assert "0a1b2c3d" not in "".join([str(caught.value), *caught.value._render_traceback_()])


@pytest.mark.parametrize("name", ["segmnd", "AIMLAP", "aiml-api"])
def test_a_mistyped_provider_is_named_with_the_closest_one(name: str) -> None:
    with pytest.raises(SettingsError, match=f"no provider {name}.*Did you mean (segmind|aimlapi)"):
        dispatch.run(f"key {name}", None)


def test_a_wrong_providers_name_is_not_taken_for_a_key() -> None:
    with pytest.raises(SettingsError, match=r"no provider nosuch.*Choose one of segmind"):
        dispatch.run("key nosuch", None)


def test_the_list_itself_imports_no_command() -> None:
    code = (
        "import sys, hailuo_jupyter.kernel.commands.registry as listing\n"
        "print([name for name in sys.modules if name.startswith('hailuo_jupyter.kernel.commands.')])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "['hailuo_jupyter.kernel.commands.registry']"
