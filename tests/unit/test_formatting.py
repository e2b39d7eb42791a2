"""Foreign text, and text for streams that cannot take all of it."""

from __future__ import annotations

import io
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hailuo_jupyter.formatting import (
    encodable,
    escape_control,
    local_time,
    price_range,
    print_safely,
)
from hailuo_jupyter.kernel.commands.echo import echo
from hailuo_jupyter.record import CostRecord

TEXT = "→ 龍 🐃 naïve"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp936", "utf-8", "utf-16"])
def test_what_an_encoding_lacks_is_escaped(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding=encoding, newline="\n"))
        print_safely(TEXT)
        echo(TEXT)
        sys.stdout.flush()
        said = out.getvalue().decode(encoding)
    first, second = said.splitlines()
    assert first == second == encodable(TEXT, encoding)
    if encoding == "ascii":
        assert first == r"\u2192 \u9f8d \U0001f403 na\xefve"
    if encoding.startswith("utf"):
        assert first == TEXT


@given(st.text(), st.sampled_from(["ascii", "cp1252", "cp936", "shift_jis", "utf-8"]))
def test_any_text_can_be_written_in_any_encoding(text: str, encoding: str) -> None:
    assert encodable(text, encoding).encode(encoding)[:0] == b""
    assert encodable(escape_control(text), "ascii").isascii()


@pytest.mark.parametrize("where", [">/dev/full", ">&-", "| true"])
def test_nothing_is_raised_where_nothing_can_be_printed(where: str) -> None:
    code = (
        "import sys, time; from hailuo_jupyter.formatting import print_safely\n"
        "time.sleep(0.2)\nfor _ in range(3000): print_safely('x' * 100)\n"
        "sys.stderr.write('went on\\n'); sys.stderr.flush(); import os; os._exit(0)"
    )
    line = ["sh", "-c", f'"$0" -c "$1" {where}', sys.executable, code]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == "went on\n"


@pytest.mark.parametrize("odd", [float("inf"), float("nan"), 1e300, -1e300])
def test_an_amount_that_is_none_is_not_shown(odd: float) -> None:
    """A stranger's record holds any number."""
    assert price_range(odd, 0.3, "inferred") == "$0.30 est."
    assert price_range(odd, odd, "published") == "price not known"
    plain = CostRecord(kind="published", source="", as_of="")
    cost = plain.model_copy(update={"actual": odd, "estimate_high": odd})
    assert cost.text() == "price not known"


@pytest.mark.parametrize(("year", "hours"), [(1, -5), (9999, 9)])
def test_a_time_at_the_end_of_the_calendar_is_shown(year: int, hours: int) -> None:
    moment = datetime(year, 1 if year == 1 else 12, 1 if year == 1 else 31, 12, tzinfo=UTC)
    moment += timedelta(hours=11 if hours > 0 else -11)
    shown = local_time(moment.timestamp(), timezone(timedelta(hours=hours)))
    assert shown == moment
