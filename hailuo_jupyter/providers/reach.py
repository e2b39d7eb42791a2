"""Where a clip's link may lead: to a public address, never into a private network.

A provider's answer is foreign text. A link in it that leads to a router, a cloud's metadata service
or a colleague's server would have this machine ask there on the provider's behalf.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

#: A proxy that works as a network device answers every name with an address of this block (RFC 2544,
#: for benchmarks) and leads on from there; no machine has one of its own.
_STAND_IN = ipaddress.ip_network("198.18.0.0/15")

#: IPv4 addresses as a network that speaks IPv6 only writes them (RFC 6052).
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")


class NotPublic(Exception):
    """A name or an address leads into a private network."""


def is_public(address: str) -> bool:
    """Tell whether an address, as text, is one of the open internet.

    Parameters
    ----------
    address
        IPv4 or IPv6, the latter perhaps with a zone (``fe80::1%eth0``).
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(each in _STAND_IN or _is_public(each) for each in (found, *_embedded(found)))


def _is_public(address: Address) -> bool:
    return address.is_global and not address.is_multicast


def _embedded(address: Address) -> tuple[Address, ...]:
    """Give the IPv4 addresses that an IPv6 address stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return ()
    if address in _TRANSLATED:
        return (ipaddress.IPv4Address(int(address) & 0xFFFFFFFF),)
    inner = (address.ipv4_mapped, address.sixtofour, *(address.teredo or ()))
    return tuple(each for each in inner if each is not None)


async def public_addresses(host: str, port: int) -> list[str]:
    """Look a host up, once, and give its addresses if all of them are public.

    Parameters
    ----------
    host
        Name, or address in any form that the system takes: ``2130706433`` and ``0x7f.1`` are
        127.0.0.1 to it.
    port
        TCP port.

    Raises
    ------
    NotPublic
        If one of them is not: nobody can tell which one would be used.
    OSError
        If there is no such host.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise OSError("the name is too long") from None
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    if not all(map(is_public, addresses)):
        raise NotPublic
    return addresses
