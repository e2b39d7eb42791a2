"""The order of the files: browsers beside lighter work, and never last; no engine outlives its test."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says more of a busy machine than of the code; benchmarks measure time.
settings.register_profile("patient", parent=settings(), deadline=None)
# Ten times as many, for who has the time: --hypothesis-profile long.
settings.register_profile("long", parent=settings(), deadline=None, max_examples=1000)
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def an_engine_ends_with_its_test() -> Iterator[None]:
    """Stop this process's engine, so that the next test gets one with a run log of its own."""
    yield
    # Where no test has used it, it is not loaded either: some tests hold what is imported when.
    if process := sys.modules.get("hailuo_jupyter.engine.process"):
        process.shut_down()


#: Files of these folders take long: they are spread over the first part of the run, so that browsers
#: do not crowd each other, and no worker is left alone with one at the end.
_LONG = {"browser": 0.75, "kill": 0.6, "notebook": 0.85}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mix the folders' files evenly; within each the order stays random, as it was shuffled."""
    folders = defaultdict[str, dict[Path, None]](dict)
    for item in items:
        folders[item.path.parent.name][item.path] = None
    places = {
        path: (at + 0.5) / len(files) * _LONG.get(name, 1.0)
        for name, files in folders.items()
        for at, path in enumerate(files)
    }
    items.sort(key=lambda item: places[item.path])
