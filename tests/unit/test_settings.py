"""Settings: which value is in force, from where; addresses; the guard of tests and demo."""

from __future__ import annotations

from math import inf, nan
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from traitlets import TraitError
from traitlets.config import Config

from hailuo_jupyter import settings
from hailuo_jupyter.engine import demo_server
from hailuo_jupyter.errors import SettingsError
from hailuo_jupyter.settings import Hailuo

NAMES = ("HAILUO_PROVIDER", "HAILUO_OUTPUT_DIR", "HAILUO_RUN_LOG", "SEGMIND_BASE_URL")
DEFAULT = "https://api.segmind.com"


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*NAMES, settings.LOOPBACK_ONLY):
        monkeypatch.delenv(name, raising=False)


def origin(hailuo: Hailuo, name: str) -> tuple[object, str]:
    return {row[0]: row[1:] for row in hailuo.origins()}[name]


def test_every_setting_is_listed_with_its_default() -> None:
    rows = Hailuo().origins()
    assert {name for name, _, _ in rows} == set(Hailuo.class_own_traits(config=True))
    assert {where for _, _, where in rows} == {"default"}


def test_the_environment_goes_before_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAILUO_PROVIDER", "aimlapi")
    monkeypatch.setenv("HAILUO_OUTPUT_DIR", "films")
    hailuo = Hailuo()
    assert origin(hailuo, "provider") == ("aimlapi", "environment HAILUO_PROVIDER")
    assert origin(hailuo, "output_dir") == ("films", "environment HAILUO_OUTPUT_DIR")


def test_what_the_person_set_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAILUO_PROVIDER", "aimlapi")
    configured = Hailuo(config=Config({"Hailuo": {"provider": "segmind"}}))
    assert configured.provider == "segmind"
    assert origin(configured, "provider")[1].startswith("set by")
    hailuo = Hailuo()
    hailuo.output_dir = "films"
    assert origin(hailuo, "output_dir") == ("films", "set by %config or ipython_config.py")


def test_an_empty_variable_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.setenv(name, "")
    hailuo = Hailuo()
    assert origin(hailuo, "output_dir") == ("hailuo", "default")
    assert origin(hailuo, "provider") == ("", "default")
    assert hailuo.run_log.endswith("runs.sqlite3")
    assert settings.address(DEFAULT, "SEGMIND_BASE_URL") == DEFAULT


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("aimlapi_wire", "third"),
        ("requests_per_minute", {"segmind": 0}),
        ("deadline_minutes", 0.5),
        ("demo_speed", 0.0),
        ("embed", "yes"),
        *((name, nan) for name in ("budget_day_usd", "budget_notebook_usd", "sweep_confirm_usd")),
        ("prices_usd", {"segmind": nan}),
        ("prices_usd", {"segmind": inf}),
        ("max_clip_gb", inf),
    ],
)
def test_a_value_without_sense_is_refused_at_once(name: str, value: object) -> None:
    with pytest.raises(TraitError):
        setattr(Hailuo(), name, value)


def test_the_demo_keeps_its_runs_in_a_file_of_its_own(tmp_path: Path) -> None:
    hailuo = Hailuo(run_log=str(tmp_path / "runs.sqlite3"))
    assert hailuo.run_log_path() == tmp_path / "runs.sqlite3"
    assert hailuo.run_log_path(demo=True) == tmp_path / "runs-demo.sqlite3"


def test_the_run_log_may_lie_in_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert Hailuo(run_log="~/runs.sqlite3").run_log_path() == Path("/somewhere/runs.sqlite3")


# ── addresses ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "url",
    [
        "https://proxy.example/segmind",
        "http://127.0.0.1:8080",
        "http://127.9.9.9",
        "http://localhost:1",
        "http://[::1]:8080",
    ],
)
def test_https_or_this_machine_is_taken(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("SEGMIND_BASE_URL", f"{url}/")
    assert settings.address(DEFAULT, "SEGMIND_BASE_URL") == url


@pytest.mark.parametrize(
    "url",
    [
        "http://api.segmind.com",
        "http://10.0.0.1",
        "http://127.0.0.1.evil.example",
        "http://localhost@evil.example",
        "http://localhost.evil.example",
        "http://0.0.0.0",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "api.segmind.com",
        "//api.segmind.com",
        "https://",
        "https:///v2",
        "http://[::1",
        "https://[evil",
        "http://127.0.0.1:port",
    ],
)
def test_an_address_on_which_a_key_would_be_readable_is_refused(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("SEGMIND_BASE_URL", url)
    with pytest.raises(SettingsError, match="SEGMIND_BASE_URL") as caught:
        settings.address(DEFAULT, "SEGMIND_BASE_URL")
    assert "no charge" in caught.value.money
    assert caught.value.todo


@pytest.mark.parametrize(
    ("given", "full"),
    [
        ("api.segmind.com", "https://api.segmind.com"),
        ("api.segmind.com/v1", "https://api.segmind.com/v1"),
        ("//api.segmind.com", "https://api.segmind.com"),
        ("gateway.example:8443", "https://gateway.example:8443"),
        ("localhost:8000", "http://localhost:8000"),
        ("127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
        ("[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_an_address_without_a_scheme_is_told_which(
    monkeypatch: pytest.MonkeyPatch, given: str, full: str
) -> None:
    monkeypatch.setenv("SEGMIND_BASE_URL", given)
    with pytest.raises(SettingsError, match="which has no scheme") as caught:
        settings.address(DEFAULT, "SEGMIND_BASE_URL")
    assert caught.value.todo == f"Set SEGMIND_BASE_URL to {full}."
    monkeypatch.setenv("SEGMIND_BASE_URL", full)
    assert settings.address(DEFAULT, "SEGMIND_BASE_URL") == full


@pytest.mark.parametrize(
    "given", ["https:api.segmind.com", "me:secret@host", "half an address", "[::1"]
)
def test_what_is_no_address_gets_no_scheme(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("SEGMIND_BASE_URL", given)
    with pytest.raises(SettingsError, match="neither https nor"):
        settings.address(DEFAULT, "SEGMIND_BASE_URL")


def test_an_address_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGMIND_BASE_URL", "http://me:pa55word@proxy.example")
    with pytest.raises(SettingsError) as caught:
        settings.address(DEFAULT, "SEGMIND_BASE_URL")
    assert "pa55word" not in str(caught.value)


@given(st.text())
def test_no_host_name_breaks_the_guard(host: str) -> None:
    assert settings.is_loopback(host) in {True, False}


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("localhost.", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("example.com", False),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
        ("", False),
        (None, False),
    ],
)
def test_which_hosts_are_this_machine(host: str | None, ours: bool) -> None:
    assert settings.is_loopback(host) is ours


@pytest.mark.parametrize(("value", "guarded"), [("1", True), ("", False), (None, False)])
def test_the_guard_is_a_variable(
    monkeypatch: pytest.MonkeyPatch, value: str | None, guarded: bool
) -> None:
    if value is not None:
        monkeypatch.setenv(settings.LOOPBACK_ONLY, value)
    assert settings.loopback_only() is guarded


# ── settings that do not exist ─────────────────────────────────────────────────────────────────


def test_a_setting_that_does_not_exist_cannot_be_set() -> None:
    hailuo = Hailuo()
    with pytest.raises(SettingsError, match=r"Did you mean Hailuo\.budget_day_usd"):
        hailuo.budget = 3.0
    assert not hasattr(hailuo, "budget")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("budget", 3, "Unknown setting Hailuo.budget; nothing was set."),
        ("xyz", "red", "Available: aimlapi_wire, "),
        ("budget_day_usd", "ten", "Hailuo.budget_day_usd cannot be 'ten'; it was not changed."),
        ("budget_day_usd", -1.0, "Hailuo.budget_day_usd cannot be -1.0"),
        ("aimlapi_wire", "third", "cannot be 'third'"),
        ("prices_usd", {"segmind": "cheap"}, "Hailuo.prices_usd cannot be {'segmind': 'cheap'}"),
    ],
)
def test_a_configuration_says_what_is_wrong_in_it(name: str, value: object, said: str) -> None:
    config = Config({"Hailuo": {name: value, "provider": "segmind"}})
    wrong = settings.refusals(config)
    assert list(wrong) == [name]
    assert said in str(wrong[name])
    hailuo = Hailuo(config=settings.without(config, wrong))
    assert hailuo.provider == "segmind"
    # Of what %config sets, all or nothing.
    hailuo.update_config(Config({"Hailuo": {name: value, "provider": "aimlapi"}}))
    assert hailuo.provider == "segmind"
    assert len(hailuo.refused) == 1
    hailuo.update_config(Config({"Hailuo": {"provider": "aimlapi"}}))
    assert (hailuo.provider, hailuo.refused) == ("aimlapi", ())


@pytest.mark.parametrize(
    ("name", "value", "todo"),
    [
        ("budget_notebook_usd", -3, "It must be a number, 0 or more, or None."),
        ("sweep_parallel", 0, "It must be a whole number from 1 to 50."),
        ("max_clip_gb", 0, "It must be a number from 0.001 to 1,000,000."),
    ],
)
def test_a_number_outside_its_limits_is_told_them(name: str, value: object, todo: str) -> None:
    assert settings.refusals(Config({"Hailuo": {name: value}}))[name].todo == todo


def test_a_list_that_a_configuration_adds_to() -> None:
    config = Config()
    config.Hailuo.sinks.append("mlflow")
    assert not settings.refusals(config)
    assert Hailuo(config=config).sinks == ["mlflow"]


def test_the_demos_address_gets_the_same_advice(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(demo_server.ADDRESS, "localhost:8000/")
    with pytest.raises(SettingsError, match="has no scheme") as caught:
        demo_server.running(tmp_path, 1.0)
    assert caught.value.todo == "Set HAILUO_SIMULATOR_URL to http://localhost:8000."
    monkeypatch.setenv(demo_server.ADDRESS, "http://localhost:8000/")
    assert demo_server.running(tmp_path, 1.0).url == "http://localhost:8000"
