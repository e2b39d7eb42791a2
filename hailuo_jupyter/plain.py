"""Foreign text without the characters that act: on a terminal, or on the text that stands beside it."""

from __future__ import annotations

import re

#: Unicode's Bidi_Control: they would reorder the text that stands beside them.
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
#: Controls without tab and newline, line separators, halves of surrogate pairs.
_UNSAFE = re.compile(f"[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\u2028\u2029{_BIDI}\ud800-\udfff]")


def harmless(text: str) -> str:
    """Replace what must not act, control and bidi characters, by its number: ``[U+202E]``.

    Tabs and newlines stay.

    Parameters
    ----------
    text
        A prompt, a provider's words, a file's name: anything.
    """
    return _UNSAFE.sub(lambda found: f"[U+{ord(found[0]):04X}]", text)


def harmless_json(document: str) -> str:
    """Escape the same characters in a JSON text, which stays the same document.

    Parameters
    ----------
    document
        JSON as `json.dumps` writes it with ``ensure_ascii=False``.
    """
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", document)
