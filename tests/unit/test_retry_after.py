"""How long an answer asks to wait, in every form in which it may say so."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hailuo_jupyter.providers.base import Reply
from hailuo_jupyter.providers.retry_after import parse_retry_after, requested_wait

NOW = 1_795_000_000.0
RESET = "x-rate-limit-reset-at-utc"


def iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()


# ── Retry-After ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("300", 300.0),
        ("99999999999", 300.0),
        (formatdate(NOW + 20, usegmt=True), 20.0),
        (formatdate(NOW + 1e6, usegmt=True), 300.0),
        ("Sat, 20 Nov 2027 12:00:00", 300.0),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date_and_capped(value: str, seconds: float) -> None:
    assert parse_retry_after(value, NOW) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "-5",
        "nan",
        "inf",
        "-inf",
        "1e999",
        "soon",
        "Thu, 99 Foo 2026",
        formatdate(NOW - 3600, usegmt=True),
        "Mon, 01 Jan 0001 00:00:00 +2359",
    ],
)
def test_a_retry_after_without_sense_is_no_wait_that_the_provider_named(value: str | None) -> None:
    assert parse_retry_after(value, NOW) is None


@given(st.one_of(st.text(), st.floats().map(str), st.integers().map(str), st.datetimes().map(str)))
def test_no_retry_after_breaks_or_stalls_us(value: str) -> None:
    wait = parse_retry_after(value, NOW)
    assert wait is None or 0 <= wait <= 300


# ── the moment at which a limit is reset ───────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "value",
    [
        iso(NOW + 40),
        iso(NOW + 40).replace("+00:00", "Z"),
        iso(NOW + 40).replace("+00:00", ""),
        iso(NOW + 40).replace("T", " ").replace("+00:00", ""),
        formatdate(NOW + 40, usegmt=True),
        str(int(NOW) + 40),
        str((int(NOW) + 40) * 1000),
    ],
)
def test_a_reset_is_read_in_every_form_a_moment_may_have(value: str) -> None:
    assert requested_wait(Reply(429, {RESET: value}), NOW) == pytest.approx(40.0)


def test_a_reset_is_compared_to_the_answer_s_own_clock() -> None:
    # Our clock is an hour slow.
    headers = {RESET: iso(NOW + 40), "date": formatdate(NOW, usegmt=True)}
    assert requested_wait(Reply(429, headers), NOW - 3600) == pytest.approx(40.0)


def test_a_reset_that_is_over_asks_for_no_wait_and_a_far_one_is_capped() -> None:
    assert requested_wait(Reply(429, {RESET: iso(NOW - 3)}), NOW) == 0.0
    assert requested_wait(Reply(429, {RESET: iso(NOW + 86_400)}), NOW) == 300.0


def test_retry_after_goes_first() -> None:
    headers = {"retry-after": "7", RESET: iso(NOW + 40)}
    assert requested_wait(Reply(429, headers), NOW) == 7.0


@pytest.mark.parametrize("headers", [{}, {RESET: "soon"}, {RESET: "12"}, {"retry-after": "-1"}])
def test_without_sense_no_wait_is_named(headers: dict[str, str]) -> None:
    assert requested_wait(Reply(429, headers), NOW) is None


@given(
    st.dictionaries(
        st.sampled_from(["retry-after", RESET, "date"]),
        st.one_of(st.text(), st.floats().map(str), st.integers().map(str), st.datetimes().map(str)),
    )
)
def test_no_header_breaks_or_stalls_us(headers: dict[str, str]) -> None:
    wait = requested_wait(Reply(429, headers), NOW)
    assert wait is None or 0 <= wait <= 300
