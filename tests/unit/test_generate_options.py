"""The options that `generate`, `rerun` and `sweep` share: as Python shows them, and how one is added."""

from __future__ import annotations

import inspect
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from hailuo_jupyter.errors import FrameError, OptionError
from hailuo_jupyter.kernel.generate import generate
from hailuo_jupyter.kernel.generate_options import DEFAULTS, GenerateOptions
from hailuo_jupyter.kernel.rerun import UNCHANGED, rerun
from hailuo_jupyter.kernel.sweep import sweep

ALL: list[Callable[..., Any]] = [generate, rerun, sweep]


def test_the_signature_shows_each_option_with_its_type_and_default() -> None:
    assert str(inspect.signature(generate)) == (
        "(prompt: str, provider: str | None = None, *, model: str | None = None, "
        "mode: str | None = None, "
        "resolution: str | None = None, duration: int | str | None = None, ratio: str | None = None, "
        "image: Any = None, "
        "last_image: Any = None, prompt_optimizer: bool | None = True, count: int = 1, "
        "new: bool = False, yes: bool = False, wait: bool = False, "
        "output: str | pathlib.Path | None = None, tags: collections.abc.Sequence[str] = (), "
        "note: str | None = None, name: str | None = None) "
        "-> hailuo_jupyter.engine.run.Run | list[hailuo_jupyter.engine.run.Run]"
    )
    again = inspect.signature(rerun).parameters
    assert again["image"].default is again["last_image"].default is UNCHANGED
    assert again["prompt_optimizer"].default is None
    assert list(inspect.signature(sweep).parameters)[:3] == ["prompt", "axes", "rows"]


@pytest.mark.parametrize("function", ALL)
def test_every_option_is_a_parameter_and_no_other_name_is(function: Callable[..., Any]) -> None:
    parameters = inspect.signature(function).parameters
    assert set(DEFAULTS) <= set(parameters)
    assert all(each.kind is not inspect.Parameter.VAR_KEYWORD for each in parameters.values())
    name = function.__name__
    with pytest.raises(TypeError, match=rf"^{name}\(\) got an unexpected keyword argument 'moed'$"):
        function("a heron", moed="pro")


def test_generate_explains_every_option() -> None:
    doc = inspect.getdoc(generate) or ""
    heads = [line for line in doc.splitlines() if line and not line.startswith(" ")]
    named = {name.strip() for line in heads for name in line.split(",")}
    assert set(DEFAULTS) <= named


def test_tab_offers_the_options() -> None:
    shell = InteractiveShell()
    shell.user_ns["generate"], text = generate, "generate('a heron', last"
    with provisionalcompleter():
        offered = {each.text for each in shell.Completer.completions(text, len(text))}
    assert "last_image=" in offered


def test_positions_are_as_ever() -> None:
    with pytest.raises(OptionError, match="Segmind has no --resolution"):
        generate("a heron", "segmind", resolution="768P")
    with pytest.raises(TypeError, match="positional argument"):
        generate("a heron", "segmind", "pro")  # type: ignore[misc]
    with pytest.raises(OptionError, match="neither True nor False"):
        generate("a heron", "segmind", prompt_optimizer=None)
    with pytest.raises(FrameError, match="There is no last frame"):
        generate("a heron", "segmind", last_image="a.png")


def test_the_types_are_declared_once() -> None:
    assert GenerateOptions.__required_keys__ == frozenset()
    assert GenerateOptions.__optional_keys__ == set(DEFAULTS)


#: All that a new option of a provider needs: what the provider has, the option's line and its keyword.
NEW_OPTION = """
from hailuo_jupyter import catalogue
from hailuo_jupyter.catalogue.types import Choice
from hailuo_jupyter.kernel import cell_source, generate_options
from hailuo_jupyter.kernel.magic_args import Option, Takes
from dataclasses import replace

grain = Choice("grain", ("none", "coarse"), "none", "how much grain the clip has")
offered = tuple(replace(each, choices=(*each.choices, grain)) for each in catalogue.offers())
catalogue.offers = lambda: offered
cell_source.CELL_OPTIONS += (
    Option("grain", Takes.VALUE, "grain", choices=("none", "coarse"), key="grain", varies=True),
)
generate_options.DEFAULTS["grain"] = None
"""

FOLLOWS = """
import inspect, sys
from pathlib import Path
from hailuo_jupyter.engine import process
from hailuo_jupyter.errors import OptionError
from hailuo_jupyter.kernel import generate, rerun
from hailuo_jupyter.kernel.cell_source import CELL_OPTIONS, options_from, parse_cell, write_cell
from hailuo_jupyter.kernel.commands.annotate import RERUN_OPTIONS
from hailuo_jupyter.kernel.panel import form_state
from hailuo_jupyter.kernel.panel.inputs import Fields
from hailuo_jupyter.kernel.sweep import grid
from hailuo_jupyter.record import Record
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.settings import Hailuo

folder = Path(sys.argv[1])
settings = Hailuo.instance(run_log=str(folder / "runs.sqlite"))

# From the option line to the request, the record and back to a cell.
line, prompt = parse_cell("--provider segmind --grain coarse", "a heron")
options = options_from(line, CELL_OPTIONS, {})
submission, _ = generate.submission_from(prompt, options)
assert submission.request.options["grain"] == "coarse"
assert submission.request.fingerprint != generate.submission_from(
    prompt, {"provider": "segmind"}
)[0].request.fingerprint
record = Record.from_json(submission.record().to_json())
assert record.request.options["grain"] == "coarse"
assert write_cell(prompt, options) == "%%hailuo --provider segmind --grain coarse\\na heron"

# From Python.
for function in (generate.generate, rerun.rerun):
    assert inspect.signature(function).parameters["grain"].default is None
try:
    generate.generate("a heron", "segmind", grain="fine")
except OptionError as error:
    assert "Choose one of none, coarse" in str(error), error
else:
    raise AssertionError("the value was not checked")

# The form of a run, its widgets and its cell.
filled = form_state.of_run(record, folder, folder)
assert filled.options["grain"] == "coarse"
provider = submission.provider
nothing = lambda *_: None
widgets = Fields(filled, provider, nothing, nothing, lambda work: work(), key_entered=nothing)
assert widgets.options["grain"].value == widgets.form().options["grain"] == "coarse"
assert "--grain coarse" in form_state.cell_text(widgets.form(), provider, {})
assert form_state.request_options(widgets.form(), provider, {})["grain"] == "coarse"

# A rerun keeps it or changes it.
with RunLog(folder / "runs.sqlite") as log:
    log.insert(record, folder=folder, kind=submission.request.kind, owner=None)
run = process.get_engine().run(record.run_id)
assert rerun.plan(run, None, {}).submission.request.options["grain"] == "coarse"
changed = rerun.plan(run, None, {"grain": "none"})
assert changed.submission.request.options["grain"] == "none"
assert rerun.changes(changed.submission.request, record) == "grain none"
assert "grain" in {option.name for option in RERUN_OPTIONS}

# A sweep varies it.
made = grid.spanned([("grain", ["none", "coarse"])])
grid.check(made, "a heron", grid.shared({"provider": "segmind"}))
asked = [grid.request_at(point, {}, "a heron", {})[1]["grain"] for point in made.points]
assert asked == ["none", "coarse"]
print("reached all")
"""


def test_a_new_option_of_a_provider_reaches_all_without_other_code(tmp_path: Path) -> None:
    script = textwrap.dedent(NEW_OPTION + FOLLOWS)
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd=tmp_path,
    )
    assert done.stdout.strip() == "reached all", done.stderr
