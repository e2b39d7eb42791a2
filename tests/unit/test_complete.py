"""Tab completion, asked as a front end asks: through IPython's own completer."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from PIL import Image
from traitlets.config import Config

import hailuo_jupyter
from hailuo_jupyter import catalogue, request
from hailuo_jupyter.engine import process
from hailuo_jupyter.kernel import context, path_candidates
from hailuo_jupyter.kernel.completer import Sources, make_matcher
from hailuo_jupyter.kernel.magic_args import split
from hailuo_jupyter.kernel.sweep import Sweep
from hailuo_jupyter.kernel.sweep.store import _FORMAT
from hailuo_jupyter.record import prepare
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.runlog.queries import SweepRow
from hailuo_jupyter.settings import Hailuo


@pytest.fixture(scope="module")
def shell() -> Iterator[Any]:
    # Without the history file of whoever runs the tests, which others may be writing just now.
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    # Jedi takes seconds to load, and guesses at nothing that is asked here.
    shell.Completer.use_jedi = False
    yield shell
    InteractiveShell.clear_instance()  # what runs next is in no notebook


@pytest.fixture
def ip(shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("HAILUO_RUN_LOG", str(tmp_path / "runs.sqlite3"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "first.png").touch()
    Hailuo.clear_instance()  # what an earlier test has set, or a log that it has named
    hailuo_jupyter.load_ipython_extension(shell)
    yield shell
    hailuo_jupyter.unload_ipython_extension(shell)
    Hailuo.clear_instance()


def plain(about: str) -> str:
    """Return a description with spaces and hyphens at which lines may break."""
    assert not set(about) & {" ", "-"}, "JupyterLab breaks the line there"
    return about.replace("\u00a0", " ").replace("\u2011", "-")


def described(ip: Any, text: str, after: str = "") -> dict[str, str]:
    """Return each completion as the whole text that there would be after it, with its description."""
    with provisionalcompleter():
        found = list(ip.Completer.completions(text + after, len(text)))
    return {text[: each.start] + each.text + text[each.end :]: plain(each.type) for each in found}


def complete(ip: Any, text: str) -> list[str]:
    return [*described(ip, text)]


@pytest.fixture
def known(ip: Any) -> Iterator[None]:
    """Complete with two runs, one sweep and one picture."""
    runs = [("20261121-104233-7fx15f", "canyon · A canyon"), ("20261121-104239-586jke", "A heron")]
    matcher = make_matcher(
        Sources(
            runs=lambda: runs,
            sweeps=lambda: [("sweep-7fx15f", "8 runs · mode, style")],
            pictures=lambda: [("{picture}", "picture in memory")],
        )
    )
    usual = ip.Completer.custom_matchers
    others = [each for each in usual if each.__name__ != "hailuo"]
    ip.Completer.custom_matchers = [*others, matcher]
    yield
    ip.Completer.custom_matchers = usual


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("%%hailuo --pro", ["%%hailuo --provider"]),
        ("%%hailuo --last", ["%%hailuo --last-frame"]),
        ("%%hailuo --provider s", ["%%hailuo --provider segmind"]),
        ("%%hailuo --provider=ai", ["%%hailuo --provider=aimlapi"]),
        (
            "%%hailuo --resolution ",
            [f"%%hailuo --resolution {each}" for each in ("768P", "1080P", "512P")],
        ),
        ("%%hailuo --mode pro --wa", ["%%hailuo --mode pro --wait"]),
        ("%%hailuo --mode pro \\\n  --wa", ["%%hailuo --mode pro \\\n  --wait"]),
        ("%%hailuo --provider \\\nai", ["%%hailuo --provider \\\naimlapi"]),
        ("%hailuo ca", ["%hailuo cancel"]),
        ("%hailuo key a", ["%hailuo key aimlapi"]),
        ("%hailuo rerun canyon --no-o", ["%hailuo rerun canyon --no-optimizer"]),
        ("%hailuo rerun canyon --mode p", ["%hailuo rerun canyon --mode pro"]),
        ("%hailuo tag canyon keep --r", ["%hailuo tag canyon keep --remove"]),
        (
            "%hailuo key segmind --use ",
            ["%hailuo key segmind --use .env", "%hailuo key segmind --use keyring"],
        ),
    ],
)
def test_options_choices_and_commands(ip: Any, text: str, becomes: list[str]) -> None:
    assert complete(ip, text) == becomes


def test_an_option_that_is_written_is_not_offered_again(ip: Any) -> None:
    offered = complete(ip, "%%hailuo --mode pro --tag x --")
    assert "%%hailuo --mode pro --tag x --mode" not in offered
    assert "%%hailuo --mode pro --tag x --tag" in offered


@pytest.mark.usefixtures("known")
def test_a_run_is_offered_as_the_source_of_a_frame(ip: Any) -> None:
    source = "%%hailuo --image run:20261121-104233"
    assert complete(ip, source) == [f"{source}-7fx15f@last"]
    assert len(complete(ip, "%%hailuo --last-frame=run:")) == 2
    at = f"{source}-7fx15f@"
    assert complete(ip, at) == [f"{at}last", f"{at}first"]
    assert complete(ip, "%hailuo compare 20261121-104233-7fx15f 20261121-104239") == [
        "%hailuo compare 20261121-104233-7fx15f 20261121-104239-586jke"
    ]


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("command", ["show", "wait", "cancel", "rate", "tag", "note", "rerun"])
def test_runs_are_offered_with_name_and_prompt(ip: Any, command: str) -> None:
    assert described(ip, f"%hailuo {command} 2") == {
        f"%hailuo {command} 20261121-104233-7fx15f": "canyon · A canyon",
        f"%hailuo {command} 20261121-104239-586jke": "A heron",
    }


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("command", ["sweep", "stop", "resume"])
def test_sweeps_are_offered_with_their_axes(ip: Any, command: str) -> None:
    offered = described(ip, f"%hailuo {command} ")
    assert offered == {f"%hailuo {command} sweep-7fx15f": "8 runs · mode, style"}


def test_everything_has_a_description(ip: Any) -> None:
    for line in ("%hailuo ", "%%hailuo --", "%%hailuo --mode ", "%hailuo key ", "%hailuo runs --"):
        offered = described(ip, line)
        assert len(offered) > 1
        assert all(len(about) > 2 for about in offered.values()), offered
    assert described(ip, "%%hailuo --wai") == {"%%hailuo --wait": "wait until the clip is ready"}
    assert "%hailuo show run --help" in described(ip, "%hailuo show run --h")


@pytest.mark.usefixtures("known")
def test_images_and_folders_are_offered_after_image_and_nothing_else(ip: Any) -> None:
    for name in ("and.txt", "other.PNG", ".hidden.png", "photo.jpeg", "{odd}.png"):
        Path(name).touch()
    (Path("my pictures") / "deep").mkdir(parents=True)
    (Path("my pictures") / "it's.png").touch()
    assert described(ip, "%%hailuo --image ") == {
        "%%hailuo --image first.png": "PNG file",
        "%%hailuo --image other.PNG": "PNG file",
        "%%hailuo --image photo.jpeg": "JPEG file",
        "%%hailuo --image {{odd}}.png": "PNG file",
        '%%hailuo --image "my pictures/': "folder",
        "%%hailuo --image {picture}": "picture in memory",
        "%%hailuo --image run:": "frame of an earlier clip",
    }
    line = "%%hailuo --mode pro --last-frame="
    assert complete(ip, f"{line}my") == [f'{line}"my pictures/']
    assert complete(ip, f'{line}"my pictures/') == [
        f'{line}"my pictures/it\'s.png"',
        f'{line}"my pictures/deep/',
    ]
    assert complete(ip, f"{line}'my pictures/it") == [f"{line}'my pictures/it''s.png'"]
    assert complete(ip, f"{line}.h") == [f"{line}.hidden.png"]
    assert complete(ip, f"{line}nosuch/") == [f"{line}nosuch/"], "no names of IPython's"
    assert split(f"{line}'my pictures/it''s.png'")[-1] == "--last-frame=my pictures/it's.png"


def test_other_files_are_offered_where_they_belong(ip: Any) -> None:
    for name in ("rows.csv", "book.ipynb"):
        Path(name).touch()
    Path("clips").mkdir()
    assert complete(ip, "%%hailuo --grid r") == ["%%hailuo --grid rows.csv"]
    assert complete(ip, "%%hailuo --output ") == ["%%hailuo --output clips/"]
    assert set(complete(ip, "%hailuo runs --notebook ")) == {
        "%hailuo runs --notebook book.ipynb",
        "%hailuo runs --notebook clips/",
    }


def test_a_folder_with_thousands_of_files_is_cut_off(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"{number}.png").touch()
    assert len(path_candidates.below(f"{tmp_path}/", (".png",))) == 200


def test_camera_commands_are_offered_after_a_bracket(ip: Any) -> None:
    cell = "%%hailuo --mode pro\nA heron. "
    offered = described(ip, f"{cell}[")
    assert len(offered) == len(catalogue.camera().commands)
    assert offered[f"{cell}[Pan left]"] == "camera command"
    assert complete(ip, f"{cell}[pan l") == [f"{cell}[Pan left]"]
    assert complete(ip, f"{cell}[Pan left, Zoom i") == [f"{cell}[Pan left, Zoom in]"]
    assert [*described(ip, f"{cell}[Shak", "]")] == [f"{cell}[Shake"], (
        "the bracket is there already"
    )
    assert complete(ip, f"{cell}[Pan left] prin") == [f"{cell}[Pan left] prin"]


def test_only_the_line_of_our_magic_is_completed(ip: Any) -> None:
    assert "%hailuo runs\nprint" in complete(ip, "%hailuo runs\nprin")
    assert complete(ip, "x = 1\n%hailuo canc") == ["x = 1\n%hailuo cancel"]


def test_what_the_log_and_the_notebook_have_is_offered(ip: Any, tmp_path: Path) -> None:
    asked = request.build("A heron " * 20, catalogue.provider("segmind"), options={})
    record = prepare(asked, name="heron")
    with RunLog(tmp_path / "runs.sqlite3") as log:
        run = log.insert(record, folder=tmp_path, kind=asked.kind, owner=None).run_id
    assert described(ip, "%hailuo show ")[f"%hailuo show {run}"].startswith("heron · A heron A")
    ip.user_ns["shot"] = process.get_engine().run(run)
    ip.user_ns["small"] = Image.new("RGB", (8, 8))
    try:
        assert described(ip, "%hailuo show sho") == {"%hailuo show shot": f"variable · {run}"}
        assert complete(ip, "%%hailuo --image run:sh") == ["%%hailuo --image run:shot@last"]
        assert "%%hailuo --image {small}" in complete(ip, "%%hailuo --image ")
    finally:
        del ip.user_ns["shot"], ip.user_ns["small"]


def test_a_sweep_of_the_notebook_is_offered(ip: Any, tmp_path: Path) -> None:
    plan = {
        "format": _FORMAT,
        "axes": [{"name": "mode", "values": ["a", "b"]}, {"name": "style", "values": ["c"]}],
        "cells": [{"at": [0, 0]}, {"at": [1, 0]}],
        "count": 4,
    }
    here = context.notebook().id
    with RunLog(tmp_path / "runs.sqlite3") as log:
        log.keep_sweep(SweepRow("sweep-7fx15f", here, "d", 1.0, False, json.dumps(plan)))
        log.keep_sweep(SweepRow("sweep-586jke", here, "e", 2.0, True, json.dumps(plan)))
        log.keep_sweep(SweepRow("sweep-000000", here, "f", 0.0, False, "{}"))
    assert described(ip, "%hailuo stop ") == {
        "%hailuo stop sweep-586jke": "8 runs · mode, style · stopped",
        "%hailuo stop sweep-7fx15f": "8 runs · mode, style",
        "%hailuo stop sweep-000000": "cannot be read",
    }
    ip.user_ns["herons"] = held = Sweep.__new__(Sweep)
    held._plan = SimpleNamespace(sweep="sweep-7fx15f")  # type: ignore[assignment]
    try:
        assert described(ip, "%hailuo stop he") == {
            "%hailuo stop herons": "variable · sweep-7fx15f"
        }
    finally:
        del ip.user_ns["herons"]


def test_a_log_that_cannot_be_read_offers_nothing(ip: Any, tmp_path: Path) -> None:
    (tmp_path / "runs.sqlite3").write_text("no database")
    assert complete(ip, "%hailuo show 2") == ["%hailuo show 2"]
    assert complete(ip, "%hailuo stop s") == ["%hailuo stop s"]


def test_inside_the_prompt_only_variables_between_braces_are_offered(ip: Any) -> None:
    prose = "%%hailuo --mode pro\nA man prin"
    assert set(complete(ip, prose)) <= {prose}
    ip.user_ns["canyon_shot"] = 1
    assert complete(ip, prose + "ts {canyon_sh") == [prose + "ts {canyon_shot"]


def test_other_cells_are_left_alone(ip: Any) -> None:
    assert "print" in complete(ip, "prin")


def test_unloading_takes_everything_back(ip: Any) -> None:
    matchers = len(ip.Completer.custom_matchers)
    hailuo_jupyter.unload_ipython_extension(ip)
    assert len(ip.Completer.custom_matchers) == matchers - 1
    assert "hailuo" not in ip.magics_manager.magics["cell"]
    assert all(type(each).__name__ != "Hailuo" for each in ip.configurables)
    hailuo_jupyter.load_ipython_extension(ip)
    hailuo_jupyter.load_ipython_extension(ip)
    assert len(ip.Completer.custom_matchers) == matchers
