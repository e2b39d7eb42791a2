"""The field for a missing key."""

from __future__ import annotations

import traceback

import pytest

from hailuo_jupyter import catalogue, keys
from hailuo_jupyter.kernel.panel.key_entry import KeyEntry, KeyField


def test_a_traceback_of_what_follows_does_not_show_the_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keys, "_memory", {})

    def fails() -> None:
        raise RuntimeError

    entry = KeyEntry(fails)
    entry.ask(catalogue.provider("segmind"), None)
    field = next(each for each in entry.box.children[1].children if isinstance(each, KeyField))
    with pytest.raises(RuntimeError) as raised:
        field.value = "SG_0123456789abcdef"
    frames = [frame for frame, _ in traceback.walk_tb(raised.value.__traceback__)]
    [ours] = [frame for frame in frames if frame.f_code.co_name == "_received"]
    assert "SG_0123456789abcdef" not in repr(ours.f_locals)
