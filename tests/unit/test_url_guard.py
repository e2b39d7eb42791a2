"""Where a clip's link may lead, against real sockets: never into a private network."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import threading
import tracemalloc
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hailuo_jupyter import hosts, settings
from hailuo_jupyter.engine.download import Target, download
from hailuo_jupyter.errors import ClipTooLarge, SettingsError
from hailuo_jupyter.providers import http as seam
from hailuo_jupyter.providers import url_guard
from hailuo_jupyter.providers.base import Call, Reply
from hailuo_jupyter.providers.http import Http, Lost, Patience, Unsent

FAR = "api.provider.example"


def fetch(link: str, trusted_host: str | None = FAR, patience: Patience | None = None) -> bytes:
    async def work() -> bytes:
        http = Http(patience)
        try:
            async with http.download(link, trusted_host=trusted_host) as stream:
                return b"".join([chunk async for chunk in stream.chunks])
        finally:
            await http.close()

    return asyncio.run(work())


@pytest.fixture(autouse=True)
def no_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' own guard would refuse these before anything else could."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", settings.LOOPBACK_ONLY):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


# ── addresses ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.5.4", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
        "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:192.168.1.1", "64:ff9b::a00:1", "2002:a00:1::", "no address", "",
        # Further forms that hold a private IPv4 address.
        "::127.0.0.1", "::10.0.0.1", "::ffff:0:10.0.0.1", "64:ff9b:1::a00:1", "64:ff9b:1:2:3:4:a00:1",
        "2a00::5efe:10.0.0.1", "2a00:1:2:3:200:5efe:192.168.0.1", "2001:0:a00:1::",
    ],
)  # fmt: skip
def test_an_address_of_a_private_network_is_not_public(address: str) -> None:
    assert not url_guard.is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8",
        "64:ff9b:1::808:808", "2a00::5efe:8.8.8.8", "2606:4700:4700::a00:1",
        "198.18.0.7",  # what a proxy that works as a network device gives every name
    ],
)  # fmt: skip
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert url_guard.is_public(address)


@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.1", "192.168.1.1", "169.254.169.254", "[fe80::1]", "[::ffff:10.0.0.1]", "[fd00::1]",
        # Other ways to write 127.0.0.1, which the system's lookup takes.
        "2130706433", "0x7f000001", "0x7f.1", "127.1", "0177.0.0.1",
    ],
)  # fmt: skip
def test_a_providers_link_does_not_lead_into_a_private_network(host: str) -> None:
    with pytest.raises(Unsent, match=r"private network|this machine|Invalid IPv4"):
        fetch(f"https://{host}/clip.mp4")


#: 127.0.0.1 as a name that libraries turn into it, by IDNA, by NFKC or by their system.
DISGUISED = [
    "127\u30020\u30020\u30021", "127\uff0e0\uff0e0\uff0e1", "127\uff610.0.1", "127.0.0.1.",
    "\uff11\uff12\uff17.0.0.1", "\u2460\u2461\u2466.0.0.1", "127%2E0%2E0%2E1", "LOCALHOST", "localhost\u3002",
    "\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3",
]  # fmt: skip


@pytest.mark.parametrize("host", DISGUISED)
def test_this_machine_under_another_spelling_is_refused(host: str) -> None:
    # It listens, so that whoever connects is seen.
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.3)
        port = listening.getsockname()[1]
        with pytest.raises(Unsent, match="this machine"):
            fetch(f"https://{host}:{port}/clip.mp4")
        with pytest.raises(TimeoutError):
            listening.accept()
    assert settings.is_loopback(host)


@pytest.mark.parametrize(
    "host", ["0x7f.1", "2130706433", "0177.0.0.1", "10.0.0.1", "[::ffff:10.0.0.1]"]
)
def test_behind_a_proxy_an_address_is_looked_at_all_the_same(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(0.3)
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        with pytest.raises(Unsent, match="private network"):
            fetch(f"https://{host}/clip.mp4")
        with pytest.raises(TimeoutError):
            proxy.accept()
    assert not settings.is_loopback("0x7f.1"), "a proxy may take it for a name"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("API.Segmind.com", "api.segmind.com"),
        ("api\u3002segmind.com", "api.segmind.com"),
        ("api.segmind.com.", "api.segmind.com"),
        ("\uff41pi.segmind.com", "api.segmind.com"),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
    ],
)
def test_one_host_by_two_spellings(one: str, other: str) -> None:
    assert hosts.normalized(one) == hosts.normalized(other)
    assert seam._trusted(f"https://{one}/c.mp4", other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("\u0430pi.segmind.com", "api.segmind.com"),  # a Cyrillic letter
        ("fa\u00df.example", "fass.example"),  # another host since IDNA 2008
        ("api.segmind.com.evil.example", "api.segmind.com"),
        ("", "api.segmind.com"),
    ],
)
def test_two_hosts_that_look_alike(one: str, other: str) -> None:
    assert hosts.normalized(one) != hosts.normalized(other)


@given(st.text(max_size=40))
def test_any_host_has_a_normal_form(host: str) -> None:
    assert isinstance(hosts.normalized(host), str)
    hosts.address(host)
    settings.is_loopback(host)


@given(st.ip_addresses())
def test_an_address_is_itself(address: Any) -> None:
    assert hosts.address(str(address)) == address
    if address.version == 4:
        assert hosts.address(str(int(address))) == hosts.address(hex(int(address))) == address


def answers(monkeypatch: pytest.MonkeyPatch, *rounds: list[str]) -> list[str]:
    """Have names looked up by a table, round by round; nobody can be made to own such names."""
    asked: list[str] = []
    left = list(rounds)

    async def getaddrinfo(_: Any, host: str, port: int, **__: Any) -> list[Any]:
        asked.append(str(host))
        found = left.pop(0) if len(left) > 1 else left[0]
        return [(2, 1, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return asked


def test_a_name_that_leads_into_a_private_network_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers(monkeypatch, ["192.168.0.7"])
    with pytest.raises(Unsent, match="private network"):
        fetch("https://clips.example/clip.mp4")


def test_a_name_with_one_private_address_among_public_ones_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers(monkeypatch, ["8.8.8.8", "10.0.0.7"])
    with pytest.raises(Unsent, match="private network"):
        fetch("https://clips.example/clip.mp4")


# ── one lookup, and the certificate's name ─────────────────────────────────────────────────────


class Serving:
    """An https server that calls itself clips.example, on an address that counts as public here."""

    def __init__(self, folder: Path, redirect: str | None = None) -> None:
        asked = self.asked = []  # type: list[str]

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.headers["Host"])
                self.send_response(302 if redirect else 200)
                if redirect:
                    self.send_header("Location", redirect)
                self.send_header("Content-Length", "4")
                self.end_headers()
                self.wfile.write(b"clip")

            def log_message(self, *_: Any) -> None:
                pass

        self.certificate, key = folder / "cert.pem", folder / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-keyout", str(key), "-out", str(self.certificate), "-days", "2",
             "-subj", "/CN=clips.example", "-addext", "subjectAltName=DNS:clips.example"],
            check=True, capture_output=True,
        )  # fmt: skip
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def public(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    serving = Serving(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(serving.certificate))
    # No address that is really public can be served from here.
    real = url_guard.is_public
    monkeypatch.setattr(url_guard, "is_public", lambda each: each == "127.0.0.1" or real(each))
    yield serving
    serving.server.shutdown()
    serving.server.server_close()


def test_the_address_that_was_looked_at_is_the_one_that_is_used(
    public: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that answers differently the second time (DNS rebinding) is not asked a second time."""
    asked = answers(monkeypatch, ["127.0.0.1"], ["10.0.0.1"])
    assert fetch(f"https://clips.example:{public.port}/clip.mp4") == b"clip"
    assert asked.count("clips.example") == 1
    assert public.asked == [f"clips.example:{public.port}"], "the name goes along"


def test_the_certificate_is_checked_against_the_name(
    public: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, ["127.0.0.1"])
    with pytest.raises(Unsent):
        fetch(f"https://other.example:{public.port}/clip.mp4")
    assert not public.asked


def test_the_next_address_is_tried_where_one_does_not_answer(
    public: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, ["198.18.255.254", "127.0.0.1"])
    patience = Patience(connect=0.3)
    assert fetch(f"https://clips.example:{public.port}/clip.mp4", patience=patience) == b"clip"


def test_a_redirect_into_a_private_network_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving = Serving(tmp_path, redirect="https://inside.example/secret")
    monkeypatch.setenv("SSL_CERT_FILE", str(serving.certificate))
    real = url_guard.is_public
    monkeypatch.setattr(url_guard, "is_public", lambda each: each == "127.0.0.1" or real(each))
    asked = answers(monkeypatch, ["127.0.0.1"], ["10.0.0.1"])
    with pytest.raises(Unsent, match="private network"):
        fetch(f"https://clips.example:{serving.port}/clip.mp4")
    assert asked == ["clips.example", "inside.example"]
    serving.server.shutdown()
    serving.server.server_close()


def test_a_provider_in_a_private_network_may_serve_its_own_clips(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A person has named that address; a key goes there anyhow."""
    with pytest.raises((Unsent, Lost)) as caught:
        fetch("https://10.255.255.1:1/x", "10.255.255.1", Patience(connect=0.2))
    assert "private network" not in str(caught.value)


# ── what an answer may cost ────────────────────────────────────────────────────────────────────


class Pouring:
    """A plain server that sends a head, and then a block again and again."""

    def __init__(self, head: bytes, block: bytes) -> None:
        import socket

        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.sent = 0
        self._head, self._block = head, block
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        connection, _ = self._listening.accept()
        with connection, self._listening:
            connection.recv(65536)
            connection.sendall(self._head)
            try:
                while self.sent < 200_000_000:
                    connection.sendall(self._block)
                    self.sent += len(self._block)
            except OSError:
                return


def peak_of(call: Call) -> tuple[Reply, int]:
    async def work() -> tuple[Reply, int]:
        http = Http()
        tracemalloc.start()
        try:
            reply = await http.send(call, None)
            _ = reply.json, reply.words(), reply.kept
            return reply, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            await http.close()

    return asyncio.run(work())


def test_an_answer_of_200_mb_costs_a_few() -> None:
    serving = Pouring(b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n", b"[" + b"1," * 32000)
    reply, peak = peak_of(Call("GET", serving.url))
    assert reply.table == {}
    assert serving.sent < 100_000_000, "it was not read to its end"
    assert peak < 20_000_000


def test_a_small_packed_answer_cannot_fill_the_memory() -> None:
    packer = zlib.compressobj(wbits=31)
    bomb = packer.compress(b" " * 100_000_000) + packer.flush()
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n"
    reply, peak = peak_of(Call("GET", Pouring(head.encode(), bomb).url))
    assert reply.words() == ""
    assert peak < 20_000_000


def test_what_is_packed_in_a_way_that_was_not_asked_for_is_not_unpacked() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 4\r\n\r\n"
    reply, _ = peak_of(Call("GET", Pouring(head, b"\x0b\x02\x80{").url))
    assert reply.table == {}


def fetched(serving: Pouring, folder: Path, largest: int) -> int:
    """Fetch a clip that is too large, and give the most memory that it took."""

    async def work() -> int:
        http, target = Http(), Target(folder, "20261120-140312-7f3kq9")
        tracemalloc.start()
        try:
            with pytest.raises(ClipTooLarge, match="larger than"):
                await download(http, serving.url, target, trusted_host="127.0.0.1", largest=largest)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            await http.close()

    return asyncio.run(work())


def test_a_clip_that_says_it_is_too_large_is_not_begun_with(tmp_path: Path) -> None:
    serving = Pouring(b"HTTP/1.1 200 OK\r\nContent-Length: 4000000000\r\n\r\n", b"x" * 65536)
    assert fetched(serving, tmp_path / "clips", 2 * 1000**3) < 5_000_000
    assert not (tmp_path / "clips").exists()


def test_bytes_without_end_cost_no_memory_and_are_not_kept(tmp_path: Path) -> None:
    serving = Pouring(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536)
    assert fetched(serving, tmp_path, 80_000_000) < 10_000_000
    assert serving.sent >= 40_000_000
    assert not list(tmp_path.iterdir())


def test_a_download_that_trickles_is_broken_off() -> None:
    import socket
    import time

    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                try:
                    while True:
                        connection.sendall(b"x")
                        time.sleep(0.02)
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(Lost, match="bytes came in"):
            fetch(url, "127.0.0.1", Patience(window=0.3, least=1000))


# ── addresses of the environment ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "address",
    ["http://api.example", "http://10.0.0.1", "http://127.0.0.1.example", "ftp://localhost"],
)
def test_a_base_address_is_https_or_this_machine(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("SEGMIND_BASE_URL", address)
    with pytest.raises(SettingsError):
        settings.address("https://api.segmind.com", "SEGMIND_BASE_URL")


def test_a_dotenv_file_of_a_cloned_folder_redirects_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hailuo_jupyter import catalogue, keys, providers

    for name in ("SEGMIND_BASE_URL", "SEGMIND_STORAGE_URL", "SEGMIND_HISTORY_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("SEGMIND_API_KEY", raising=False)
    lines = "".join(
        f"{name}_URL=https://evil.example\n" for name in ("SEGMIND_BASE", "SEGMIND_STORAGE")
    )
    (tmp_path / ".env").write_text(f"{lines}SEGMIND_API_KEY=SG_0123456789abcdef\n")
    monkeypatch.chdir(tmp_path)
    whose = catalogue.provider("segmind")
    assert keys.find("segmind", whose.key_variables, tmp_path) is not None
    assert "evil" not in " ".join(providers.dialect(whose).addresses.values())


def test_the_limits_are_what_the_engine_uses() -> None:
    assert seam._ANSWER_BYTES <= 8 * 1024 * 1024
    assert settings.Hailuo().largest_clip == 2 * 1000**3
