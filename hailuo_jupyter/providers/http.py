"""The HTTP seam: the only module that imports httpx, so that its successor is a change of one line.

It tells apart what the whole design rests on: an error which proves that nothing arrived (`Unsent`)
and one after which nobody can know (`Lost`).
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import httpx

from hailuo_jupyter import redact, settings
from hailuo_jupyter.errors import NOTHING_SENT, SettingsError
from hailuo_jupyter.providers import reach
from hailuo_jupyter.providers.base import Call, Reply

#: No answer about a job is longer, unpacked, in bytes. Read as JSON it may take 30 times as much.
_ANSWER_BYTES = 2 * 1024 * 1024

#: Of a longer one, which can be no answer about a job, so much is kept for its words.
_WORDS_BYTES = 64 * 1024

_REDIRECTS = 5

#: Seconds for which a connection is kept that nobody uses: longer than between two looks at a job.
_KEPT_S = 30.0

#: gzip only: it can be unpacked up to a limit, so that a small answer cannot fill the memory.
_FOR_AN_ANSWER = {"Accept": "application/json", "Accept-Encoding": "gzip"}

#: Unpacked: what is counted against Content-Length, and hashed, are the file's own bytes.
_FOR_A_CLIP = {"Accept": "video/mp4,*/*", "Accept-Encoding": "identity"}


@dataclass(frozen=True)
class Patience:
    """How long the network is waited for.

    Parameters
    ----------
    connect, read, write, pool
        Seconds for a connection, the next bytes of an answer, the next bytes of a request, and a
        free connection. A submit with two frames as data URIs is some 50 MB, hence the long write.
    whole
        Seconds for one call in all: an answer that trickles must not keep a run in the air.
    window, least
        A download that brings less than `least` bytes in `window` seconds is broken off: at a byte
        a second a clip of 20 MB would take 8 months.
    """

    connect: float = 10.0
    read: float = 60.0
    write: float = 120.0
    pool: float = 30.0
    whole: float = 300.0
    window: float = 60.0
    least: int = 60 * 1024

    def timeout(self) -> httpx.Timeout:
        """Give the part of it that httpx knows."""
        return httpx.Timeout(connect=self.connect, read=self.read, write=self.write, pool=self.pool)


class Unsent(Exception):
    """The connection could not be made: nothing arrived."""


class Lost(Exception):
    """The connection broke after something may have been sent."""


#: httpx's errors that can only come before the first byte of a request leaves.
_PROVES_UNSENT = (
    httpx.ConnectError,  # name lookup, refused connection, TLS handshake
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.InvalidURL,
)


@dataclass(frozen=True)
class Stream:
    """An open download: status code, headers with lower-case names, and the bytes as they come."""

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes] = field(repr=False)


class _ToPublicHosts(httpx.AsyncHTTPTransport):
    """Connects to public addresses only, and to the very address that was looked at.

    A name is looked up once, here: looked up again for the connection, it could lead elsewhere (DNS
    rebinding). Certificates are checked against the name all the same. Where a proxy of the
    environment makes the connections, it looks the names up, and this class has no part in it.
    """

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request to the first of the host's addresses that takes it."""
        url, host = request.url, request.url.raw_host.decode("ascii")
        limits = request.extensions.get("timeout", {})
        try:
            async with asyncio.timeout(limits.get("connect")):
                addresses = await reach.public_addresses(
                    host, url.port or (443 if url.scheme == "https" else 80)
                )
        except reach.NotPublic:
            raise Unsent("the clip's link leads into a private network") from None
        except TimeoutError:
            raise httpx.ConnectTimeout("the name was not found in time") from None
        except OSError as error:
            raise httpx.ConnectError(str(error)) from None
        trouble: httpx.TransportError = httpx.ConnectError("the name has no address")
        for address in addresses:
            try:
                return await super().handle_async_request(
                    httpx.Request(
                        request.method,
                        url.copy_with(host=address),
                        headers=request.headers,  # with the name as Host
                        stream=request.stream,
                        extensions={**request.extensions, "sni_hostname": host},
                    )
                )
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                trouble = error
        raise trouble


class _Stack:
    """Clients of one connection each; the one that was used last is used next.

    A pool of httpx's own looks at each of its idle connections for each request, with calls of the
    system. With many runs that took longer than the request.

    Parameters
    ----------
    make
        Makes a client; the first one at once, so that whatever is wrong shows.
    most, kept
        Clients in use at once, and of those not in use.
    """

    def __init__(self, make: Callable[[], httpx.AsyncClient], *, most: int, kept: int) -> None:
        self._make, self._kept, self._turn = make, kept, asyncio.Semaphore(most)
        self._free = [make()]

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[httpx.AsyncClient]:
        """Lend a client for one request."""
        async with self._turn:
            client = self._free.pop() if self._free else self._make()
            try:
                yield client
            finally:
                if len(self._free) < self._kept:
                    self._free.append(client)
                else:
                    await client.aclose()

    async def aclose(self) -> None:
        """Close those not in use."""
        while self._free:
            await self._free.pop().aclose()


class Http:
    """Connections of one engine. All methods belong to the engine's own loop.

    Parameters
    ----------
    patience
        How long the network is waited for.

    Raises
    ------
    SettingsError
        If the environment names a proxy that cannot be used.
    """

    def __init__(self, patience: Patience | None = None) -> None:
        redact.install()
        self._patience = patience or Patience()
        self._ssl = httpx.create_ssl_context()
        kept = httpx.Limits(
            max_connections=1, max_keepalive_connections=1, keepalive_expiry=_KEPT_S
        )
        new_each_time = httpx.Limits(max_connections=64, max_keepalive_connections=0)
        try:
            self._kept = _Stack(lambda: self._client(kept), most=64, kept=16)
            # A pooled connection that the server has closed looks like a lost answer: submits get a
            # new one.
            self._fresh = self._client(new_each_time)
            # Connections are kept by address, and one address may serve many names.
            self._foreign = self._client(
                new_each_time, _ToPublicHosts(verify=self._ssl, limits=new_each_time)
            )
        except (ImportError, ValueError, httpx.InvalidURL) as error:
            raise SettingsError(
                f"The proxy that the environment names cannot be used ({_told(error)})",
                money=NOTHING_SENT,
                todo="Correct HTTPS_PROXY and ALL_PROXY, or remove them.",
            ) from None

    def _client(
        self, limits: httpx.Limits, transport: httpx.AsyncBaseTransport | None = None
    ) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=transport,
            timeout=self._patience.timeout(),
            limits=limits,
            verify=self._ssl,
            follow_redirects=False,
            # A proxy of the environment must not stand before this machine's own simulator.
            mounts={
                f"all://{host}": httpx.AsyncHTTPTransport(verify=self._ssl, limits=limits)
                for host in ("127.0.0.1", "localhost", "[::1]")
            },
            headers={"User-Agent": "hailuo-jupyter"},
        )

    async def send(
        self, call: Call, key_headers: Mapping[str, str], *, fresh: bool = False
    ) -> Reply:
        """Send one call and read its whole answer.

        Parameters
        ----------
        call
            What to send.
        key_headers
            The headers that carry the key.
        fresh
            Use a new connection, as a paid call must.

        Raises
        ------
        Unsent
            Nothing arrived.
        Lost
            Something may have arrived.
        """
        _guard(call.url)
        whole = self._patience.whole
        try:
            async with (
                self._lent(self._fresh if fresh else None) as client,
                asyncio.timeout(whole),
                client.stream(
                    call.method,
                    call.url,
                    json=call.body,
                    headers={**_FOR_AN_ANSWER, **call.headers, **key_headers},
                ) as response,
            ):
                content = await _content(response)
                return Reply(response.status_code, _lower(response.headers), content)
        except _PROVES_UNSENT as error:
            raise Unsent(_told(error)) from None
        except TimeoutError:
            raise Lost(f"no whole answer within {whole:g} s") from None
        except (httpx.HTTPError, httpx.StreamError, zlib.error) as error:
            raise Lost(_told(error)) from None

    @asynccontextmanager
    async def download(self, link: str, *, trusted_host: str | None) -> AsyncIterator[Stream]:
        """Open a clip's link, without any key, following at most five redirects.

        Parameters
        ----------
        link
            The address that the provider gave.
        trusted_host
            The provider's own host. A link may lead to it, and to a private address only when that is
            this machine.

        Raises
        ------
        Unsent, Lost
            The link could not be opened, or broke; both may be tried again, since it costs nothing.
        """
        url = link
        try:
            for _ in range(_REDIRECTS + 1):
                _check_download(url, trusted_host)
                foreign = None if _trusted(url, trusted_host) else self._foreign
                async with (
                    self._lent(foreign) as client,
                    client.stream("GET", url, headers=_FOR_A_CLIP) as response,
                ):
                    if response.is_redirect and (target := response.headers.get("location")):
                        url = _joined(url, target)
                        continue
                    yield Stream(
                        response.status_code,
                        _lower(response.headers),
                        self._flowing(response.aiter_raw()),
                    )
                    return
        except _PROVES_UNSENT as error:
            raise Unsent(_told(error)) from None
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise Lost(_told(error)) from None
        raise Unsent("the link was redirected too often")

    async def _flowing(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Give what comes, as long as it does not merely trickle."""
        since, got = time.monotonic(), 0
        async for chunk in chunks:
            yield chunk
            got += len(chunk)
            if time.monotonic() - since > self._patience.window:
                if got < self._patience.least:
                    raise Lost(f"only {got} bytes came in {self._patience.window:g} s")
                since, got = time.monotonic(), 0

    async def close(self) -> None:
        """Close every connection."""
        for each in (self._kept, self._fresh, self._foreign):
            await each.aclose()

    @asynccontextmanager
    async def _lent(self, client: httpx.AsyncClient | None) -> AsyncIterator[httpx.AsyncClient]:
        """Give this client, or for None one whose connection is kept."""
        if client is not None:
            yield client
        else:
            async with self._kept.lent() as kept:
                yield kept


async def _content(response: httpx.Response) -> bytes:
    """Read and unpack an answer; of one that is too long, its beginning."""
    packed = response.headers.get("content-encoding", "").strip().lower() in {"gzip", "x-gzip"}
    unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS) if packed else None
    content = bytearray()
    async for chunk in response.aiter_raw():
        room = _ANSWER_BYTES + 1 - len(content)
        content += unpacker.decompress(chunk, room) if unpacker else chunk
        if len(content) > _ANSWER_BYTES:
            return bytes(content[:_WORDS_BYTES])
    return bytes(content)


def _lower(headers: httpx.Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _told(error: Exception) -> str:
    return redact.text(str(error)).rstrip(".") or type(error).__name__


def _joined(url: str, target: str) -> str:
    try:
        return urljoin(url, target)
    except ValueError:
        raise Unsent("the clip's link was redirected to what is no address") from None


def _guard(url: str) -> None:
    """Keep tests and demo on this machine, whatever address and key they are given."""
    if settings.loopback_only() and not settings.is_loopback(urlsplit(url).hostname):
        raise Unsent(f"{settings.LOOPBACK_ONLY} is set, and this address is not this machine")


def _trusted(url: str, trusted_host: str | None) -> bool:
    """Tell whether a link may lead into a private network: the provider is there itself."""
    return settings.is_loopback(trusted_host) or urlsplit(url).hostname == trusted_host


def _check_download(url: str, trusted_host: str | None) -> None:
    """Refuse links that lead where a provider's clip cannot lie."""
    try:
        parts = urlsplit(url)
        loopback = settings.is_loopback(parts.hostname)
    except ValueError:  # half an IPv6 address
        raise Unsent("the clip's link is no address") from None
    _guard(url)
    if parts.scheme not in {"https", "http"} or (parts.scheme == "http" and not loopback):
        raise Unsent("the clip's link is not https")
    if loopback and not settings.is_loopback(trusted_host):
        raise Unsent("the clip's link leads to this machine, which the provider is not")
