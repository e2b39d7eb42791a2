"""A prompt arrives as it was accepted: at the provider, in the record, in the log and on the page."""

from __future__ import annotations

import html as markup
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from hailuo_jupyter import catalogue
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.errors import PromptError
from hailuo_jupyter.formatting import escape_control
from hailuo_jupyter.kernel.display.bundle import html
from hailuo_jupyter.kernel.display.run_view import RunView
from hailuo_jupyter.request import check_prompt
from hailuo_jupyter.settings import Hailuo
from tests.simulator import Simulator
from tests.support.engine_fixture import KEYS, EngineFixture, options

_SPECIAL = "\u202e\u2066\u2069\u200b\ufeff\U0001f9ff\u0301<>&'\"\\/{}%$`|\u2028\n\t"
prompts = st.text(
    st.one_of(st.characters(exclude_categories=("Cc", "Cs")), st.sampled_from(_SPECIAL)),
    min_size=1,
    max_size=60,
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, clip_cache: Path) -> Iterator[EngineFixture]:
    folder = tmp_path_factory.mktemp("prompts")
    log = folder / "log" / "runs.sqlite3"
    with pytest.MonkeyPatch.context() as patch, Simulator(options(clip_cache)) as sim:
        for name, value in {**KEYS, **sim.environment(), "HAILUO_LOOPBACK_ONLY": "1"}.items():
            patch.setenv(name, value)
        limits = {"segmind": 1_000_000, "aimlapi": 1_000_000}
        yield EngineFixture(sim, folder, log, Hailuo(run_log=str(log), requests_per_minute=limits))


@pytest.fixture(scope="module")
def engine(lab: EngineFixture) -> Iterator[Engine]:
    made = lab.engine()
    yield made
    made.stop()


@pytest.mark.parametrize("provider", ["segmind", "aimlapi"])
@bounds(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=prompts)
def test_any_prompt_comes_back_as_it_was(
    lab: EngineFixture, engine: Engine, provider: str, text: str
) -> None:
    try:
        wanted = check_prompt(text, 2000)
    except PromptError:
        return
    run = lab.place(engine, text, provider, new=True)
    assert engine.wait_answers([run], 20)
    record, row = run.record, engine.row(run.run_id)
    job = next(each for each in lab.sim.ledger if each.id == record.job.id)
    assert job.body["prompt"] == wanted
    assert record.request.prompt == wanted
    assert record.body is not None
    assert record.body["prompt"] == wanted
    with sqlite3.connect(lab.log) as log:
        (kept,) = log.execute("SELECT prompt FROM runs WHERE run_id = ?", [run.run_id]).fetchone()
    log.close()
    assert kept == wanted
    offer = catalogue.provider(provider)
    shown = html([RunView.from_facts(row, offer, engine.estimate(row), now=row.created, base=None)])
    assert escape_control(wanted) in markup.unescape(shown)
    assert not set("\u202e\u2066\u2069\u2028") & set(shown), "they would act on the page"


@given(
    text=st.text(max_size=20),
    place=st.integers(0, 20),
    control=st.characters(categories=["Cc", "Cs"]),
)
@bounds(max_examples=100)
def test_control_characters_are_refused(text: str, place: int, control: str) -> None:
    if control in "\n\t\r":
        return
    with pytest.raises(PromptError, match=r"U\+"):
        check_prompt(f"a{text[:place]}{control}{text[place:]}b", 2000)
