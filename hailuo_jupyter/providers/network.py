"""The environment's network settings: a proxy, its exceptions, trusted certificates."""

from __future__ import annotations

import importlib.util
import ipaddress
import logging
import os
import re
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from hailuo_jupyter import redact
from hailuo_jupyter.errors import NOTHING_SENT, SettingsError

logger = logging.getLogger(__name__)

#: Variables that name trusted certificates, in place of the usual ones: requests' two, each a file or a
#: folder, and OpenSSL's two. The first set variable of each pair counts, as in their own libraries.
#: Both pairs count, since systems and installers set one of them while a person sets the other.
_CERTIFICATE_PAIRS = (
    ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    ("SSL_CERT_FILE", "SSL_CERT_DIR"),
)
CERTIFICATE_VARIABLES = tuple(name for pair in _CERTIFICATE_PAIRS for name in pair)

_PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")

#: How OpenSSL names the certificates in a folder (``openssl rehash``).
_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")


@dataclass(frozen=True)
class Proxy:
    """The proxy for connections to providers.

    Parameters
    ----------
    url
        Its address, possibly with a user name and password.
    source
        The variable that names it; on Windows and macOS also the system's settings.
    """

    url: str = field(repr=False)
    source: str

    def __str__(self) -> str:
        return f"{self.source} names the proxy {_without_password(self.url)}"


def proxy() -> Proxy | None:
    """Return the proxy for https, since only https is used; None if there is none.

    Raises
    ------
    SettingsError
        If its address is not usable.
    """
    found = getproxies()
    scheme = "https" if found.get("https") else "all"
    value = found.get(scheme, "")
    if not value:
        return None
    url, source = value if "://" in value else f"http://{value}", _source(scheme)
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # half an IPv6 address, or a port that is not a number
        usable = False
    if not usable or re.search(r"\s", url) or parts.scheme not in _PROXY_SCHEMES:
        raise unusable_proxy(Proxy(url, source))
    if parts.scheme.startswith("socks") and importlib.util.find_spec("socksio") is None:
        raise SettingsError(
            f"{source} is a SOCKS proxy, {_without_password(url)}, which needs the package "
            "socksio.",
            money=NOTHING_SENT,
            todo=f"Run '%pip install socksio' and restart the kernel, or change {source}.",
        )
    return Proxy(url, source)


def unusable_proxy(found: Proxy) -> SettingsError:
    """Return the error for an unusable proxy."""
    return SettingsError(
        f"{found.source} is {_without_password(found.url)!r}, which is not a valid proxy address.",
        money=NOTHING_SENT,
        todo=f"Set {found.source} to an address such as http://proxy.example:3128, or remove it.",
    )


def exceptions(parses: Callable[[str], bool]) -> tuple[list[str], list[str]]:
    """Return the patterns of NO_PROXY's entries, and the invalid entries.

    Parameters
    ----------
    parses
        Returns whether the HTTP library understands a pattern.

    Returns
    -------
    tuple of list of str
        Patterns, including ``*`` if no address needs the proxy; and entries to skip.
    """
    patterns, skipped = [], []
    for each in getproxies().get("no", "").split(","):
        entry = each.strip()
        if not entry:
            continue
        pattern = _pattern(entry)
        if pattern == "*" or parses(pattern):
            patterns.append(pattern)
        else:
            skipped.append(entry)
    return patterns, skipped


def _pattern(entry: str) -> str:
    """Return an entry as httpx writes it; a name includes its subdomains, as for curl."""
    host = entry.strip("[]")
    if entry == "*" or "://" in entry:
        return entry
    try:
        ipaddress.IPv6Address(host.partition("/")[0])
    except ValueError:
        literal = entry.casefold() == "localhost" or _is_ipv4(entry)
        return f"all://{entry}" if literal else f"all://*{entry}"
    return f"all://[{host}]"


_warned: set[str] = set()


def warn_once(skipped: Iterable[str]) -> None:
    """Warn, once in a process, of entries that are skipped."""
    if new := [entry for entry in skipped if entry not in _warned]:
        _warned.update(new)
        logger.warning(
            "Skipped invalid entries of NO_PROXY: %s. The proxy is used for them.",
            ", ".join(new),
        )


def certificates() -> dict[str, str]:
    """Return the variables that name trusted certificates, with their values."""
    named = [[name for name in pair if os.environ.get(name)][:1] for pair in _CERTIFICATE_PAIRS]
    return {name: os.environ[name] for names in named for name in names}


def distrusted() -> str:
    """Return what to add to the error of a server whose certificate is not trusted."""
    if found := certificates():
        return f"trusted certificates: {' and '.join(map(' '.join, found.items()))}"
    return (
        "if your network inspects connections or has its own certificate authority, set "
        f"{CERTIFICATE_VARIABLES[0]} to a PEM file with its certificate"
    )


def trust() -> ssl.SSLContext | None:
    """Return a context that trusts the environment's certificates; None if none are set.

    Raises
    ------
    SettingsError
        If they are not usable; the message has the variable and its value.
    """
    context = None
    for variable, value in certificates().items():
        context = _trusting(variable, value, context)
    return context


def check_certificates(variable: str, value: str) -> None:
    """Check one variable's certificates.

    Raises
    ------
    SettingsError
        As for `trust`.
    """
    _trusting(variable, value)


def _trusting(variable: str, value: str, context: ssl.SSLContext | None = None) -> ssl.SSLContext:
    """Add a variable's certificates to a context, or to a new one.

    They are read once: a system's bundle adds 60 ms to every start.
    """
    folder = variable == "SSL_CERT_DIR" or (variable != "SSL_CERT_FILE" and Path(value).is_dir())
    problem = (_folder_problem if folder else _file_problem)(value)
    if not problem:
        file, path = (None, value) if folder else (value, None)
        try:
            if context is None:
                return ssl.create_default_context(cafile=file, capath=path)
            context.load_verify_locations(file, path)
        except ssl.SSLError:
            problem = "which is not a PEM file with certificates"
        else:
            return context
    todo = f"Set {variable} to a PEM file with the certificates to trust, or remove it."
    if folder:
        todo = f"Run 'openssl rehash' on it, or set {variable} to another folder, or remove it."
    raise SettingsError(f"{variable} is {value!r}, {problem}.", money=NOTHING_SENT, todo=todo)


def _file_problem(value: str) -> str:
    try:
        return "" if Path(value).read_bytes().strip() else "which is an empty file"
    except FileNotFoundError:
        return "which does not exist"
    except IsADirectoryError:
        return "which is a folder, not a file"
    except (OSError, ValueError) as error:
        return f"which cannot be read ({getattr(error, 'strerror', None) or error})"


def _folder_problem(value: str) -> str:
    names: list[str] = []
    for each in value.split(os.pathsep):
        try:
            names += (path.name for path in Path(each).iterdir())
        except FileNotFoundError:
            return "which does not exist"
        except NotADirectoryError:
            return "which is not a folder"
        except (OSError, ValueError) as error:
            return f"which cannot be read ({getattr(error, 'strerror', None) or error})"
    if any(map(_HASHED.fullmatch, names)):
        return ""
    return "a folder without certificates under the names that OpenSSL looks for"


def _source(scheme: str) -> str:
    for name in (f"{scheme}_proxy", f"{scheme}_proxy".upper()):
        if os.environ.get(name):
            return name
    return "The system's proxy setting"


def _without_password(url: str) -> str:
    """Return scheme, host and port; as written, since it may not be a valid address."""
    scheme, _, rest = url.partition("://")
    host = redact.text(re.split(r"[/?#]", rest.rpartition("@")[2], maxsplit=1)[0])
    shown = f"{scheme}://{host}"
    # An invalid link would be removed completely.
    return shown if redact.text(shown) == shown else host


def _is_ipv4(entry: str) -> bool:
    try:
        ipaddress.IPv4Address(entry.partition("/")[0])
    except ValueError:
        return False
    return True
