"""Pages of a firewall, proxy or CDN in front of a provider, which say nothing about key, money or job.

All providers answer in JSON. HTML, or the plain text of Cloudflare's block pages, was not
sent by them.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

from hailuo_jupyter import redact

#: Status codes with which such a page refuses a request before it reaches the provider. With
#: others (2xx, 5xx) it may have replaced the provider's own answer.
REFUSALS = frozenset({401, 403, 407, 451})

_HTML = ("text/html", "application/xhtml+xml")

#: Cloudflare's answer to blocked programs (https://developers.cloudflare.com, error 1020).
_CLOUDFLARE = re.compile(rb"\s*error code: [0-9]{3,4}\s*")

_TITLE = re.compile(rb"<title\b[^>]{0,200}>([^<]{1,400})", re.IGNORECASE)

#: Bytes of a page in which its title is searched, and characters of the title that are shown.
_HEAD, _SHOWN = 16 * 1024, 80


def is_page(headers: Mapping[str, str], content: bytes) -> bool:
    """Return whether an answer is a page rather than a provider's answer.

    Parameters
    ----------
    headers
        With lower-case names.
    content
        The body.
    """
    start = content[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith((b"{", b"[")):
        return False  # JSON with a wrong type is still the provider's
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return (
        start.startswith(b"<")
        or kind in _HTML
        or "cf-mitigated" in headers
        or bool(_CLOUDFLARE.fullmatch(content[:64]))
    )


def refusal(provider: str, status: int, content: bytes) -> tuple[str, str]:
    """Return what such a page's refusal means, and what to do.

    Parameters
    ----------
    provider
        The provider's title.
    status, content
        The answer's.
    """
    name = title(content)
    page = f"{status}, page title {name!r}" if name else f"{status}"
    if status == 407:
        return (
            f"A proxy in front of {provider} requires a user name and password ({page}).",
            "Add them to HTTPS_PROXY (http://user:password@host:port), then rerun the cell.",
        )
    return (
        f"A firewall or proxy in front of {provider} refused the request ({page}).",
        "Check VPN, firewall and proxy, then rerun the cell. Your key is not the problem.",
    )


def title(content: bytes) -> str:
    """Return a page's title, redacted and on one line; empty if it has none."""
    found = _TITLE.search(content[:_HEAD])
    if found is None:
        return ""
    text = " ".join(redact.text(html.unescape(found[1].decode("utf-8", "replace"))).split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
