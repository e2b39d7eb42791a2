"""Find the clip in an answer about a finished job: providers change the format, and the clip is paid for.

Documented or observed: a text, a list, an object with ``url``, ``video_url``, ``video.url`` or ``data.url``,
JSON within a text, ``video`` and ``videos`` next to ``output``, and the file itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

#: Keys of an answer that may contain the clip, and of an object that may contain a link; likely ones first.
_AT, _WITHIN = ("output", "video", "videos"), ("url", "video_url", "video", "data")

#: Keys of an object that have the type of the linked file.
_TYPES = ("content_type", "mime_type", "type")

#: Maximum levels, and entries of a list, that are read.
_DEPTH, _ENTRIES = 6, 20

_VIDEO = re.compile(r"\.(?:mp4|m4v|mov|webm|mkv)$", re.IGNORECASE)
_IMAGE = re.compile(r"\.(?:jpe?g|png|webp|gif|avif)$", re.IGNORECASE)

#: How unlikely a link is the clip's: a video, unknown, a picture.
_SURE, _UNTOLD, _PICTURE = range(3)


@dataclass(frozen=True)
class _Link:
    url: str
    type: str

    @property
    def unlikely(self) -> int:
        """How unlikely the link is the clip's, by its type and its name."""
        name = _name(self.url)
        if self.type.startswith("video") or _VIDEO.search(name):
            return _SURE
        return _PICTURE if self.type.startswith("image") or _IMAGE.search(name) else _UNTOLD


def find(body: Mapping[str, Any]) -> str | None:
    """Return the link to the clip in an answer's JSON; None if there is none.

    Of several links the first video is used, else the first that is not a picture. If the known keys
    have none, an address anywhere else counts if it is a video's.
    """
    links = [link for key in _AT for link in _links(body.get(key))]
    if all(link.unlikely == _PICTURE for link in links):
        links += [link for link in _links(body, within=None) if link.unlikely == _SURE]
    return min(links, key=lambda link: link.unlikely).url if links else None


def first(value: Any) -> str | None:
    """Return the first link in a text, in an object that contains one, or in a list of either."""
    return next((link.url for link in _links(value)), None)


def leads_to_video(url: str) -> bool:
    """Return whether an address has a video's file suffix."""
    return _VIDEO.search(_name(url)) is not None


def is_video(headers: Mapping[str, str], content: bytes) -> bool:
    """Return whether an answer is the clip itself: an MP4 starts with its ``ftyp`` box (ISO/IEC 14496-12)."""
    return content[4:8] == b"ftyp" or (
        headers.get("content-type", "").strip().lower().startswith("video/")
        and not content.lstrip().startswith((b"{", b"["))
        and content != b""
    )


def _links(
    value: Any, type_: str = "", depth: int = 0, within: tuple[str, ...] | None = _WITHIN
) -> Iterator[_Link]:
    """Yield the links in a value, from these keys of its objects, or from all."""
    if depth >= _DEPTH:
        return
    if isinstance(value, str):
        text = value.strip()
        if text.startswith(("https://", "http://")):
            if not re.search(r"\s", text):
                yield _Link(text, type_)
        elif text.startswith(("{", "[", '"')):
            yield from _links(_parsed(text), type_, depth + 1, within)
    elif isinstance(value, list):
        for item in value[:_ENTRIES]:
            yield from _links(item, type_, depth + 1, within)
    elif isinstance(value, dict):
        media_type = next((value[key] for key in _TYPES if isinstance(value.get(key), str)), type_)
        for key in within or value:
            yield from _links(value.get(key), media_type.strip().lower(), depth + 1, within)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _name(url: str) -> str:
    try:
        return unquote(urlsplit(url).path)
    except ValueError:
        return ""
