"""A request: what the user asks for, checked and immutable, with the fingerprint that names it."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hailuo_jupyter.choices import resolve
from hailuo_jupyter.errors import NOTHING_SENT, FrameError, OptionError, PromptError
from hailuo_jupyter.frame import Frame
from hailuo_jupyter.images import open_frame
from hailuo_jupyter.offer import Provider

#: Goes up when the canonical form changes, so that fingerprints of two forms are never compared.
FINGERPRINT_VERSION = 1


@dataclass(frozen=True)
class Request:
    """One request for a clip; `build` makes it, and nothing changes it.

    Parameters
    ----------
    prompt
        The text as it will be sent.
    provider, model, dialect, wire
        Who is asked, by which names and on which path.
    options
        A value for each of the provider's choices; read-only.
    prompt_optimizer
        Whether the provider may rewrite the prompt, invisibly.
    first_frame, last_frame
        Checked frames, or None.
    kind
        The key under which durations of such runs are learned, from the catalogue.
    """

    prompt: str
    provider: str
    model: str
    dialect: str
    wire: str
    options: Mapping[str, str | int]
    prompt_optimizer: bool
    first_frame: Frame | None
    last_frame: Frame | None
    kind: str

    @cached_property
    def fingerprint(self) -> str:
        """``<version>:<sha256>`` over all that shapes the clip; the wire does not count.

        A frame counts by its identity: a file's bytes, a picture's mode, size and pixels, an
        address's text.
        """
        canonical = json.dumps(
            {
                "provider": self.provider,
                "model": self.model,
                "prompt": self.prompt,
                "options": dict(self.options),
                "prompt_optimizer": self.prompt_optimizer,
                "first_frame": self.first_frame and self.first_frame.identity,
                "last_frame": self.last_frame and self.last_frame.identity,
            },
            sort_keys=True,
            separators=(",", ":"),
        )
        return f"{FINGERPRINT_VERSION}:{hashlib.sha256(canonical.encode('ascii')).hexdigest()}"


def build(
    prompt: str,
    provider: Provider,
    *,
    options: Mapping[str, Any],
    image: object = None,
    last_image: object = None,
    prompt_optimizer: bool = True,
    wire: str | None = None,
    base: Path | None = None,
) -> Request:
    """Check everything that can be checked before anything is sent. Blocks while frames are read.

    Parameters
    ----------
    prompt
        1 to ``provider.prompt_max`` characters.
    provider
        Who is asked, from the catalogue.
    options
        By name; see `hailuo_jupyter.catalogue.resolve`.
    image, last_image
        First and last frame; see `hailuo_jupyter.images.open_frame`.
    prompt_optimizer
        Whether the provider may rewrite the prompt.
    wire
        One of ``provider.wires``; the provider's default if None.
    base
        Folder from which relative paths of frames count.

    Raises
    ------
    PromptError, OptionError, FrameError
        If the provider could not take the request. Nothing was sent.
    """
    text = check_prompt(prompt, provider.prompt_max)
    chosen = resolve(provider, options)
    path = provider.default_wire if wire is None else wire
    if path not in provider.wires:
        raise OptionError(
            f"{provider.title} has no wire {path!a}.",
            money=NOTHING_SENT,
            todo=f"Choose one of {', '.join(provider.wires)}.",
        )
    if not isinstance(prompt_optimizer, bool):
        raise OptionError(
            f"prompt_optimizer is {prompt_optimizer!r}, which is neither True nor False.",
            money=NOTHING_SENT,
            todo="Give True or False.",
        )
    check_frames(provider, first=image is not None, last=last_image is not None)
    limits = provider.frame_limits
    first, last = (
        None if source is None else open_frame(source, role=role, limits=limits, base=base)
        for source, role in ((image, "first frame"), (last_image, "last frame"))
    )
    return Request(
        prompt=text,
        provider=provider.name,
        model=provider.model,
        dialect=provider.dialect,
        wire=path,
        options=MappingProxyType(chosen),
        prompt_optimizer=prompt_optimizer,
        first_frame=first,
        last_frame=last,
        kind=provider.kind(chosen),
    )


def check_frames(provider: Provider, *, first: bool, last: bool) -> None:
    """Check which of both frames there are.

    Raises
    ------
    FrameError
        If the provider does not take them so.
    """
    if last and not first and not provider.last_frame_alone:
        raise FrameError(
            f"{provider.title} takes a last frame only together with a first frame.",
            money=NOTHING_SENT,
            todo="Give a first frame too, or leave the last one out.",
        )


def check_prompt(text: str, limit: int) -> str:
    """Check a prompt and give it as it will be sent.

    Parameters
    ----------
    text
        The prompt; every line end becomes a newline, and white space around it goes.
    limit
        Most characters (code points) that are taken.

    Raises
    ------
    PromptError
        If it is empty, too long, or holds a control character (but newline and tab) or half of a
        surrogate pair; the message names the character and its place.
    """
    if not isinstance(text, str):
        raise _refused(f"The prompt is of type {type(text).__name__}, not text.", "Give a string.")
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    for place, character in enumerate(lines):
        if unicodedata.category(character) in {"Cc", "Cs"} and character not in "\n\t":
            row = lines.count("\n", 0, place) + 1
            column = place - lines.rfind("\n", 0, place)
            kind = (
                "half of a surrogate pair"
                if "\ud800" <= character <= "\udfff"
                else "a control character"
            )
            raise _refused(
                f"The prompt holds {kind}, U+{ord(character):04X}, at line {row}, "
                f"character {column}.",
                "Remove it, or type that place again.",
            )
    stripped = lines.strip()
    if not stripped:
        raise _refused("The prompt is empty.", "Say what the clip should show.")
    if len(stripped) > limit:
        raise _refused(
            f"The prompt has {len(stripped)} characters; the limit is {limit}.",
            f"Shorten it by {len(stripped) - limit}.",
        )
    return stripped


def _refused(what: str, todo: str) -> PromptError:
    return PromptError(what, money=NOTHING_SENT, todo=todo)
