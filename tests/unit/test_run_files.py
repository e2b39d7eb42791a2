"""The names of a run's files."""

from __future__ import annotations

import json

import pytest

from hailuo_jupyter import catalogue
from hailuo_jupyter.record import Record, prepare
from hailuo_jupyter.record.paths import is_stem, named_stem
from hailuo_jupyter.request import build

RUN_ID = "20261120-140312-8x5ppr"


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("fox", "fox-8x5ppr"),
        ("Red_Fox", "red-fox-8x5ppr"),
        ("fôrêt", "foret-8x5ppr"),
        ("../../etc", "etc-8x5ppr"),
        ("a" * 39 + "_b", "a" * 39 + "-8x5ppr"),
        ("狐", None),
        ("", None),
        (None, None),
    ],
)
def test_a_stem_has_the_name_and_the_end_of_the_id(name: str | None, stem: str | None) -> None:
    assert named_stem(name, RUN_ID) == stem
    assert stem is None or is_stem(stem, RUN_ID)


@pytest.mark.parametrize(
    "stem",
    ["fox", "fox-8x5ppq", "Fox-8x5ppr", "../fox-8x5ppr", "-8x5ppr", "a" * 41 + "-8x5ppr", ""],
)
def test_a_record_cannot_name_other_files(stem: str) -> None:
    assert not is_stem(stem, RUN_ID)
    document = {**json.loads(_record(None).to_json()), "stem": stem}
    if stem:
        with pytest.raises(ValueError, match="is not a name of this run's files"):
            Record.from_json(json.dumps(document))


def test_a_record_without_a_stem_is_written_as_before() -> None:
    assert "stem" not in json.loads(_record(None).to_json())
    named = _record("fox-8x5ppr")
    assert Record.from_json(named.to_json()) == named
    assert (named.file_stem, _record(None).file_stem) == ("fox-8x5ppr", RUN_ID)
    with pytest.raises(ValueError, match="cannot be changed"):
        named.changed(stem=None)


def _record(stem: str | None) -> Record:
    provider = catalogue.provider("segmind")
    request = build("A fox.", provider, options={})
    return prepare(request, provider, run_id=RUN_ID, stem=stem, name=stem and "fox")
