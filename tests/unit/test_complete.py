"""Tab completion, asked as a front end asks: through IPython's own completer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import hailuo_jupyter
from hailuo_jupyter.kernel.complete import make_matcher
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


def complete(ip: Any, text: str) -> list[str]:
    """Give each completion as the whole text that the line would have after it."""
    with provisionalcompleter():
        found = list(ip.Completer.completions(text, len(text)))
    return [text[: each.start] + each.text + text[each.end :] for each in found]


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("%%hailuo --pro", ["%%hailuo --provider"]),
        ("%%hailuo --last", ["%%hailuo --last-frame"]),
        ("%%hailuo --provider s", ["%%hailuo --provider segmind"]),
        ("%%hailuo --provider=ai", ["%%hailuo --provider=aimlapi"]),
        ("%%hailuo --resolution ", ["%%hailuo --resolution 768P", "%%hailuo --resolution 1080P"]),
        ("%%hailuo --mode pro --wa", ["%%hailuo --mode pro --wait"]),
        ("%hailuo ca", ["%hailuo cancel"]),
        ("%hailuo key a", ["%hailuo key aimlapi"]),
        ("%hailuo rerun canyon --no-o", ["%hailuo rerun canyon --no-optimizer"]),
        ("%hailuo rerun canyon --mode p", ["%hailuo rerun canyon --mode pro"]),
        ("%hailuo tag canyon keep --", ["%hailuo tag canyon keep --remove"]),
    ],
)
def test_options_choices_and_commands(ip: Any, text: str, becomes: list[str]) -> None:
    assert complete(ip, text) == becomes


def test_an_option_that_is_written_is_not_offered_again(ip: Any) -> None:
    offered = complete(ip, "%%hailuo --mode pro --tag x --")
    assert "%%hailuo --mode pro --tag x --mode" not in offered
    assert "%%hailuo --mode pro --tag x --tag" in offered


def test_a_run_is_offered_as_the_source_of_a_frame(
    ip: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (matcher,) = [each for each in ip.Completer.custom_matchers if each.__name__ == "hailuo"]
    ip.Completer.custom_matchers.remove(matcher)
    found = make_matcher(lambda: ["20261121-104233-7fx15f", "20261121-104239-586jke"])
    monkeypatch.setattr(ip.Completer, "custom_matchers", [*ip.Completer.custom_matchers, found])
    source = "%%hailuo --image run:20261121-104233"
    assert complete(ip, source) == [f"{source}-7fx15f@last"]
    assert len(complete(ip, "%%hailuo --last-frame=run:")) == 2
    at = f"{source}-7fx15f@"
    assert complete(ip, at) == [f"{at}last", f"{at}first"]
    assert complete(ip, "%hailuo compare 20261121-104233-7fx15f 20261121-104239") == [
        "%hailuo compare 20261121-104233-7fx15f 20261121-104239-586jke"
    ]
    ip.Completer.custom_matchers.append(matcher)


def test_files_are_left_to_ipython(ip: Any) -> None:
    assert any("first.png" in text for text in complete(ip, "%%hailuo --image fir"))


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
