"""The grid of a sweep: how it is written, what it spans, and its errors in words."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hailuo_jupyter.errors import OptionError, PromptError
from hailuo_jupyter.kernel.generate_options import GenerateOptions
from hailuo_jupyter.kernel.magic_args import quoted, split
from hailuo_jupyter.kernel.sweep import grid
from hailuo_jupyter.kernel.sweep.grid import (
    Axis,
    check,
    listed,
    request_at,
    shared,
    spanned,
    written,
)
from hailuo_jupyter.kernel.sweep.rows import rows_of

VALUES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1).filter(
    lambda text: text.strip() == text
)


@given(st.lists(VALUES, min_size=1, max_size=5))
def test_values_between_quotes_come_back_as_they_are(values: list[str]) -> None:
    word = "style=" + ",".join('"' + value.replace('"', '""') + '"' for value in values)
    for line in (f"--sweep {word} --wait", f"--sweep={word} --wait"):
        found = split(line)
        assert found[-1] == "--wait"
        last = found[-2]
        axis = last.without("--sweep=") if last.startswith("--sweep=") else last
        assert written(axis) == ("style", tuple(values))


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("mode=standard,pro", ("standard", "pro")),
        ('style="ink wash","35mm film"', ("ink wash", "35mm film")),
        ("style='ink, wet',plain", ("ink, wet", "plain")),
        ('style=plain,"ink ""wet"""', ("plain", 'ink "wet"')),
        ("image=C:\\a\\b.png,c.png", ("C:\\a\\b.png", "c.png")),
        ("style=a=b,c", ("a=b", "c")),
    ],
)
def test_how_an_axis_is_written(line: str, values: tuple[str, ...]) -> None:
    (word,) = split(line)
    assert written(word)[1] == values


@given(
    st.text(st.characters(exclude_categories=["Cs"])).filter(lambda t: t.splitlines() in ([], [t]))
)
def test_a_quoted_value_stays_one_word(value: str) -> None:
    assert [str(word) for word in split(f"--note {quoted(value)}")] == ["--note", value]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_a_grid_has_every_combination_once(sizes: list[int]) -> None:
    axes = [(f"v{i}", [f"{i}.{j}" for j in range(size)]) for i, size in enumerate(sizes)]
    found = spanned(axes)
    assert len(found.points) == math.prod(sizes)
    assert len({tuple(point.values.items()) for point in found.points}) == len(found.points)
    assert [point.position for point in found.points] == list(range(len(found.points)))
    assert [point.at for point in found.points] == sorted(point.at for point in found.points)
    for point in found.points:
        assert list(point.values.values()) == [
            axis.values[at] for axis, at in zip(found.axes, point.at, strict=True)
        ]


@pytest.mark.parametrize(
    ("axes", "says"),
    [
        ([], "varies nothing"),
        ([("mode", [])], "no values"),
        ([("mode", ["pro", " "])], "empty value"),
        ([("mode", ["pro", "pro"])], "twice"),
        ([("mode", ["pro"]), ("mode", ["standard"])], "given twice"),
        ([("a b", ["x"])], "isn't an option or a valid"),
        ([("optimizer", ["maybe"])], "on or off"),
        ([("x", [str(n) for n in range(grid.MOST_POINTS + 1)])], "the limit is"),
    ],
)
def test_what_is_wrong_with_axes(axes: list[tuple[str, list[str]]], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        spanned(axes)


@pytest.mark.parametrize("word", ["mode", "=a,b", ""])
def test_an_axis_needs_name_and_values(word: str) -> None:
    with pytest.raises(OptionError, match="isn't of the form"):
        written(word)


def test_names_are_checked_against_prompt_and_options() -> None:
    found = spanned([("style", ["a", "b"])])
    check(found, "A heron, {style}", ["mode"])
    with pytest.raises(OptionError, match=r"no \{style\}"):
        check(found, "A heron", [])
    with pytest.raises(OptionError, match="Did you mean mode"):
        check(spanned([("modes", ["a"])]), "A heron", [])
    with pytest.raises(OptionError, match="also given for all"):
        check(spanned([("mode", ["pro", "standard"])]), "A heron", ["mode"])


def test_no_seed_can_be_varied() -> None:
    for made in (spanned([("seed", [1, 2])]), listed([{"prompt": "A", "seed": 1}])):
        with pytest.raises(OptionError, match="no provider accepts a seed for these models"):
            check(made, "A heron", [])
    check(spanned([("seed", [1, 2])]), "A {seed} sprouts", [])


def test_a_point_has_its_own_prompt_and_options() -> None:
    found = spanned(
        [
            ("mode", ["pro"]),
            ("style", ["{wet} ink"]),
            ("optimizer", ["off"]),
            ("last_image", [b"png"]),
        ]
    )
    common: GenerateOptions = {
        "provider": "segmind",
        "duration": "6",
        "image": "first.png",
        "count": 2,
    }
    point = found.points[0]
    assert request_at(point, common, "{what}, {style}", {"what": "A heron", "style": "no"}) == (
        "A heron, {wet} ink",
        {**common, "mode": "pro", "last_image": b"png", "prompt_optimizer": False},
    )
    assert shared(common) == ["provider", "duration", "image"]
    assert shared({"prompt_optimizer": False}) == ["optimizer"]
    with pytest.raises(PromptError, match="what"):
        request_at(found.points[0], common, "{what}, {style}", {})


def test_rows_leave_out_what_is_empty() -> None:
    found = listed(
        [
            {"prompt": "A heron {as it is}", "mode": "pro", "note": None},
            {"prompt": "A mole", "mode": float("nan")},
        ]
    )
    assert [dict(point.values) for point in found.points] == [
        {"prompt": "A heron {as it is}", "mode": "pro"},
        {"prompt": "A mole"},
    ]
    made = [request_at(point, {}, "", {}) for point in found.points]
    assert [prompt for prompt, _ in made] == ["A heron {as it is}", "A mole"]
    assert found.axes[0].labels == ("prompt=A heron {as it is}, mode=pro", "prompt=A mole")
    for bad in ([], [{}], ["text"], [{"prompt": ""}]):
        with pytest.raises(OptionError):
            listed(bad)  # type: ignore[arg-type] -- what a person may give


def test_rows_come_from_tables_and_files(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    path = tmp_path / "grid.csv"
    path.write_text('\ufeffprompt,duration\n"A heron, wet",6\nA mole,\n', encoding="utf-8")
    expected = [{"prompt": "A heron, wet", "duration": "6"}, {"prompt": "A mole"}]
    for source in ("grid.csv", path, pd.read_csv(path), pd.read_csv(path).to_dict("records")):
        found = listed(rows_of(source, tmp_path))
        made = [request_at(point, {}, " ", {}) for point in found.points]
        assert [prompt for prompt, _ in made] == [each["prompt"] for each in expected]
        assert [options.get("duration") for _, options in made] == ["6", None]


@pytest.mark.parametrize("source", ["missing.csv", "bad.csv", "wide.csv", 7, b"a"])
def test_what_is_no_table_says_so(tmp_path: Path, source: Any) -> None:
    (tmp_path / "bad.csv").write_bytes(b"prompt\n\xff\xfe")
    (tmp_path / "wide.csv").write_text("prompt\na,b,c\n")
    with pytest.raises(OptionError):
        rows_of(source, tmp_path)


def test_labels_are_harmless_and_differ() -> None:
    axis = Axis("image", (b"a", b"b", "x" * 100, "\u202egnp", Path("/home/me/a.png")))
    labels = axis.labels
    assert len(set(labels)) == len(labels)
    assert labels[3] == "[U+202E]gnp"
    assert labels[4] == "a.png"
    assert all(len(label) <= 64 for label in labels)
