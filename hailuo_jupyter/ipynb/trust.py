"""Whether a person trusts a notebook's outputs: Jupyter's signature of the whole file.

Any change of a file invalidates its signature. A command of ours that changes a trusted notebook
signs it again; one that the person does not trust stays untrusted, whatever we write to it.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from jupyter_core.paths import jupyter_data_dir
from nbformat.sign import NotebookNotary

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The message if a trusted notebook could not be signed again.
NOT_SIGNED = (
    "The notebook was written, but Jupyter's signature could not be: it is no longer trusted. "
    "Choose Trust Notebook in the command palette, or run 'jupyter trust NOTEBOOK'."
)


def is_trusted(text: str) -> bool:
    """Check whether a notebook is signed on this machine, by this user. Nothing is written.

    Parameters
    ----------
    text
        The notebook's JSON.
    """
    try:
        with _notary() as notary:
            # Without a key there are no signatures; asking for one would create the key.
            signatures_exist = Path(notary.secret_file).is_file() and Path(notary.db_file).is_file()
            return signatures_exist and bool(notary.check_signature(_parsed(text)))
    except Exception:  # noqa: BLE001 - a damaged database, a locked one, JSON that is not a valid notebook
        return False


def sign(text: str) -> bool:
    """Sign a notebook, so that Jupyter trusts its outputs.

    Parameters
    ----------
    text
        The notebook's JSON, as it was written.

    Returns
    -------
    bool
        False if the signature could not be stored.
    """
    try:
        Path(jupyter_data_dir()).mkdir(mode=0o700, parents=True, exist_ok=True)
        with _notary() as notary:
            notary.sign(_parsed(text))
    except Exception:  # noqa: BLE001 - as above, or a read-only folder
        return False
    # A database that cannot be written is replaced by one in memory, without an error.
    return is_trusted(text)


@contextmanager
def _notary() -> Iterator[Any]:
    notary = NotebookNotary(data_dir=jupyter_data_dir())  # type: ignore[no-untyped-call]
    with closing(notary.store):
        yield notary


def _parsed(text: str) -> Any:
    return nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
