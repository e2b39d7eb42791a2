"""The account that a run was bought with: what the log stores of it, never a key.

The log stores the base address that a run was sent to, and a hash of provider, address and key. It is
salted with a value that only this log has, so it is useless elsewhere, and is not in any record. The
hash also identifies the account where processes on a log share something of it, such as its rate limit.
"""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hailuo_jupyter.keys import Key
    from hailuo_jupyter.runlog.row import Row


@dataclass(frozen=True)
class Account:
    """The address and key of requests.

    Parameters
    ----------
    address
        Base address of the provider's API.
    name
        Provider, address and key, hashed; the same in every process on a log.
    """

    address: str
    name: str


class Match(StrEnum):
    """Whether a run was bought with an account."""

    #: It was: that account can poll, download and settle.
    SAME = "same"
    #: It may have been, with another key. A good answer proves that.
    UNPROVED = "unproved"
    #: It was sent to another address, which must not receive this account's key.
    OTHER_ADDRESS = "other address"


def account(connection: sqlite3.Connection, provider: str, address: str, key: Key) -> Account:
    """Return the account of a key.

    Parameters
    ----------
    connection
        An open connection.
    provider, address
        The provider's name, and the base address of its API.
    key
        The key.
    """
    (salt,) = connection.execute("SELECT value FROM account_salt").fetchone()
    made = hashlib.blake2b(f"{provider}\0{address}\0".encode(), key=salt, digest_size=8)
    made.update(key.reveal().encode("utf-8", "surrogatepass"))
    return Account(address, f"{provider}/{made.hexdigest()}")


def match(row: Row, by: Account) -> Match:
    """Return whether a run was bought with an account.

    An address in a run or its record is only compared here, never contacted: a record may come
    from anyone.
    """
    if row.account == by.name:
        return Match.SAME
    if row.address is not None:
        return Match.UNPROVED if row.address == by.address else Match.OTHER_ADDRESS
    endpoint = row.record.endpoint
    if endpoint is None or endpoint.startswith(f"{by.address.rstrip('/')}/"):
        return Match.UNPROVED
    return Match.OTHER_ADDRESS


def prove(connection: sqlite3.Connection, run_id: str, by: Account) -> None:
    """Save which account a run was bought with."""
    connection.execute(
        "UPDATE runs SET address = ?, account = ? WHERE run_id = ?", (by.address, by.name, run_id)
    )
