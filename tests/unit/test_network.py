"""The way to the network as the environment describes it: proxies, exceptions, certificates."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hailuo_jupyter.errors import SettingsError
from hailuo_jupyter.providers import network
from hailuo_jupyter.providers.base import Call, Reply
from hailuo_jupyter.providers.http import Http, Unsent, parses
from tests.support.ports import closed_port
from tests.support.private_ca import PrivateCA, make_ca, serving_tls
from tests.support.socket_server import OK, answering

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
TRUST = ssl.create_default_context()
ASK = Call("GET", "https://api.example/v2/job")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that says nothing about the network."""
    for name in (*PROXIES, *map(str.lower, PROXIES), *network.CERTIFICATE_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(network, "_warned", set())


def send(url: str = ASK.url) -> Reply:
    async def work() -> Reply:
        http = Http()
        try:
            return await http.send(Call("GET", url), None, fresh=True)
        finally:
            await http.close()

    return asyncio.run(work())


# ── NO_PROXY ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("given", "skipped"),
    [
        ("fe80::/10", "fe80::/10"),
        ("fd07:b51a:cc66:f0::/64,internal.example", "fd07:b51a:cc66:f0::/64"),
        ("[::1]", ""),
        ("::1,localhost,127.0.0.1,[::1],10.0.0.0/8", ""),
        ("[fe80::1]:8080", "[fe80::1]:8080"),
        ("one two:three", "one two:three"),
        (" , ,", ""),
    ],
)
@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_what_cannot_be_parsed_is_skipped_with_one_warning(
    given: str,
    skipped: str,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with answering(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv(name, given)
        before = dict(os.environ)
        with caplog.at_level(logging.WARNING):
            for _ in range(2):
                with pytest.raises(Unsent):
                    send()
        assert dict(os.environ) == before
    assert proxy.received[0].startswith(b"CONNECT api.example:443 ")
    assert [record.getMessage() for record in caplog.records] == (
        [f"Skipped invalid entries of NO_PROXY: {skipped}. The proxy is used for them."]
        if skipped
        else []
    )


@pytest.mark.parametrize("given", ["api.example", ".example", "EXAMPLE", "*", "fe80::/10,example"])
def test_what_it_names_is_reached_without_the_proxy(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(OK) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", given)
        with pytest.raises(Unsent):  # there is no such host
            send()
    assert not [each for each in proxy.received if b"api.example" in each]


@given(st.text(max_size=40).filter(lambda text: "\0" not in text))
def test_no_exception_breaks_anything(given: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, "getproxies", lambda: {"no": given, "https": "http://proxy:1"})
        patch.setattr(network, "trust", lambda: TRUST)
        patterns, skipped = network.exceptions(parses)
        assert len(patterns) + len(skipped) == sum(bool(e.strip()) for e in given.split(","))
        Http()


# ── proxies ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("nonsense://me:secret@nowhere:1", "nonsense://nowhere:1"),
        ("http://me:secret@[half", "[half"),
        ("me:secret@nowhere:port", "nowhere:port"),
        ("http://me:secret@nowhere:99999", "nowhere:99999"),
        ("http://", "http://"),
        ("socks5://me:secret@nowhere:1", "socks5://nowhere:1"),
        ("http://me:secret@no where:1", "no where:1"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named_with_its_variable(
    name: str, given: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, given)
    with pytest.raises(SettingsError) as raised:
        Http()
    assert raised.value.what.startswith(name)
    assert shown in raised.value.what
    assert name in raised.value.todo
    assert "secret" not in str(raised.value)


def test_a_variable_that_is_not_used_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "nonsense://nowhere")
    monkeypatch.setenv("ALL_PROXY", "nonsense://nowhere")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    Http()


def test_a_proxy_that_refuses_or_is_down_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//me:secret@"))
        with pytest.raises(Unsent) as refused:
            send()
    assert str(refused.value) == (
        f"407 Proxy Authentication Required; HTTPS_PROXY names the proxy {proxy.url}"
    )
    monkeypatch.delenv("HTTPS_PROXY")
    with closed_port() as nobody:
        monkeypatch.setenv("all_proxy", f"http://{nobody}")
        with pytest.raises(Unsent) as down:
            send()
    assert str(down.value).endswith(f"; all_proxy names the proxy http://{nobody}")


# ── certificates ───────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> PrivateCA:
    return make_ca(tmp_path_factory.mktemp("ca"))


FILES: tuple[tuple[str, Callable[[PrivateCA], Path]], ...] = (
    ("REQUESTS_CA_BUNDLE", lambda ca: ca.certificate),
    ("REQUESTS_CA_BUNDLE", lambda ca: ca.folder),
    ("CURL_CA_BUNDLE", lambda ca: ca.certificate),
    ("CURL_CA_BUNDLE", lambda ca: ca.folder),
    ("SSL_CERT_FILE", lambda ca: ca.certificate),
    ("SSL_CERT_DIR", lambda ca: ca.folder),
)


@pytest.mark.parametrize(("name", "path"), FILES)
def test_a_private_authority_is_trusted(
    name: str, path: Callable[[PrivateCA], Path], ca: PrivateCA, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving_tls(ca, OK) as server:
        with pytest.raises(Unsent) as distrusted:
            send(f"https://localhost:{server.port}/")
        assert "CERTIFICATE_VERIFY_FAILED" in str(distrusted.value)
        assert "set REQUESTS_CA_BUNDLE to a PEM file" in str(distrusted.value)
        monkeypatch.setenv(name, str(path(ca)))
        assert send(f"https://localhost:{server.port}/").status == 200


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """The certificate of another authority."""
    (tmp_path / "other").mkdir()
    return make_ca(tmp_path / "other").certificate


def test_of_requests_variables_the_first_counts_in_place_of_the_usual_authorities(
    ca: PrivateCA, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(ca.certificate))
    with serving_tls(ca, OK) as server:
        with pytest.raises(Unsent) as distrusted:
            send(f"https://localhost:{server.port}/")
        assert f"certificates: REQUESTS_CA_BUNDLE {other}" in str(distrusted.value)
        assert len(network.trust().get_ca_certs()) == 1  # type: ignore[union-attr]
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "")  # as good as not set
        assert send(f"https://localhost:{server.port}/").status == 200


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_what_the_system_sets_does_not_hide_what_a_person_sets(
    name: str, ca: PrivateCA, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(each, str(ca.certificate if each == name else other))
    with serving_tls(ca, OK) as server:
        assert send(f"https://localhost:{server.port}/").status == 200


def test_a_proxy_is_reached_over_tls_with_the_same_trust(
    ca: PrivateCA, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving_tls(ca, b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"https://localhost:{proxy.port}")
        monkeypatch.setenv("CURL_CA_BUNDLE", str(ca.certificate))
        with pytest.raises(Unsent, match="407"):
            send()
    assert proxy.received[0].startswith(b"CONNECT api.example:443 ")


def _broken(tmp_path: Path, ca: PrivateCA, kind: str) -> Path:
    path = tmp_path / kind
    if kind == "empty":
        path.write_bytes(b"\n")
    elif kind == "not PEM":
        path.write_bytes(os.urandom(2000))
    elif kind == "key only":
        path.write_bytes(ca.server.read_bytes().partition(b"-----BEGIN CERT")[0])
    elif kind == "folder":
        path.mkdir()
        (path / "ca.pem").write_bytes(ca.certificate.read_bytes())
    return path


WRONG = {
    "missing": "which does not exist",
    "empty": "which is an empty file",
    "not PEM": "which is not a PEM file with certificates",
    "key only": "which is not a PEM file with certificates",
    "folder": "a folder without certificates under the names that OpenSSL looks for",
}


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("name", network.CERTIFICATE_VARIABLES)
def test_certificates_that_cannot_be_used_are_named_with_their_variable(
    name: str, kind: str, ca: PrivateCA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not name.startswith("SSL"):
        monkeypatch.setenv("SSL_CERT_FILE", str(ca.certificate))
    path = _broken(tmp_path, ca, kind)
    monkeypatch.setenv(name, str(path))
    why = WRONG[kind]
    if name == "SSL_CERT_FILE" and kind == "folder":
        why = "which is a folder, not a file"
    if name == "SSL_CERT_DIR" and kind not in {"missing", "folder"}:
        why = "which is not a folder"
    with pytest.raises(SettingsError) as raised:
        Http()
    assert raised.value.what == f"{name} is {str(path)!r}, {why}."
    assert name in raised.value.todo or "openssl rehash" in raised.value.todo
