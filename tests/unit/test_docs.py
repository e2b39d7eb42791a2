"""The documents: links lead somewhere, commands and code are valid, and what is generated is complete."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import pytest

from hailuo_jupyter import cli, errors
from hailuo_jupyter.catalogue import table
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.kernel.cell_source import options_from, parse_cell
from hailuo_jupyter.kernel.commands.registry import COMMANDS, options_of
from hailuo_jupyter.kernel.magic_args import parse_line, split
from hailuo_jupyter.states import State

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))

_CODE = re.compile(r"^```.*?^```|^ {4}.*?$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@cache
def generator() -> ModuleType:
    """Return `docs/generated.py`, which fills in what pages take from the package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docs"))
        import generated

        return generated


@cache
def text_of(page: Path) -> str:
    """Return a page's text as the site has it; of a notebook, its prose and its cells as code."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".ipynb":
        cells = [(each["cell_type"], "".join(each["source"])) for each in json.loads(text)["cells"]]
        return "\n\n".join(
            source if kind == "markdown" else f"```\n{source}\n```" for kind, source in cells
        )
    filled: str = generator().filled(text)
    return filled


def links(page: Path) -> list[str]:
    return [link for link in _LINK.findall(_CODE.sub("", text_of(page))) if "://" not in link]


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_is_in_the_navigation() -> None:
    for folder in ("tutorials", "how-to", "reference", "explanation"):
        index = (ROOT / "docs" / folder / "index.md").read_text(encoding="utf-8")
        trees = re.findall(r"^```\{toctree\}\n(.*?)^```", index, re.MULTILINE | re.DOTALL)
        listed = {line for tree in trees for line in tree.split() if not line.startswith(":")}
        pages = {page.stem for page in (ROOT / "docs" / folder).glob("*.md")} - {"index"}
        assert pages <= listed, folder


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_the_tables_are_those_of_the_catalogue() -> None:
    for page in (ROOT / name for name in table.PAGES):
        text = page.read_text(encoding="utf-8")
        assert "from the catalogue" in text
        assert table.with_tables(text) == text, "python -m hailuo_jupyter.catalogue.table"


def test_a_page_loads_quickly() -> None:
    sizes = {path.name: path.stat().st_size for path in (ROOT / "docs" / "images").iterdir()}
    assert {name: size for name, size in sizes.items() if size > 150_000} == {}


def test_every_path_in_the_architecture_exists() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    paths = set(re.findall(r"`((?:[a-zA-Z_]+/)+(?:[\w.]+)?|\w+\.py)`", text))
    assert "engine/run_task.py" in paths
    bases = {True: ROOT, False: ROOT / "hailuo_jupyter"}
    assert {
        path
        for path in paths - {"hailuo_jupyter/"}
        if not (bases[path.startswith(("frontend/", "tests/"))] / path).exists()
    } == set()


def test_every_call_in_the_architecture_exists() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    calls = re.findall(r"`([\w/]+\.py)` ((?:`[\w.]+`(?:, )?)+)", text)
    assert calls
    for path, names in calls:
        source = (ROOT / "hailuo_jupyter" / path).read_text(encoding="utf-8")
        for name in re.findall(r"`([\w.]+)`", names):
            *_, last = name.split(".")
            assert re.search(rf"\b(?:def|class) {last}\b", source), f"{path}: {name}"


# Code and commands


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Yield a page's code blocks, indented or fenced, as their language and text."""
    text = text_of(page)
    for language, code in re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield language, code
    unfenced = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for code in re.findall(r"(?:^(?: {4}.*)?\n)*^ {4}.+$", unfenced, re.MULTILINE):
        # Inside a list the block is indented further.
        lines = [line.strip() for line in code.splitlines()]
        yield "", "\n".join(lines).strip()


def lines_of_commands(page: Path) -> Iterator[str]:
    """Yield the lines of code blocks, and of code within sentences, that are commands."""
    for _, code in blocks(page):
        yield from code.splitlines()
    prose = re.sub(r"^```.*?^```", "", text_of(page), flags=re.MULTILINE | re.DOTALL)
    yield from (" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose))


#: A placeholder of a usage line, which is no command that could be typed.
_USAGE = re.compile(r"\\n|\[|\.\.\.|…|<|\|(?=[a-zA-Z])")


def commands(beginning: str) -> list[tuple[str, str]]:
    found = []
    for page in [*PAGES, *NOTEBOOKS]:
        for line in lines_of_commands(page):
            _, begins, rest = line.partition(beginning)
            if begins and not _USAGE.search(rest):
                found.append((str(page.relative_to(ROOT)), rest.strip()))
    assert len(found) > 20
    return found


def test_each_python_block_compiles() -> None:
    count = 0
    for page in PAGES:
        for language, code in blocks(page):
            if language == "python":
                compile(code, str(page), "exec")
                count += 1
    assert count


def test_each_terminal_command_parses() -> None:
    for page, written in commands("jupyter hailuo "):
        command = re.split(r"\s#|\s&&|'$|`", written)[0].strip(" .!")
        words = shlex.split(command.rstrip("'"))
        if words[0] in {"simulator", "COMMAND"}:
            continue
        with contextlib.redirect_stderr(io.StringIO()) as said:
            try:
                known, more = cli.parser().parse_known_args(words)
            except SystemExit as ended:
                # A name of a command in a sentence, without its arguments.
                bare = len(words) == 1 and "required" in said.getvalue()
                assert ended.code == 0 or bare, f"{page}: {command}: {said.getvalue()}"
                continue
        assert known.command, f"{page}: {command}"
        assert not more or getattr(known, "lab", False), f"{page}: {command}"


def test_each_line_magic_parses() -> None:
    for page, written in commands("%hailuo "):
        if f"%%hailuo {written}" in text_of(ROOT / page):
            continue
        name, *rest = split(re.split(r"\s#|`", written)[0].strip("'\". "))
        if name in {"COMMAND", "--help"}:
            continue
        assert name in COMMANDS, f"{page}: %hailuo {written}"
        try:
            parse_line(rest, options_of(name))
        except HailuoError as error:
            pytest.fail(f"{page}: %hailuo {written}: {error}")


def test_each_cell_parses() -> None:
    for page, written in commands("%%hailuo "):
        try:
            parsed, _ = parse_cell(written, "A heron.")
            if "{" not in written:
                options_from(parsed, (), {})
        except HailuoError as error:
            pytest.fail(f"{page}: %%hailuo {written}: {error}")


@pytest.mark.parametrize("page", [*PAGES, *NOTEBOOKS], ids=lambda page: page.name)
def test_each_external_link_is_well_formed(page: Path) -> None:
    for link in re.findall(r"https?://[^\s)>\"'`|\]]+", text_of(page)):
        parts = urlsplit(link)
        assert parts.hostname, link
        assert re.fullmatch(r"[\w.-]+", parts.hostname), link


# What is generated


def test_every_error_has_its_causes_and_a_way_out() -> None:
    page = text_of(ROOT / "docs" / "reference" / "errors.md")
    found = generator().all_errors()
    assert len(found) > 30
    assert {cls.__name__ for cls in found} - {"HailuoError"} == set(generator().ADVICE)
    for cls in found:
        assert f"\n## {cls.__name__}\n" in page
        if cls is not errors.HailuoError:
            part = page.partition(f"\n## {cls.__name__}\n")[2].partition("\n## ")[0]
            assert "**Causes:** " in part, cls
            assert "**What to do:** " in part, cls


def test_the_states_and_their_diagram_are_complete() -> None:
    page = text_of(ROOT / "docs" / "reference" / "states.md")
    for state in State:
        assert f"`{state.value}`" in page
        assert f">{state.value}</text>" in page


def test_every_option_command_and_setting_is_in_the_reference() -> None:
    reference = ROOT / "docs" / "reference"
    assert all(f"### `%hailuo {name}`" in text_of(reference / "commands.md") for name in COMMANDS)
    for part in generator().PARTS.values():
        assert part().strip()
