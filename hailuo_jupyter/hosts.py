"""Normalize host names and addresses, so that they can be compared.

Different spellings may be the same host: ``127。0。0。1`` and ``0x7f.1`` are 127.0.0.1, and
HTTP libraries send a name that is not ASCII as IDNA (RFC 5890).
"""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import TypeAlias
from urllib.parse import unquote

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Numbers and dots as ``inet_aton`` accepts them: decimal, octal or hexadecimal, one to four of them.
_NUMERIC = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+)){0,3}")


def normalized(host: str | None) -> str:
    """Return a host's name in lower case, as ASCII and without a trailing dot; empty for None.

    Parameters
    ----------
    host
        Name or address, as `urllib.parse.urlsplit` gives it.
    """
    name = unquote((host or "").strip("[]")).lower()
    if not name.isascii():
        import idna

        try:
            name = idna.encode(name, uts46=True).decode()
        except idna.IDNAError:
            return name  # no library accepts it
    return name.rstrip(".")


def address(host: str | None) -> Address | None:
    """Return the address of a host in any spelling; None for a name.

    Parameters
    ----------
    host
        Name or address; an IPv6 address may have a zone (``fe80::1%eth0``).
    """
    name = normalized(host)
    try:
        return ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        pass
    if not _NUMERIC.fullmatch(name):
        return None
    try:
        return ipaddress.IPv4Address(socket.inet_aton(name))
    except OSError:
        return None
