"""The examples in the docstrings of the public names, run against a simulator."""

from __future__ import annotations

import doctest
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

import hailuo_jupyter
from tests.support.notebook_files import simulator, surroundings

NAMES = [name for name in dir(hailuo_jupyter) if not name.startswith("__")]


@pytest.fixture(scope="module", autouse=True)
def _demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Clips of one example serve the next: they are in one folder. They are large enough to give frames."""
    folder: Path = tmp_path_factory.mktemp("examples")
    with simulator(shrink=2) as sim, surroundings(folder, sim) as settings:
        settings.output_dir = str(folder / "hailuo")
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            yield


@pytest.mark.parametrize("name", NAMES)
def test_its_docstring_has_an_example_that_works(name: str) -> None:
    text = inspect.getdoc(getattr(hailuo_jupyter, name)) or ""
    example = doctest.DocTestParser().get_doctest(text, {}, name, None, 0)
    assert example.examples
    said: list[str] = []
    doctest.DocTestRunner(verbose=False).run(example, out=said.append)
    assert not said, "".join(said)
