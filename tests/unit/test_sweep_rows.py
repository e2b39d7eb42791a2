"""Rows of a grid, as pandas, Excel and people write CSV."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hailuo_jupyter.errors import OptionError
from hailuo_jupyter.kernel.sweep.grid import listed
from hailuo_jupyter.kernel.sweep.rows import rows_of

WANTED = [{"prompt": "A heron, wet", "mode": "pro"}, {"prompt": "A mole; dry", "mode": "standard"}]


def read(folder: Path, text: str | bytes) -> list[dict[str, Any]]:
    path = folder / "grid.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return [dict(point.values) for point in listed(rows_of(path, folder)).points]


def refusal(folder: Path, text: str | bytes) -> OptionError:
    with pytest.raises(OptionError) as caught:
        read(folder, text)
    assert "Nothing was sent" in caught.value.money
    assert caught.value.todo
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        'prompt,mode\n"A heron, wet",pro\nA mole; dry,standard\n',
        'prompt;mode\nA heron, wet;pro\n"A mole; dry";standard\n',
        "prompt\tmode\nA heron, wet\tpro\nA mole; dry\tstandard\n",
        '\ufeffprompt;mode\r\nA heron, wet;pro\r\n"A mole; dry";standard\r\n',
        'sep=;\r\nprompt;mode\r\nA heron, wet;pro\r\n"A mole; dry";standard\r\n',
        '\n\nprompt,mode\n\n"A heron, wet",pro\n,\n  , \nA mole; dry,standard\n\n,\n',
        ',prompt,mode\n0,"A heron, wet",pro\n1,A mole; dry,standard\n',
        '"";"prompt";"mode"\n"7";"A heron, wet";"pro"\n"9";"A mole; dry";"standard"\n',
        'Unnamed: 0,prompt,mode\n0,"A heron, wet",pro\n1,A mole; dry,standard\n',
        'prompt,mode,,\n"A heron, wet",pro,,\nA mole; dry,standard,,\n',
        '"prompt","mode"\n"A heron, wet","pro",\n"A mole; dry","standard",,\n',
        '" prompt ", mode\n"A heron, wet",pro\nA mole; dry,standard\n',
        'prompt,mode\r"A heron, wet",pro\rA mole; dry,standard\r',
        'prompt;mode\nA heron, wet;pro\n"A mole; dry";standard\n'.encode("utf-16"),
    ],
)
def test_a_file_as_programs_write_it(tmp_path: Path, text: str | bytes) -> None:
    assert read(tmp_path, text) == WANTED


def test_what_pandas_writes_and_reads_is_taken(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame([*WANTED, {}]).drop(index=[]).reset_index(drop=True)
    for made in (frame, frame.iloc[[0, 1]], frame.set_index(frame.index + 5)):
        for index in (True, False):
            for separator in ",;\t":
                assert read(tmp_path, made.to_csv(index=index, sep=separator)) == WANTED
            again = pd.read_csv(io.StringIO(made.to_csv(index=index)))
            assert [
                dict(point.values) for point in listed(rows_of(again, tmp_path)).points
            ] == WANTED


VALUES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1).filter(
    lambda text: text.strip() == text
)


@given(
    rows=st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=4),
    separator=st.sampled_from(",;\t"),
    index=st.booleans(),
)
def test_any_values_come_back(
    rows: list[tuple[str, str]], separator: str, index: bool, tmp_path_factory: Any
) -> None:
    pd = pytest.importorskip("pandas")
    made = pd.DataFrame(rows, columns=["prompt", "style"])
    folder = tmp_path_factory.mktemp("csv")
    found = read(folder, made.to_csv(index=index, sep=separator))
    assert [(row["prompt"], row["style"]) for row in found] == rows


def test_a_single_column_needs_no_separator(tmp_path: Path) -> None:
    assert read(tmp_path, "prompt\nA heron; wet\n") == [{"prompt": "A heron; wet"}]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("prompt,mode\n\nA heron, wet,pro\n", "Line 3 of grid.csv has 3 values for 2 columns"),
        ('prompt\n"A\nheron"\n\na,b\n', "Line 5 of grid.csv has 2 values for 1 columns"),
        ('sep=;\nprompt;mode\n\n\na;b;"c\nd"\n', "Line 5 of grid.csv has 3 values"),
        ('prompt,mode\nA heron,pro\n"A mole,pro\n', "Line 3 of grid.csv isn't valid CSV"),
        (b"prompt\nA heron\nA caf\xe9\n", "grid.csv is not in UTF-8 (line 3)"),
        ("prompt,mode,prompt\nA,pro,B\n", "two columns 'prompt'"),
        ("prompt,Prompt ,prompt \nA,B,C\n", "two columns 'prompt'"),
        ("prompt,last_frame,last-frame\nA,b.png,c.png\n", "two columns 'last-frame'"),
        ("prompt,\nA heron,stray\n", "Column 2 of grid.csv has values but no name"),
        (",prompt\nheron,A heron\n", "Column 1 of grid.csv has values but no name"),
        ("prompt,mode\n,\n", "There are no rows"),
        ("", "There are no rows"),
        (
            "prompt,mode\n<<<<<<< HEAD\nA,pro\n=======\nA,standard\n>>>>>>> x\n",
            "merge conflict in line 2",
        ),
    ],
)
def test_what_is_wrong_is_said_with_the_files_own_line(
    tmp_path: Path, text: str | bytes, says: str
) -> None:
    assert says in refusal(tmp_path, text).what


def test_following_the_advice_about_a_comma_works(tmp_path: Path) -> None:
    assert "a comma in it in quotes" in refusal(tmp_path, "prompt,mode\nA heron, wet,pro\n").todo
    assert read(tmp_path, 'prompt,mode\n"A heron, wet",pro\n')[0] == WANTED[0]
    assert "a semicolon" in refusal(tmp_path, "prompt;mode\nA mole; dry;pro\n").todo


def test_two_columns_of_a_table_by_one_name_are_refused(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame([["A", "B"]], columns=["prompt", "prompt"])
    with pytest.raises(OptionError, match="the DataFrame has two columns 'prompt'"):
        rows_of(frame, tmp_path)


def test_each_point_knows_its_line(tmp_path: Path) -> None:
    (tmp_path / "grid.csv").write_text('prompt;mode\n\n"A\nheron";pro\n;\nA mole;standard\n')
    found = listed(rows_of("grid.csv", tmp_path))
    assert [point.where for point in found.points] == ["Line 3 of grid.csv", "Line 6 of grid.csv"]
    found = listed([{"prompt": "A"}, {"prompt": "B"}])
    assert [point.where for point in found.points] == ["Row 1", "Row 2"]
