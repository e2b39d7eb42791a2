"""The list of commands and the modules that do them: they have to agree, and nothing loads early."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

from hailuo_jupyter.errors import OptionError
from hailuo_jupyter.kernel import options
from hailuo_jupyter.kernel.commands import dispatch
from hailuo_jupyter.kernel.commands.listing import COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_done_by_its_home(name: str) -> None:
    home = import_module(f"hailuo_jupyter.kernel.commands.{COMMANDS[name].home}")
    assert callable(home.DO[name])
    assert set(home.OPTIONS) <= set(COMMANDS)
    for each in home.OPTIONS.get(name, ()):
        assert each.help
        assert options.read(
            [f"--{each.name}=1"] if each.takes is not options.Takes.NOTHING else [f"--{each.name}"],
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


def test_the_list_itself_imports_no_command() -> None:
    code = (
        "import sys, hailuo_jupyter.kernel.commands.listing as listing\n"
        "print([name for name in sys.modules if name.startswith('hailuo_jupyter.kernel.commands.')])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "['hailuo_jupyter.kernel.commands.listing']"
