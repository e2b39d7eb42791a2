"""The order of the files: those that take long come first, so that no worker is left alone with one."""

from __future__ import annotations

import pytest

_SLOW_FIRST = ("browser", "kill", "notebook", "contract", "unit")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the folders; within each the order stays random, as it was shuffled."""
    items.sort(key=lambda item: _rank(item.path.parent.name))


def _rank(folder: str) -> int:
    return _SLOW_FIRST.index(folder) if folder in _SLOW_FIRST else len(_SLOW_FIRST)
