"""The HTTP seam against real sockets: what proves that nothing arrived, and where keys never go."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import threading
import time

import pytest

from hailuo_jupyter import settings
from hailuo_jupyter.errors import SettingsError
from hailuo_jupyter.keys import Key, KeyHeader
from hailuo_jupyter.providers import http as seam
from hailuo_jupyter.providers.base import Call, Reply
from hailuo_jupyter.providers.http import Http, Lost, Patience, Unsent
from tests.support.ports import closed_port
from tests.support.socket_server import OK, Server, answering, serving

KEY = KeyHeader("x-api-key", Key("SG_0123456789abcdef", "the test"))


def redirect(to: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


def answer(body: bytes, *headers: str, status: int = 200) -> bytes:
    lines = [f"HTTP/1.1 {status} OK", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def send(
    call: Call,
    *,
    fresh: bool = True,
    headers: dict[str, str] | None = None,
    patience: Patience | None = None,
) -> Reply:
    async def work() -> Reply:
        http = Http(patience)
        try:
            return await http.send(call, KEY if headers is None else headers, fresh=fresh)
        finally:
            await http.close()

    return asyncio.run(work())


def download(link: str, trusted_host: str | None = "127.0.0.1") -> tuple[int, bytes]:
    async def work() -> tuple[int, bytes]:
        http = Http()
        try:
            async with http.download(link, trusted_host=trusted_host) as stream:
                return stream.status, b"".join([chunk async for chunk in stream.chunks])
        finally:
            await http.close()

    return asyncio.run(work())


def post(url: str) -> Call:
    return Call("POST", f"{url}/v2/clip", {"prompt": "ein Büffel 🐃", "image_url": None})


# ── what is sent and read ──────────────────────────────────────────────────────────────────────


def test_a_call_carries_body_key_and_its_own_headers() -> None:
    with answering(answer(b'{"request_id": "1"}', "X-Odd: Yes")) as server:
        call = post(server.url)
        reply = send(Call(call.method, call.url, call.body, {"X-Client-Request-Id": "me"}))
    assert (reply.status, reply.json, reply.headers["x-odd"]) == (200, {"request_id": "1"}, "Yes")
    head, _, body = server.received[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v2/clip HTTP/1.1\r\n")
    lines = {line.split(b":")[0].lower(): line for line in head.split(b"\r\n")[1:]}
    assert lines[b"x-api-key"].endswith(KEY.reveal().encode())
    assert lines[b"x-client-request-id"].endswith(b"me")
    assert lines[b"content-type"].endswith(b"application/json")
    assert json.loads(body) == {"prompt": "ein Büffel 🐃", "image_url": None}


def test_a_get_has_no_body() -> None:
    with answering(OK) as server:
        send(Call("GET", f"{server.url}/v2/requests/a%3Ab%2Fc/status"))
    assert server.received[0].startswith(b"GET /v2/requests/a%3Ab%2Fc/status HTTP/1.1\r\n")
    assert server.received[0].endswith(b"\r\n\r\n")


@pytest.mark.parametrize("status", [201, 400, 404, 422, 429, 500, 503])
def test_every_status_is_an_answer(status: int) -> None:
    with answering(answer(b'{"error": "x"}', "Retry-After: 7", status=status)) as server:
        reply = send(post(server.url))
    assert (reply.status, reply.retry_after, reply.table) == (status, "7", {"error": "x"})


def test_a_packed_answer_is_unpacked() -> None:
    packed = gzip.compress(b'{"request_id": "1"}')
    with answering(answer(packed, "Content-Encoding: gzip")) as server:
        assert send(post(server.url)).json == {"request_id": "1"}


def test_an_endless_answer_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seam, "_ANSWER_BYTES", 100_000)

    def serve(server: Server, connection: socket.socket) -> None:
        server.read(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")

    with serving(serve) as server:
        reply = send(post(server.url))
    assert 0 < len(reply.content) <= 100_000
    assert reply.json is None


def test_a_paid_call_never_uses_a_kept_connection() -> None:
    """A pooled connection that the server has closed meanwhile looks like a lost answer."""

    async def work(url: str) -> None:
        http = Http()
        for _ in range(3):
            await http.send(post(url), KEY, fresh=True)
        assert server.connections == 3
        for _ in range(3):
            await http.send(Call("GET", url), KEY)
        assert server.connections == 4, "polls share one"
        await http.close()

    with answering(OK) as server:
        asyncio.run(work(server.url))


# ── what proves that nothing arrived ───────────────────────────────────────────────────────────


def test_a_refused_connection_proves_that_nothing_arrived() -> None:
    with closed_port() as nobody, pytest.raises(Unsent):
        send(post(f"http://{nobody}"))


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64 + ".invalid"])
def test_a_name_that_cannot_be_looked_up_proves_it(host: str) -> None:
    with pytest.raises(Unsent):
        send(post(f"https://{host}"))


@pytest.mark.parametrize(
    "garbage", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x28", b""]
)
def test_a_failed_tls_handshake_proves_it(garbage: bytes) -> None:
    def serve(_: Server, connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(garbage)

    with serving(serve) as server, pytest.raises(Unsent):
        send(post(server.url.replace("http:", "https:")))


def test_a_handshake_that_never_ends_proves_it() -> None:
    with serving(lambda _, __: time.sleep(2)) as server, pytest.raises(Unsent):
        send(post(server.url.replace("http:", "https:")), patience=Patience(connect=0.3))


# ── after which nobody can know ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 2",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
        b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"request_id"',
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"re',
        b"SSH-2.0-OpenSSH_9.9\r\n",
        answer(b"no gzip", "Content-Encoding: gzip"),
    ],
)
def test_an_answer_that_breaks_off_is_lost(sent: bytes) -> None:
    def serve(server: Server, connection: socket.socket) -> None:
        server.read(connection)
        connection.sendall(sent)

    with serving(serve) as server, pytest.raises(Lost):
        send(post(server.url))


def test_a_connection_that_is_closed_unread_is_lost() -> None:
    """Some bytes left this machine, and nobody can tell whether they were read."""
    with serving(lambda _, connection: connection.close()) as server, pytest.raises(Lost):
        send(post(server.url))


def test_an_answer_that_does_not_come_is_lost() -> None:
    def serve(server: Server, connection: socket.socket) -> None:
        server.read(connection)
        ended.wait(60)

    ended, began = threading.Event(), time.monotonic()
    with serving(serve) as server:
        with pytest.raises(Lost):
            send(post(server.url), patience=Patience(read=0.3))
        took = time.monotonic() - began
        ended.set()
    assert took < 30


def test_a_submit_waits_longer_for_its_answer_than_to_connect() -> None:
    limits = Patience()
    assert limits.read >= 30 > limits.connect


def test_no_word_of_an_error_shows_a_key() -> None:
    with pytest.raises(Unsent) as caught:
        send(Call("GET", "https://no-such-host.invalid/?token=SG_0123456789abcdef"))
    assert "SG_0123456789abcdef" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None, "it would lead to frames that hold the key"


# ── redirects ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_call_follows_no_redirect(status: int) -> None:
    with answering(OK) as elsewhere, answering(redirect(elsewhere.url, status)) as server:
        assert send(post(server.url)).status == status
        assert elsewhere.connections == 0, "the key would have gone along"


def test_a_download_follows_redirects_without_any_key() -> None:
    with answering(answer(b"clip")) as media:
        middle = redirect(f"http://localhost:{media.port}/clip.mp4")
        with answering(middle) as second, answering(redirect(f"{second.url}/a?b=c")) as first:
            assert download(f"{first.url}/x") == (200, b"clip")
    for server in (first, second, media):
        for request in server.received:
            lowered = request.lower()
            assert b"x-api-key" not in lowered
            assert b"authorization" not in lowered
            assert b"cookie" not in lowered
    assert second.received[0].startswith(b"GET /a?b=c ")


def test_a_relative_redirect_stays_on_its_host() -> None:
    with answering(redirect("/there.mp4"), answer(b"clip")) as server:
        assert download(f"{server.url}/here/x") == (200, b"clip")
    assert server.received[1].startswith(b"GET /there.mp4 ")


def test_redirects_in_a_circle_end() -> None:
    with answering(redirect("/again")) as server, pytest.raises(Unsent, match="too many times"):
        download(server.url)
    assert len(server.received) == 6


def test_a_cookie_of_the_provider_stays_with_it() -> None:
    async def work(api: str, media: str) -> None:
        http = Http()
        await http.send(Call("GET", api), KEY)
        async with http.download(media, trusted_host="127.0.0.1") as stream:
            assert stream.status == 200
        await http.close()

    cookie = answer(b"{}", "Set-Cookie: session=secret; Path=/")
    with answering(cookie) as server, answering(answer(b"clip")) as media:
        asyncio.run(work(server.url, f"http://localhost:{media.port}/"))
    assert b"secret" not in media.received[0]


# ── links ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "link",
    [
        "http://media.example/clip.mp4",
        "ftp://127.0.0.1/clip.mp4",
        "file:///etc/passwd",
        "https://[::1",
        "https://",
        "https://a b/clip.mp4",
        "https://\ud800/clip.mp4",
        "https://no-such-host.invalid:99999/clip.mp4",
        "https://" + "a" * 70 + ".invalid/clip.mp4",
        "no link at all",
        "",
    ],
)
def test_a_link_that_leads_nowhere_is_an_error_of_ours(link: str) -> None:
    with pytest.raises((Unsent, Lost)):
        download(link)


@pytest.mark.parametrize("target", ["http://media.example/x", "https://[::1", "gopher://x"])
def test_a_redirect_that_leads_nowhere_is_an_error_of_ours(target: str) -> None:
    with answering(redirect(target)) as server, pytest.raises((Unsent, Lost)):
        download(server.url)


def test_a_providers_link_does_not_lead_into_this_machine() -> None:
    with answering(answer(b"secret")) as server:
        with pytest.raises(Unsent, match="this machine"):
            download(server.url, trusted_host="api.segmind.com")
        with pytest.raises(Unsent, match="this machine"):
            download(f"http://localhost:{server.port}/", trusted_host=None)
    assert server.connections == 0


def test_a_clip_is_asked_for_unpacked() -> None:
    """What is counted against Content-Length and hashed are the bytes of the file."""
    with answering(answer(b"clip")) as server:
        download(server.url)
    lines = server.received[0].lower().split(b"\r\n")
    encodings = [line for line in lines if line.startswith(b"accept-encoding:")]
    assert encodings in ([], [b"accept-encoding: identity"])


def test_a_download_that_breaks_off_is_lost() -> None:
    def serve(server: Server, connection: socket.socket) -> None:
        server.read(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 10)

    with serving(serve) as server, pytest.raises(Lost):
        download(server.url)


# ── the guard, and proxies ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "host", ["api.segmind.com", "127.0.0.1.nip.example", "localhost@evil.example"]
)
def test_the_guard_keeps_everything_on_this_machine(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv(settings.LOOPBACK_ONLY, "1")
    with pytest.raises(Unsent, match=settings.LOOPBACK_ONLY):
        send(post(f"https://{host}"))
    with pytest.raises(Unsent, match=settings.LOOPBACK_ONLY):
        download(f"https://{host}/clip.mp4")


def test_the_guard_holds_for_the_target_of_a_redirect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(settings.LOOPBACK_ONLY, "1")
    with (
        answering(redirect("https://media.example/clip.mp4")) as server,
        pytest.raises(Unsent, match=settings.LOOPBACK_ONLY),
    ):
        download(server.url)


PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("no_proxies")
def test_a_proxy_of_the_environment_does_not_stand_before_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with answering(answer(b"{}", status=418)) as proxy, answering(OK) as server:
        for name in PROXIES:
            monkeypatch.setenv(name, proxy.url)
        for host in ("127.0.0.1", "localhost"):
            url = f"http://{host}:{server.port}"
            assert send(post(url)).status == 200
            assert download(url) == (200, b"{}")
        assert proxy.connections == 0


@pytest.mark.usefixtures("no_proxies")
def test_a_proxy_of_the_environment_is_used_for_the_providers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with answering(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(Unsent):  # the tunnel was refused, so nothing arrived
            send(post("https://api.example"))
    assert proxy.received[0].startswith(b"CONNECT api.example:443 ")
    assert KEY.reveal().encode() not in proxy.received[0]


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "nonsense://x", "http://[half"])
def test_a_proxy_that_cannot_be_used_is_an_error_of_ours(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises((Unsent, SettingsError)):
        send(post("https://api.example"))
