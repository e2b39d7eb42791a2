"""The HTTP seam: the only module that imports httpx, so that its successor is a change of one line.

It tells apart what the whole design rests on: an error which proves that nothing arrived (`Unsent`)
and one after which nobody can know (`Lost`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import httpx

from hailuo_jupyter import redact, settings
from hailuo_jupyter.errors import NOTHING_SENT, SettingsError
from hailuo_jupyter.providers.base import Call, Reply

#: Seconds. A submit with two frames as data URIs is some 50 MB, hence the long write.
_TIMEOUT = httpx.Timeout(connect=10.0, read=60.0, write=120.0, pool=30.0)

#: Seconds for one call in all: an answer that trickles must not keep a run in the air.
_WHOLE_S = 300.0

#: No answer about a job is longer; what is longer is cut and then read as no JSON.
_ANSWER_BYTES = 8 * 1024 * 1024

_REDIRECTS = 5

#: Unpacked: what is counted against Content-Length, and hashed, are the file's own bytes.
_FOR_A_CLIP = {"Accept": "video/mp4,*/*", "Accept-Encoding": "identity"}


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


class Http:
    """Connections of one engine. All methods belong to the engine's own loop.

    Raises
    ------
    SettingsError
        If the environment names a proxy that cannot be used.
    """

    def __init__(self) -> None:
        redact.install()
        self._ssl = httpx.create_ssl_context()
        try:
            self._pool = self._client(
                httpx.Limits(max_connections=64, max_keepalive_connections=16)
            )
            # A pooled connection that the server has closed looks like a lost answer: submits get a
            # new one.
            self._fresh = self._client(
                httpx.Limits(max_connections=64, max_keepalive_connections=0)
            )
        except (ImportError, ValueError, httpx.InvalidURL) as error:
            raise SettingsError(
                f"The proxy that the environment names cannot be used ({_told(error)})",
                money=NOTHING_SENT,
                todo="Correct HTTPS_PROXY and ALL_PROXY, or remove them.",
            ) from None

    def _client(self, limits: httpx.Limits) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            timeout=_TIMEOUT,
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
        client = self._fresh if fresh else self._pool
        try:
            async with (
                asyncio.timeout(_WHOLE_S),
                client.stream(
                    call.method,
                    call.url,
                    json=call.body,
                    headers={"Accept": "application/json", **call.headers, **key_headers},
                ) as response,
            ):
                content = bytearray()
                async for chunk in response.aiter_bytes():
                    content += chunk
                    if len(content) > _ANSWER_BYTES:
                        break
                return Reply(response.status_code, _lower(response.headers), bytes(content))
        except _PROVES_UNSENT as error:
            raise Unsent(_told(error)) from None
        except TimeoutError:
            raise Lost(f"no whole answer within {_WHOLE_S:.0f} s") from None
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise Lost(_told(error)) from None

    @asynccontextmanager
    async def download(self, link: str, *, trusted_host: str | None) -> AsyncIterator[Stream]:
        """Open a clip's link, without any key, following at most five redirects.

        Parameters
        ----------
        link
            The address that the provider gave.
        trusted_host
            The provider's own host. Only when that is this machine may a link lead to it.

        Raises
        ------
        Unsent, Lost
            The link could not be opened, or broke; both may be tried again, since it costs nothing.
        """
        url = link
        try:
            for _ in range(_REDIRECTS + 1):
                _check_download(url, trusted_host)
                async with self._pool.stream("GET", url, headers=_FOR_A_CLIP) as response:
                    if response.is_redirect and (target := response.headers.get("location")):
                        url = _joined(url, target)
                        continue
                    yield Stream(
                        response.status_code,
                        _lower(response.headers),
                        response.aiter_raw(256 * 1024),
                    )
                    return
        except _PROVES_UNSENT as error:
            raise Unsent(_told(error)) from None
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise Lost(_told(error)) from None
        raise Unsent("the link was redirected too often")

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.aclose()
        await self._fresh.aclose()


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
