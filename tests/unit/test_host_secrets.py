"""Keys in Colab's and Kaggle's secret stores, which are imitated here by their documented interfaces.

Neither module can be installed: the fakes have the functions and errors that are read in their sources,
``google/colab/userdata.py`` of googlecolab/colabtools and ``patches/kaggle_secrets.py`` of
Kaggle/docker-python.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from hailuo_jupyter import catalogue, keys
from hailuo_jupyter.engine.resources import ProviderRegistry
from hailuo_jupyter.errors import KeyMissing
from hailuo_jupyter.kernel import context, generate, host_secrets
from hailuo_jupyter.kernel.commands import dispatch
from hailuo_jupyter.settings import Hailuo

SEGMIND, AIMLAPI = catalogue.provider("segmind"), catalogue.provider("aimlapi")
KEY = "SG_0123456789abcdef"


class SecretNotFoundError(Exception):
    """As ``google.colab.userdata`` raises it."""


class NotebookAccessError(Exception):
    """As ``google.colab.userdata`` raises it."""


class BackendError(Exception):
    """As ``kaggle_secrets`` raises it."""


class Store:
    """A host's secrets, and which of them were asked for on which thread."""

    def __init__(self) -> None:
        self.secrets: dict[str, Any] = {}
        self.asked: list[str] = []
        self.threads: set[threading.Thread] = set()
        self.missing: type[Exception] = SecretNotFoundError

    def get(self, name: str) -> Any:
        self.asked.append(name)
        self.threads.add(threading.current_thread())
        found = self.secrets.get(name)
        if isinstance(found, Exception):
            raise found
        if found is None:
            raise self.missing(f"Secret {name} does not exist.")
        return found


@pytest.fixture(autouse=True)
def no_other_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_memory", {})
    monkeypatch.setattr(keys, "_offered", {})
    monkeypatch.setattr(keys, "_from_keyring", lambda _provider: None)
    for name in (*SEGMIND.key_variables, *AIMLAPI.key_variables, "HAILUO_PROVIDER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The header of the request whose code runs; a test may change its type."""
    header: dict[str, Any] = {"msg_type": "execute_request"}
    shell = SimpleNamespace(get_parent=lambda: {"header": header}, kernel=object(), user_ns={})
    monkeypatch.setattr(context, "shell", lambda: shell)
    return header  # type: ignore[return-value]


@pytest.fixture
def colab(monkeypatch: pytest.MonkeyPatch, cell: dict[str, Any]) -> Store:
    store, package, module = (
        Store(),
        ModuleType("google.colab"),
        ModuleType("google.colab.userdata"),
    )
    module.get = store.get  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "google.colab", package)
    monkeypatch.setitem(sys.modules, "google.colab.userdata", module)
    monkeypatch.setenv("COLAB_NOTEBOOK_ID", "1AbC-dEf")
    return store


@pytest.fixture
def kaggle(monkeypatch: pytest.MonkeyPatch, cell: dict[str, Any]) -> Store:
    store, module = Store(), ModuleType("kaggle_secrets")
    store.missing = BackendError
    module.UserSecretsClient = lambda: SimpleNamespace(  # type: ignore[attr-defined]
        get_secret=store.get
    )
    monkeypatch.setitem(sys.modules, "kaggle_secrets", module)
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    return store


def found(provider: Any = SEGMIND, folder: Path | None = None) -> tuple[str, str] | None:
    key = keys.find(provider.name, provider.key_variables, folder)
    return None if key is None else (key.reveal(), key.origin)


def test_a_key_in_colabs_secrets_is_found_and_kept_for_the_engines_thread(
    colab: Store, tmp_path: Path
) -> None:
    name = SEGMIND.key_variables[0]
    colab.secrets[name] = f" {KEY}\n"
    host_secrets.look([SEGMIND], tmp_path)
    assert found() == (KEY, f"Colab's secrets ({name})")
    there: list[object] = []
    engine = threading.Thread(
        target=lambda: there.append(
            ProviderRegistry(Hailuo.instance()).key(SEGMIND, tmp_path).reveal()
        )
    )
    engine.start()
    engine.join()
    assert there == [KEY]
    assert colab.threads == {threading.main_thread()}


def test_kaggles_secrets_are_asked_by_all_names_of_a_key(kaggle: Store, tmp_path: Path) -> None:
    name = AIMLAPI.key_variables[-1]
    kaggle.secrets[name] = KEY
    host_secrets.look([AIMLAPI], tmp_path)
    assert found(AIMLAPI) == (KEY, f"Kaggle's secrets ({name})")
    assert kaggle.asked == [*AIMLAPI.key_variables]


@pytest.mark.parametrize("where", ["environment", "memory", ".env"])
def test_where_there_is_another_key_no_store_is_asked(
    colab: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    name = SEGMIND.key_variables[0]
    colab.secrets[name] = KEY
    if where == "environment":
        monkeypatch.setenv(name, "another")
    elif where == "memory":
        keys.remember("segmind", keys.Key("another", "a test"))
    else:
        (tmp_path / ".env").write_text(f"{name}=another\n")
    host_secrets.look([SEGMIND], tmp_path)
    assert colab.asked == []
    assert found(folder=tmp_path) is not None
    assert found(folder=tmp_path)[0] == "another"  # type: ignore[index]


def test_no_other_thread_and_no_forms_handler_asks(
    colab: Store, cell: dict[str, Any], tmp_path: Path
) -> None:
    colab.secrets[SEGMIND.key_variables[0]] = KEY
    other = threading.Thread(target=host_secrets.look, args=([SEGMIND], tmp_path))
    other.start()
    other.join()
    cell["msg_type"] = "comm_msg"
    host_secrets.look([SEGMIND], tmp_path)
    cell.clear()
    host_secrets.look([SEGMIND], tmp_path)
    assert colab.asked == []
    assert found() is None


def test_elsewhere_modules_of_these_names_are_not_imported(
    cell: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cloned folder may hold a `kaggle_secrets.py`."""
    (tmp_path / "kaggle_secrets.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    host_secrets.look([SEGMIND], tmp_path)
    assert found() is None
    assert "kaggle_secrets" not in sys.modules


@pytest.mark.parametrize(
    "error", [NotebookAccessError("no access"), SecretNotFoundError(KEY), RuntimeError(KEY)]
)
def test_an_error_of_the_store_means_no_key(
    colab: Store, tmp_path: Path, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    colab.secrets = dict.fromkeys(AIMLAPI.key_variables, error)
    host_secrets.look([AIMLAPI], tmp_path)
    assert found(AIMLAPI) is None
    assert KEY not in caplog.text
    # A store that does not answer is not asked for the next name; each may take it 40 seconds.
    assert len(colab.asked) == (1 if isinstance(error, RuntimeError) else 3)


@pytest.mark.parametrize("broken", ["absent", "without get", "raises"])
def test_a_store_that_is_not_as_documented_means_no_key(
    colab: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    if broken == "absent":
        monkeypatch.setitem(sys.modules, "google.colab.userdata", None)
    elif broken == "without get":
        monkeypatch.delattr(sys.modules["google.colab.userdata"], "get")
    else:
        monkeypatch.setattr(sys.modules["google.colab.userdata"], "get", 7)
    host_secrets.look([SEGMIND], tmp_path)
    assert found() is None


@pytest.mark.parametrize("secret", ["", " ", "two words", "schlüssel"])
def test_what_cannot_be_a_key_is_none(colab: Store, tmp_path: Path, secret: Any) -> None:
    colab.secrets[SEGMIND.key_variables[0]] = secret
    host_secrets.look([SEGMIND], tmp_path)
    assert found() is None


def test_a_key_that_was_replaced_in_the_store_counts_at_once(colab: Store, tmp_path: Path) -> None:
    name = SEGMIND.key_variables[0]
    colab.secrets[name] = "old-one"
    host_secrets.look([SEGMIND], tmp_path)
    colab.secrets[name] = KEY
    host_secrets.look([SEGMIND], tmp_path)
    assert found() == (KEY, f"Colab's secrets ({name})")
    del colab.secrets[name]  # the store has it no more, but a clip is being made with it
    host_secrets.look([SEGMIND], tmp_path)
    assert found() == (KEY, f"Colab's secrets ({name})")


def test_a_cell_that_names_no_provider_takes_the_one_with_a_secret(
    colab: Store, tmp_path: Path
) -> None:
    with pytest.raises(KeyMissing):
        generate.choose_provider(Hailuo.instance(), None, tmp_path)
    colab.secrets[AIMLAPI.key_variables[0]] = KEY
    provider, remark = generate.choose_provider(Hailuo.instance(), None, tmp_path)
    assert (provider.name, remark) == ("aimlapi", "")


def test_providers_names_where_the_key_comes_from(
    colab: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    name = SEGMIND.key_variables[0]
    colab.secrets[name] = KEY
    dispatch.run("providers", context.shell())
    printed = capsys.readouterr().out
    assert f"key: present, Colab's secrets ({name})" in printed
    assert KEY not in printed
