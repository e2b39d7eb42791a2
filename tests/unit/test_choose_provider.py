"""The provider of a request that names none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hailuo_jupyter import catalogue
from hailuo_jupyter.errors import KeyMissing
from hailuo_jupyter.kernel import generate
from hailuo_jupyter.settings import Hailuo

SEGMIND, AIMLAPI = catalogue.provider("segmind"), catalogue.provider("aimlapi")


@pytest.fixture(autouse=True)
def one_is_only_named(monkeypatch: pytest.MonkeyPatch) -> None:
    offered = (SEGMIND, replace(AIMLAPI, chosen_by_key=False))
    monkeypatch.setattr(catalogue, "providers", lambda: offered)
    for variable in (*SEGMIND.key_variables, *AIMLAPI.key_variables):
        monkeypatch.delenv(variable, raising=False)


def test_a_provider_that_has_to_be_named_is_not_chosen_by_its_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AIML_API_KEY", "aiml-0123456789abcdef")
    with pytest.raises(KeyMissing) as caught:
        generate.choose_provider(Hailuo(), None, tmp_path)
    assert "--provider aimlapi" in caught.value.todo
    assert "AI/ML API" in caught.value.what
    monkeypatch.setenv("SEGMIND_API_KEY", "SG_0123456789abcdef")
    chosen, remark = generate.choose_provider(Hailuo(), None, tmp_path)
    assert (chosen.name, remark) == ("segmind", "")


def test_it_is_not_suggested_where_no_key_is_found(tmp_path: Path) -> None:
    with pytest.raises(KeyMissing) as caught:
        generate.choose_provider(Hailuo(), None, tmp_path)
    assert "SEGMIND_API_KEY" in caught.value.todo
    assert "AIML" not in caught.value.todo
