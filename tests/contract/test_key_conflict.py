"""A folder whose ``.env`` and whose person's keyring hold different keys: nothing is sent before a choice."""

from __future__ import annotations

from pathlib import Path

import pytest

from hailuo_jupyter import keys
from hailuo_jupyter.engine.resources import ProviderRegistry
from hailuo_jupyter.errors import KeyConflict
from hailuo_jupyter.keys import Key
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.simulator.responses import key_hash
from tests.support.engine_fixture import KEYS, EngineFixture

BESIDE, KEPT = "SG_beside0123456789", "SG_kept0123456789ab"


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The keyring's keys, by provider."""
    held = {"segmind": KEPT}
    monkeypatch.setattr(
        keys, "_from_keyring", lambda name: Key(held[name], "keyring") if name in held else None
    )
    return held


@pytest.fixture
def two(lab: EngineFixture, kept: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> EngineFixture:
    """A folder with a key of its own, and another one in the keyring."""
    monkeypatch.delenv("SEGMIND_API_KEY")
    (lab.folder / ".env").write_text(f"SEGMIND_API_KEY={BESIDE}\n")
    return lab


def bought_with(lab: EngineFixture) -> list[str]:
    return [job.key_hash for job in lab.sim.ledger.jobs]


def test_nothing_is_sent_or_written_before_the_person_has_chosen(two: EngineFixture) -> None:
    engine = two.engine()
    for _ in range(2):
        with pytest.raises(KeyConflict) as caught:
            two.place(engine)
        said = str(caught.value)
        assert ".env" in said
        assert "keyring" in said
        assert "Nothing was sent" in said
        assert "%hailuo key segmind --use" in said
        assert BESIDE not in said
        assert KEPT not in said
    assert two.sim.requests == []
    with RunLog(two.log) as log:
        assert log.count() == 0
    assert not two.clips.exists() or not list(two.clips.iterdir())


@pytest.mark.parametrize(("place", "key"), [(keys.DOTENV, BESIDE), (keys.KEYRING, KEPT)])
def test_the_choice_counts_in_that_folder_from_then_on_and_in_every_process(
    two: EngineFixture, place: str, key: str
) -> None:
    engine = two.engine()
    provider = two.order().provider
    engine.choose_key(provider, two.folder, place)
    two.place(engine).wait(60)
    two.place(two.engine(), "a dog").wait(60)
    assert bought_with(two) == [key_hash(key)] * 2
    other = two.folder / "other"
    other.mkdir()
    (other / ".env").write_text(f"SEGMIND_API_KEY={BESIDE}\n")
    with pytest.raises(KeyConflict):
        ProviderRegistry(two.settings).check_key(provider, other)
    # What is asked about is asked with the same key: no account is a stranger's.
    with RunLog(two.log) as log:
        assert len({row.account for row in log.recent()}) == 1


def test_one_key_in_both_places_is_no_conflict(two: EngineFixture, kept: dict[str, str]) -> None:
    kept["segmind"] = BESIDE
    two.place(two.engine()).wait(60)
    assert bought_with(two) == [key_hash(BESIDE)]


def test_the_environment_goes_before_both(
    two: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMIND_API_KEY", KEYS["SEGMIND_API_KEY"])
    two.place(two.engine()).wait(60)
    assert bought_with(two) == [key_hash(KEYS["SEGMIND_API_KEY"])]


def test_a_key_that_was_chosen_and_is_gone_leaves_the_other_one(
    two: EngineFixture, kept: dict[str, str]
) -> None:
    engine = two.engine()
    engine.choose_key(two.order().provider, two.folder, keys.KEYRING)
    del kept["segmind"]
    two.place(engine).wait(60)
    assert bought_with(two) == [key_hash(BESIDE)]


def test_a_later_choice_replaces_the_earlier_one_and_names_no_key(two: EngineFixture) -> None:
    engine, provider = two.engine(), two.order().provider
    engine.choose_key(provider, two.folder, keys.DOTENV)
    engine.choose_key(provider, two.folder / "." / "x" / "..", keys.KEYRING)
    assert engine.providers.key(provider, two.folder).reveal() == KEPT
    for path in two.log.parent.iterdir():
        if path.is_file():
            assert BESIDE.encode() not in path.read_bytes()


def test_nothing_is_kept_where_there_is_no_log(two: EngineFixture, tmp_path: Path) -> None:
    wires = ProviderRegistry(two.settings)
    assert wires.undecided(two.order().provider, two.folder)
    assert not two.log.exists(), "a question makes no log"
