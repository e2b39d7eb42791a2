"""The HTTP seam: the only module that imports httpx, so that it can be replaced in one place.

It distinguishes two errors that the whole design depends on: one that proves that nothing arrived (`Unsent`)
and one after which that is unknown (`Lost`).
"""

from __future__ import annotations

import asyncio
import ssl
import time
import zlib
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import urljoin, urlsplit

import httpx

from hailuo_jupyter import hosts, redact, settings
from hailuo_jupyter.keys import KeyHeader
from hailuo_jupyter.providers import network, url_guard
from hailuo_jupyter.providers.base import Call, Reply
from hailuo_jupyter.providers.inner_frames import without_inner_frames
from hailuo_jupyter.providers.unpack import NotWhole, unpacked

#: Maximum bytes of an answer about a job, unpacked. Parsed as JSON it may take 30 times as much.
_ANSWER_BYTES = 2 * 1024 * 1024

#: A longer one is not an answer about a job; this much is kept for its message.
_WORDS_BYTES = 64 * 1024

_REDIRECTS = 5

#: Seconds for which an idle connection is kept: longer than between two polls of a job.
_KEPT_S = 30.0

#: gzip only: it can be unpacked up to a limit, so that a small answer cannot fill memory.
_FOR_AN_ANSWER = {"Accept": "application/json", "Accept-Encoding": "gzip"}

#: Not compressed: so the received bytes can be compared with Content-Length.
_FOR_A_CLIP = {"Accept": "video/mp4,*/*", "Accept-Encoding": "identity"}


@dataclass(frozen=True)
class Patience:
    """Network timeouts.

    Parameters
    ----------
    connect, read, write, pool
        Seconds for a connection, the next bytes of an answer, the next bytes of a request, and a
        free connection. A submit with two frames as data URIs is about 50 MB, hence the long write.
    whole
        Seconds for one whole call: a very slow answer must not block a run.
    window, least
        A download of less than `least` bytes in `window` seconds is aborted: at a byte
        per second a clip of 20 MB would take 8 months.
    """

    connect: float = 10.0
    read: float = 60.0
    write: float = 120.0
    pool: float = 30.0
    whole: float = 300.0
    window: float = 60.0
    least: int = 60 * 1024

    def timeout(self) -> httpx.Timeout:
        """Return the part that httpx supports."""
        return httpx.Timeout(connect=self.connect, read=self.read, write=self.write, pool=self.pool)


class Unsent(Exception):
    """The connection could not be made: nothing arrived."""


class Lost(Exception):
    """The connection failed after something may have been sent.

    Parameters
    ----------
    what
        What happened.
    part
        The part of the answer received so far; None if not even its status.
    """

    def __init__(self, what: str, part: Reply | None = None) -> None:
        super().__init__(what)
        self.part = part


#: httpx's errors that can only occur before the first byte of a request is sent.
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
    """An open download: status code, headers with lower-case names, and the file's bytes as they arrive."""

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes] = field(repr=False)


class _ToPublicHosts(httpx.AsyncHTTPTransport):
    """Connects to public addresses only, and to exactly the address that was checked.

    A name is resolved once, here: resolved again for the connection, it could have another address (DNS
    rebinding). Certificates are still checked against the name. If a proxy of the
    environment makes the connections, the proxy resolves the names, and this class is not used.
    """

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request to the first of the host's addresses that accepts it."""
        url, host = request.url, request.url.raw_host.decode("ascii")
        limits = request.extensions.get("timeout", {})
        try:
            async with asyncio.timeout(limits.get("connect")):
                addresses = await url_guard.public_addresses(
                    host, url.port or (443 if url.scheme == "https" else 80)
                )
        except url_guard.NotPublic:
            raise Unsent("the download link points to a private network") from None
        except TimeoutError:
            raise httpx.ConnectTimeout("the name was not found in time") from None
        except OSError as error:
            raise httpx.ConnectError(str(error)) from None
        trouble: httpx.TransportError = httpx.ConnectError("the host name has no address")
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


class _ThroughProxy(httpx.AsyncHTTPTransport):
    """Connects through the environment's proxy, and names it if that fails."""

    def __init__(
        self, proxy: network.Proxy, *, verify: ssl.SSLContext, limits: httpx.Limits
    ) -> None:
        self._proxy = proxy
        secured = proxy.url.startswith("https:")
        try:
            super().__init__(
                verify=verify,
                limits=limits,
                proxy=httpx.Proxy(proxy.url, ssl_context=verify if secured else None),
            )
        except (ImportError, ValueError, httpx.InvalidURL):
            raise network.unusable_proxy(proxy) from None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request through the proxy."""
        try:
            return await super().handle_async_request(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            raise type(error)(f"{str(error) or type(error).__name__}; {self._proxy}") from None


class _Stack:
    """Clients with one connection each; the most recently used one is reused first.

    httpx's own pool checks each of its idle connections for each request, with calls of the
    system. With many runs that took longer than the request.

    Parameters
    ----------
    make
        Creates a client; the first one at once, to detect errors early.
    most, kept
        Maximum clients in use at once, and idle ones.
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
        """Close the idle clients."""
        while self._free:
            await self._free.pop().aclose()


@cache
def _usual_trust() -> ssl.SSLContext:
    """Return a context that trusts the usual certificates, read once per process."""
    return httpx.create_ssl_context(trust_env=False)


class Http:
    """Connections of one engine. All methods run on the engine's loop.

    Parameters
    ----------
    patience
        Network timeouts.

    Raises
    ------
    SettingsError
        If the environment names a proxy or certificates that cannot be used.
    """

    def __init__(self, patience: Patience | None = None) -> None:
        redact.install()
        self._patience = patience or Patience()
        self._ssl = network.trust() or _usual_trust()
        self._proxy, (self._direct, skipped) = network.proxy(), network.exceptions(parses)
        if self._proxy is not None:
            network.warn_once(skipped)
        kept = httpx.Limits(
            max_connections=1, max_keepalive_connections=1, keepalive_expiry=_KEPT_S
        )
        new_each_time = httpx.Limits(max_connections=64, max_keepalive_connections=0)
        self._kept = _Stack(lambda: self._client(kept), most=64, kept=16)
        # A pooled connection that the server has closed looks like a lost answer: submits use a
        # new one.
        self._fresh = self._client(new_each_time)
        # Connections are pooled by address, and one address may serve many names.
        self._foreign = self._client(
            new_each_time, _ToPublicHosts(verify=self._ssl, limits=new_each_time)
        )

    def _client(
        self, limits: httpx.Limits, transport: httpx.AsyncBaseTransport | None = None
    ) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=transport,
            timeout=self._patience.timeout(),
            limits=limits,
            verify=self._ssl,
            follow_redirects=False,
            # The environment's proxy is in `mounts`; httpx itself would fail at an IPv6 range in
            # NO_PROXY (https://github.com/encode/httpx/issues/3221).
            trust_env=False,
            mounts=self._mounts(limits),
            headers={"User-Agent": "hailuo-jupyter"},
        )

    def _mounts(self, limits: httpx.Limits) -> dict[str, httpx.AsyncBaseTransport | None]:
        """Return which requests go through the proxy and which do not; the most specific pattern applies."""
        mounts: dict[str, httpx.AsyncBaseTransport | None] = {}
        if self._proxy is not None and "*" not in self._direct:
            mounts = dict.fromkeys(self._direct)
            mounts["all://"] = _ThroughProxy(self._proxy, verify=self._ssl, limits=limits)
        # A proxy of the environment must not be used for this machine's own simulator.
        for host in ("127.0.0.1", "localhost", "[::1]"):
            mounts[f"all://{host}"] = httpx.AsyncHTTPTransport(verify=self._ssl, limits=limits)
        return mounts

    async def send(self, call: Call, key: KeyHeader | None, *, fresh: bool = False) -> Reply:
        """Send one call and read its whole answer.

        Parameters
        ----------
        call
            What to send.
        key
            The header with the key; None for none.
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
        failure: BaseException
        incoming = _Incoming()
        try:
            await self._answer(call, key, incoming, self._fresh if fresh else None)
        except _PROVES_UNSENT as error:
            failure = Unsent(_error_text(error))
        except TimeoutError:
            what = f"no complete response within {self._patience.whole:g} s"
            failure = Lost(what, incoming.reply())
        except (httpx.HTTPError, httpx.StreamError, zlib.error) as error:
            failure = Lost(_error_text(error), incoming.reply())
        except BaseException as error:  # noqa: BLE001 - raised again below
            failure = without_inner_frames(error)
        else:
            if (reply := incoming.reply()) is not None:
                return reply
            failure = Lost("no answer came")
        # Outside of the handlers: an error's context references frames that contain the key.
        raise failure

    async def send_to_link(self, call: Call, *, trusted_host: str | None) -> Reply:
        """Send a call without a key to an address that an answer has named, and read its answer.

        Parameters
        ----------
        call
            What to send.
        trusted_host
            The provider's own host, as for `download`.

        Raises
        ------
        Unsent, Lost
            As for `send`; `Unsent` also if the address is not public.
        """
        _check_download(call.url, trusted_host)
        incoming = _Incoming()
        try:
            client = self._fresh if _trusted(call.url, trusted_host) else self._foreign
            await self._answer(call, None, incoming, client)
        except (*_PROVES_UNSENT, UnicodeError) as error:
            raise Unsent(_error_text(error)) from None
        except (httpx.HTTPError, httpx.StreamError, zlib.error, TimeoutError) as error:
            raise Lost(_error_text(error), incoming.reply()) from None
        if (reply := incoming.reply()) is None:
            raise Lost("no answer came")
        return reply

    async def _answer(
        self,
        call: Call,
        key: KeyHeader | None,
        incoming: _Incoming,
        lent: httpx.AsyncClient | None,
    ) -> None:
        async with (
            self._lent(lent) as client,
            asyncio.timeout(self._patience.whole),
            client.stream(
                call.method,
                call.url,
                json=[call.body] if call.in_list else call.body,
                content=call.content,
                headers={**_FOR_AN_ANSWER, **call.headers},
                auth=None if key is None else _KeyAuth(key),
            ) as response,
        ):
            incoming.response = response
            await _read(response, incoming.content)

    @asynccontextmanager
    async def download(
        self, link: str, *, trusted_host: str | None, key: KeyHeader | None = None
    ) -> AsyncIterator[Stream]:
        """Open a clip's link, following at most five redirects.

        Parameters
        ----------
        link
            The address that the provider gave.
        trusted_host
            The provider's own host. A link may lead to it, and to a private address only if that is
            this machine.
        key
            The header with the key, for a link to the provider's own host that needs it. No
            redirect gets it.

        Raises
        ------
        Unsent, Lost
            The link could not be opened, or failed; both may be retried, since downloads are free.
        """
        url = link
        try:
            for hop in range(_REDIRECTS + 1):
                _check_download(url, trusted_host)
                foreign = None if _trusted(url, trusted_host) else self._foreign
                auth = _KeyAuth(key) if key is not None and hop == 0 and foreign is None else None
                async with (
                    self._lent(foreign) as client,
                    client.stream("GET", url, headers=_FOR_A_CLIP, auth=auth) as response,
                ):
                    if response.is_redirect and (target := response.headers.get("location")):
                        url = _joined(url, target)
                        continue
                    headers = _lower(response.headers)
                    chunks = unpacked(
                        self._checked_speed(response.aiter_raw()),
                        headers.get("content-encoding", ""),
                    )
                    yield Stream(response.status_code, headers, chunks)
                    return
        except _PROVES_UNSENT as error:
            raise Unsent(_error_text(error)) from None
        except UnicodeError as error:  # the host is not a valid name, as in https://xn--a/
            raise Unsent(_error_text(error)) from None
        except (httpx.HTTPError, httpx.StreamError, NotWhole) as error:
            raise Lost(_error_text(error)) from None
        raise Unsent("the link was redirected too many times")

    async def _checked_speed(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield the data as it arrives, unless it is too slow."""
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
        """Return this client, or for None one from the pool."""
        if client is not None:
            yield client
        else:
            async with self._kept.lent() as kept:
                yield kept


class _KeyAuth(httpx.Auth):
    """Adds the key to a request at the last moment, so that no frame of ours contains it."""

    def __init__(self, key: KeyHeader) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send the request once, with the key."""
        request.headers[self._key.name] = self._key.reveal()
        yield request


@dataclass
class _Incoming:
    """The received part of an answer, even if it is cut off."""

    response: httpx.Response | None = None
    content: bytearray = field(default_factory=bytearray)

    def reply(self) -> Reply | None:
        """Return it; None if not even the status has arrived."""
        if self.response is None:
            return None
        headers = _lower(self.response.headers)
        return Reply(self.response.status_code, headers, bytes(self.content))


async def _read(response: httpx.Response, content: bytearray) -> None:
    """Read and unpack an answer; if it is too long, only its start."""
    packed = response.headers.get("content-encoding", "").strip().lower() in {"gzip", "x-gzip"}
    unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS) if packed else None
    async for chunk in response.aiter_raw():
        room = _ANSWER_BYTES + 1 - len(content)
        content += unpacker.decompress(chunk, room) if unpacker else chunk
        if len(content) > _ANSWER_BYTES:
            del content[_WORDS_BYTES:]
            return


def _lower(headers: httpx.Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _error_text(error: Exception) -> str:
    message = redact.text(str(error)).rstrip(".") or type(error).__name__
    return (
        f"{message}; {network.distrusted()}" if "CERTIFICATE_VERIFY_FAILED" in message else message
    )


def parses(pattern: str) -> bool:
    """Return whether httpx understands a pattern of hosts without a proxy."""
    try:
        httpx.URL(pattern)
    except (httpx.InvalidURL, ValueError):
        return False
    return True


def _joined(url: str, target: str) -> str:
    try:
        return urljoin(url, target)
    except ValueError:
        raise Unsent("the download redirected to an invalid URL") from None


def _guard(url: str) -> None:
    """Keep tests and demo on this machine, whatever address and key they have."""
    if settings.loopback_only() and not settings.is_loopback(urlsplit(url).hostname):
        raise Unsent(f"{settings.LOOPBACK_ONLY} is set, and this address is not on this machine")


def _trusted(url: str, trusted_host: str | None) -> bool:
    """Return whether a link may lead into a private network: the provider is there itself."""
    same = hosts.normalized(urlsplit(url).hostname) == hosts.normalized(trusted_host)
    return settings.is_loopback(trusted_host) or same


def _check_download(url: str, trusted_host: str | None) -> None:
    """Refuse links to hosts that cannot have a provider's clip."""
    try:
        parts = urlsplit(url)
        loopback = settings.is_loopback(parts.hostname)
    except ValueError:  # half an IPv6 address
        raise Unsent("the download link is not a valid URL") from None
    _guard(url)
    if parts.scheme not in {"https", "http"} or (parts.scheme == "http" and not loopback):
        raise Unsent("the download link is not https")
    if loopback and not settings.is_loopback(trusted_host):
        raise Unsent("the download link points to this machine")
    # Names are resolved later, but with a proxy only by the proxy.
    if not (url_guard.may_lead_to(parts.hostname) or _trusted(url, trusted_host)):
        raise Unsent("the download link points to a private network")
