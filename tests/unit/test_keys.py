"""Where a key is looked for, in which order, and that nothing shows it."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.error import StdinNotImplementedError

from hailuo_jupyter import keys, redact, settings
from hailuo_jupyter.errors import KeyMissing, SettingsError
from hailuo_jupyter.kernel.commands import dispatch

keyring = pytest.importorskip("keyring")
fail = pytest.importorskip("keyring.backends.fail")

VARIABLES = ("AIML_API_KEY", "AIMLAPI_KEY", "AIMLAPI_API_KEY")
KEY = "aiml-0123456789abcdef"


class Keyring(keyring.backend.KeyringBackend):
    """A backend for the real `keyring` library that keeps passwords in memory."""

    priority = 0.1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.broken = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.broken:
            raise RuntimeError("the keyring is locked")
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.broken:
            raise RuntimeError(f"cannot store {password}")
        self.kept[service, username] = password


@pytest.fixture(autouse=True)
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[Keyring]:
    """No key but what a test puts somewhere; the machine's own keyring is never asked."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    before = keyring.get_keyring()
    ours = Keyring()
    keyring.set_keyring(ours)
    known = set(redact._secrets)
    yield ours
    keyring.set_keyring(before)
    keys.forget("aimlapi")
    # Each key that is known is looked for in every text from then on: the other tests go on as before.
    redact._secrets.intersection_update(known)


def key(value: str) -> keys.Key:
    return keys.Key(value, "the test")


def found(folder: Path | None = None) -> tuple[str, str] | None:
    it = keys.find("aimlapi", VARIABLES, folder)
    return (it.reveal(), it.origin) if it else None


def test_without_any_key_nothing_is_found(tmp_path: Path) -> None:
    assert found(tmp_path) is None


def test_the_order_is_memory_environment_dotenv_keyring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.store("aimlapi", key("from-the-keyring"))
    assert found(tmp_path) == ("from-the-keyring", "keyring")
    (tmp_path / ".env").write_text("AIMLAPI_KEY=from-the-dotenv\n")
    assert found(tmp_path) == ("from-the-dotenv", ".env AIMLAPI_KEY")
    assert found() == ("from-the-keyring", "keyring"), "no folder, no .env"
    monkeypatch.setenv("AIMLAPI_API_KEY", "from-the-third-variable")
    assert found(tmp_path) == ("from-the-third-variable", "environment AIMLAPI_API_KEY")
    monkeypatch.setenv("AIMLAPI_KEY", "from-the-second")
    monkeypatch.setenv("AIML_API_KEY", "from-the-first")
    assert found(tmp_path) == ("from-the-first", "environment AIML_API_KEY")
    keys.remember("aimlapi", key("from-memory"))
    assert found(tmp_path) == ("from-memory", "this kernel's memory")
    keys.forget("aimlapi")
    assert found(tmp_path) == ("from-the-first", "environment AIML_API_KEY")


def test_one_providers_key_is_not_anothers() -> None:
    keys.remember("aimlapi", key(KEY))
    assert keys.find("segmind", ("NO_SUCH_VARIABLE",)) is None


def test_white_space_around_a_key_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIML_API_KEY", f"  {KEY}\n")
    assert found(tmp_path) == (KEY, "environment AIML_API_KEY")
    keys.remember("aimlapi", key(f"\t{KEY} "))
    assert found(tmp_path) == (KEY, "this kernel's memory")


@pytest.mark.parametrize("blank", ["", "   ", "\n"])
def test_an_empty_variable_counts_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blank: str
) -> None:
    monkeypatch.setenv("AIML_API_KEY", blank)
    (tmp_path / ".env").write_text(f"AIML_API_KEY={blank.strip()}\nAIMLAPI_KEY={KEY}\n")
    assert found(tmp_path) == (KEY, ".env AIMLAPI_KEY")


@pytest.mark.parametrize("line", ["{}", "export {}", "  {}  # mine", "{}\r"])
def test_the_usual_ways_to_write_a_dotenv(tmp_path: Path, line: str) -> None:
    (tmp_path / ".env").write_text(line.format(f"AIML_API_KEY='{KEY}'") + "\n")
    assert found(tmp_path) == (KEY, ".env AIML_API_KEY")


def test_a_dotenv_is_read_anew_each_time(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("AIML_API_KEY=old-key-0123456789\n")
    assert found(tmp_path) == ("old-key-0123456789", ".env AIML_API_KEY")
    (tmp_path / ".env").write_text(f"AIML_API_KEY={KEY}\n")
    assert found(tmp_path) == (KEY, ".env AIML_API_KEY")


def test_a_dotenv_never_sets_an_address_or_any_other_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cloned folder must not redirect a key."""
    monkeypatch.delenv("AIML_API_BASE_URL", raising=False)
    (tmp_path / ".env").write_text(
        f"AIML_API_KEY={KEY}\nAIML_API_BASE_URL=https://evil.example\nHAILUO_OUTPUT_DIR=/\n"
    )
    before = dict(os.environ)
    assert found(tmp_path) is not None
    assert dict(os.environ) == before
    assert settings.address("https://api.aimlapi.com", "AIML_API_BASE_URL") == (
        "https://api.aimlapi.com"
    )


def test_a_dotenv_does_not_draw_in_other_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOMEBODYS_SECRET", "from-elsewhere")
    (tmp_path / ".env").write_text("AIML_API_KEY=${SOMEBODYS_SECRET}x\n")
    assert found(tmp_path) == ("${SOMEBODYS_SECRET}x", ".env AIML_API_KEY")


def test_a_dotenv_that_is_no_text_or_no_file_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe\x00AIML_API_KEY=\x80")
    assert found(tmp_path) is None
    (tmp_path / ".env").unlink()
    (tmp_path / ".env").mkdir()
    assert found(tmp_path) is None


@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-16-le", "utf-32", "utf-32-be"]
)
def test_a_dotenv_is_decoded_by_its_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    mark = "\ufeff" if encoding[-3:] in {"-be", "-le"} else ""
    text = f"{mark}# Schlüssel\r\nAIML_API_KEY={KEY}\r\n"
    (tmp_path / ".env").write_bytes(text.encode(encoding))
    assert found(tmp_path) == (KEY, ".env AIML_API_KEY")
    assert keys.dotenv_ignored(tmp_path) == ""


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (f"# A\n# Schlüssel\nAIML_API_KEY={KEY}\n".encode("latin-1"), "line 2 is not valid UTF-8"),
        (f"AIML_API_KEY={KEY}\n".encode("utf-16-le"), "it is UTF-16 without a byte order mark"),
        (f"AIML_API_KEY={KEY}\n".encode("utf-16-be"), "it is UTF-16 without a byte order mark"),
        (f"AIML_API_KEY={KEY}\n".encode("utf-16")[:-1], "it is not valid UTF-16"),
        (b"\x80\x81\xfe", "line 1 is not valid UTF-8"),
    ],
)
def test_a_dotenv_that_cannot_be_decoded_is_said_so(
    tmp_path: Path, content: bytes, why: str
) -> None:
    (tmp_path / ".env").write_bytes(content)
    assert found(tmp_path) is None
    with pytest.raises(KeyMissing) as raised:
        keys.require("aimlapi", "AI/ML API", VARIABLES, "a page", tmp_path)
    assert f"The .env file in this folder is ignored: {why}" in raised.value.what
    assert "save it as UTF-8" in raised.value.what


def test_a_dotenv_above_64_kb_is_ignored_and_said_so(tmp_path: Path) -> None:
    line = f"AIML_API_KEY={KEY}\n"
    filling = "#" * (64 * 1024 - len(line))
    (tmp_path / ".env").write_text(line + filling)
    assert found(tmp_path) == (KEY, ".env AIML_API_KEY")
    assert keys.dotenv_ignored(tmp_path) == ""
    (tmp_path / ".env").write_text(line + filling + "#")
    assert found(tmp_path) is None
    assert keys.every("aimlapi", VARIABLES, tmp_path) == []
    with pytest.raises(KeyMissing, match=r"\.env file in this folder is ignored: .* 64 kB"):
        keys.require("aimlapi", "AI/ML API", VARIABLES, "a page", tmp_path)


def test_a_broken_keyring_means_no_key(backend: Keyring, tmp_path: Path) -> None:
    backend.broken = True
    assert found(tmp_path) is None


def test_storing_in_a_broken_keyring_says_so_without_the_key(backend: Keyring) -> None:
    backend.broken = True
    with pytest.raises(SettingsError) as caught:
        keys.store("aimlapi", key(KEY))
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None, "the keyring's own error holds the key"
    assert caught.value.todo


def test_without_the_keyring_library_all_else_works(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)  # what an import finds that is not installed
    assert found(tmp_path) is None
    with pytest.raises(SettingsError, match="keyring"):
        keys.store("aimlapi", key(KEY))


BAD = [
    "",
    "   ",
    "two words",
    "ключ-0123456789",
    "tab\tinside",
    "line\nbreak",
    "nul\0",
    "sch\u00f6n",
]


def test_each_way_to_have_no_keyring_has_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring.set_keyring(fail.Keyring())  # what the library chooses on a server
    with pytest.raises(SettingsError, match="This system has no keyring"):
        keys.store("aimlapi", key(KEY))
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(SettingsError, match="keyring library is not installed"):
        keys.store("aimlapi", key(KEY))


@pytest.mark.parametrize("kind", ["no backend", "locked", "none"])
def test_a_typed_key_stays_in_the_kernel_where_no_keyring_takes_it(
    backend: Keyring,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("getpass.getpass", lambda _prompt: KEY)
    if kind == "no backend":
        keyring.set_keyring(fail.Keyring())
    backend.broken = kind == "locked"
    dispatch.run("key aimlapi --keyring", None)
    said = capsys.readouterr().out
    assert KEY not in said
    if kind == "none":
        assert said == "Key saved in the system keyring.\n"
        assert found() == (KEY, "keyring")
    else:
        assert "keyring" in said
        assert "Key saved for this kernel session only." in said
        assert "environment" in said
        assert found() == (KEY, "this kernel's memory")


@pytest.mark.parametrize("raised", [EOFError(), StdinNotImplementedError("no stdin"), OSError(5)])
def test_a_key_that_cannot_be_typed_is_one_line(
    raised: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getpass", Mock(side_effect=raised))
    with pytest.raises(SettingsError) as caught:
        dispatch.run("key aimlapi", None)
    assert caught.value.__context__ is None
    assert "AIML_API_KEY" in caught.value.todo


@pytest.mark.parametrize("bad", BAD)
def test_what_no_header_can_carry_is_no_key(bad: str) -> None:
    for take in (keys.remember, keys.store):
        with pytest.raises(SettingsError) as caught:
            take("aimlapi", key(bad))
        if bad.strip():
            assert bad not in str(caught.value)
    assert found() is None


@pytest.mark.parametrize("bad", ["two words", "schön-0123456789"])
def test_a_bad_key_in_a_variable_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bad: str
) -> None:
    monkeypatch.setenv("AIML_API_KEY", bad)
    with pytest.raises(SettingsError, match="AIML_API_KEY") as caught:
        found(tmp_path)
    assert bad not in str(caught.value)


def test_a_missing_key_tells_how_to_get_one() -> None:
    page = "https://aimlapi.com/app/keys"
    with pytest.raises(KeyMissing) as caught:
        keys.require("aimlapi", "AI/ML API", VARIABLES, page)
    error = caught.value
    for part in ("AIML_API_KEY", "%hailuo key aimlapi", page, "--provider demo"):
        assert part in error.todo
    assert "no charge" in error.money


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=12, max_size=80))
def test_a_key_never_shows_itself(value: str) -> None:
    it = key(value)
    assert value not in f"{it} {it!r} {[it]} {keys.KeyHeader('x-api-key', it)}"
    assert not hasattr(it, "__dict__")
    with pytest.raises(TypeError):
        pickle.dumps(it)


def test_a_key_that_was_found_is_redacted_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "zq-key-93847561029384"
    monkeypatch.setenv("AIML_API_KEY", secret)
    assert found()
    assert secret not in redact.text(f"the server says: bad key {secret}")
