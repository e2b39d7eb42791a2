"""Allow only clip links to public addresses, never into a private network.

A provider's answer is untrusted. A link in it to a router, a cloud's metadata service
or an internal server would make this machine send a request there.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket

from hailuo_jupyter import hosts
from hailuo_jupyter.hosts import Address

#: A proxy that works as a network device answers every name with an address of this block (RFC 2544,
#: for benchmarks) and forwards from there; no machine has such an address.
_STAND_IN = ipaddress.ip_network("198.18.0.0/15")

#: Networks whose last 32 bits are an IPv4 address: written by translators (RFC 6052, RFC 8215, RFC 2765), and
#: formerly by hosts (RFC 4291, 2.5.5.1).
_ENDS_WITH_IPV4 = tuple(
    map(ipaddress.IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96", "::/96"))
)

#: Prefix of an interface identifier that ends with an IPv4 address (ISATAP, RFC 5214, 6.1).
_ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})


class NotPublic(Exception):
    """A name or an address is in a private network."""


def is_public(address: str) -> bool:
    """Return whether an address, as text, is a public internet address.

    Parameters
    ----------
    address
        IPv4 or IPv6, the latter may have a zone (``fe80::1%eth0``).
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return _all_public(found)


def may_lead_to(host: str | None) -> bool:
    """Return whether a host is a name, or a public address in any spelling."""
    found = hosts.address(host)
    return found is None or _all_public(found)


def _all_public(address: Address) -> bool:
    return all(each in _STAND_IN or _is_public(each) for each in (address, *_embedded(address)))


def _is_public(address: Address) -> bool:
    return address.is_global and not address.is_multicast


def _embedded(address: Address) -> tuple[Address, ...]:
    """Return the IPv4 addresses embedded in an IPv6 address."""
    if isinstance(address, ipaddress.IPv4Address):
        return ()
    inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    ends = any(address in network for network in _ENDS_WITH_IPV4)
    if ends or int(address) >> 32 & 0xFFFF_FFFF in _ISATAP:
        inner.append(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    return tuple(each for each in inner if each is not None)


async def public_addresses(host: str, port: int) -> list[str]:
    """Resolve a host once, and return its addresses if all of them are public.

    Parameters
    ----------
    host
        Name, or address in any form that the system accepts: ``2130706433`` and ``0x7f.1`` are
        127.0.0.1 to it.
    port
        TCP port.

    Raises
    ------
    NotPublic
        If one of them is not public: which one would be used is unknown.
    OSError
        If the host does not exist.
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
