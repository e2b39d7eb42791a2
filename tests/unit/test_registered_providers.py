"""Every provider of the catalogue is known wherever providers are listed."""

from __future__ import annotations

from pathlib import Path

import pytest

from hailuo_jupyter import catalogue, doctor, providers
from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.errors import KeyMissing
from hailuo_jupyter.kernel import generate
from hailuo_jupyter.probe import questions
from hailuo_jupyter.probe.checks import free_checks
from hailuo_jupyter.settings import Hailuo
from tests.support.engine_fixture import KEYS
from tests.support.fault_table import LACKS

ALL = catalogue.providers()
EACH = pytest.mark.parametrize("provider", ALL, ids=lambda each: each.name)
ADDED_LATER = [each for each in ALL if not each.chosen_by_key]


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (name for each in ALL for name in each.key_variables):
        monkeypatch.delenv(variable, raising=False)


@EACH
def test_it_has_an_adapter_a_key_in_the_tests_checks_and_a_column_of_faults(
    provider: Provider,
) -> None:
    dialect = providers.dialect(
        provider, {role: base.url for role, base in provider.base_urls.items()}
    )
    assert provider.key_variables[0] in KEYS
    assert provider.name in LACKS
    assert [check.name for check in free_checks(dialect)]
    assert questions.QUESTIONS[provider.dialect]


@pytest.mark.parametrize("provider", ADDED_LATER, ids=lambda each: each.name)
def test_one_that_was_added_later_is_never_chosen_by_its_key(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(provider.key_variables[0], KEYS[provider.key_variables[0]])
    with pytest.raises(KeyMissing) as caught:
        generate.choose_provider(Hailuo(), None, tmp_path)
    assert f"--provider {provider.name}" in caught.value.todo
    assert provider.title in caught.value.what
    chosen, _ = generate.choose_provider(Hailuo(), provider.name, tmp_path)
    assert chosen.name == provider.name


@EACH
def test_doctor_tells_of_its_key_and_its_address(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    variable, address = provider.key_variables[0], provider.base_urls["api"].variable
    monkeypatch.setenv("HAILUO_RUN_LOG", str(tmp_path / "runs.sqlite3"))
    monkeypatch.setenv(variable, KEYS[variable])
    monkeypatch.setenv(address, "http://127.0.0.1:9")
    report = doctor.diagnose(Hailuo(), tmp_path)
    told = {(each.part, each.name): each.value for each in report.findings}
    assert told["keys", provider.name].startswith(f"present, environment {variable};")
    assert told["addresses", address] == "http://127.0.0.1:9"
    assert KEYS[variable] not in str(report)
