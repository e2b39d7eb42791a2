"""A request: the user's request, checked and immutable, with its fingerprint."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hailuo_jupyter.catalogue import check_combination, validate_options
from hailuo_jupyter.catalogue.alternatives import elsewhere
from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.errors import NOTHING_SENT, FrameError, OptionError, PromptError
from hailuo_jupyter.files import sha256
from hailuo_jupyter.merge_conflict import conflict_line
from hailuo_jupyter.request.frames import Frame, open_frame

#: Incremented when the canonical form changes, so that fingerprints of two forms are never compared.
FINGERPRINT_VERSION = 1


@dataclass(frozen=True)
class Request:
    """One request for a clip; created by `build`, and immutable.

    Parameters
    ----------
    prompt
        The text as it will be sent.
    provider, model, dialect, wire
        The provider, its model, adapter and API path.
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
        """``<version>:<sha256>`` over everything that affects the clip; the wire does not count.

        A frame is identified by a file's bytes, a picture's mode, size and pixels, an
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
        return f"{FINGERPRINT_VERSION}:{sha256(canonical.encode('ascii'))}"


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
        The provider, from the catalogue.
    options
        By name; see `hailuo_jupyter.catalogue.validate_options`.
    image, last_image
        First and last frame; see `hailuo_jupyter.request.frames.open_frame`.
    prompt_optimizer
        Whether the provider may rewrite the prompt.
    wire
        One of ``provider.wires``; the provider's default if None.
    base
        Folder to which relative paths of frames refer.

    Raises
    ------
    PromptError, OptionError, FrameError
        If the provider would not accept the request. Nothing was sent.
    """
    text = check_prompt(prompt, provider.prompt_max)
    chosen = validate_options(provider, options)
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
    if not prompt_optimizer and not provider.has_optimizer:
        what, todo = elsewhere(provider, lambda offer: offer.has_optimizer)
        raise OptionError(
            f"{provider.offer} has no --no-optimizer{what}.",
            money=NOTHING_SENT,
            todo=f"Leave it out. {todo}".strip(),
        )
    check_frames(provider, first=image is not None, last=last_image is not None, options=chosen)
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


def check_frames(
    provider: Provider,
    *,
    first: bool,
    last: bool,
    options: Mapping[str, str | int] | None = None,
) -> None:
    """Check which of the two frames are set.

    Parameters
    ----------
    provider
        The provider, with the model.
    first, last
        Whether there is a first and a last frame.
    options
        Checked options, which may not go with these frames; None if they are not known.

    Raises
    ------
    FrameError
        If the provider does not accept these frames; the message names who does.
    OptionError
        If it does not accept these options together with them.
    """
    if not provider.takes(first=first, last=last):
        what, todo = _frames_problem(provider, first=first)
        who, demo = elsewhere(provider, lambda offer: offer.takes(first=first, last=last))
        able = f"Or use{who[1:].replace(' has (', ' (')}." if who else ""
        raise FrameError(what, money=NOTHING_SENT, todo=" ".join(filter(None, (todo, able, demo))))
    frames = {
        name: "yes" if there else "no"
        for name, there in (("first_frame", first), ("last_frame", last))
    }
    check_combination(provider, {**(options or {}), **frames})


def _frames_problem(provider: Provider, *, first: bool) -> tuple[str, str]:
    """Return what is wrong with the frames of a request, and what to do."""
    if not first and provider.first_frame == "required":
        return f"First frame required by {provider.offer}.", "Add --image."
    if first and provider.first_frame == "none":
        return f"{provider.offer} takes no first frame.", "Leave --image out."
    if provider.last_frame == "none":
        return f"{provider.offer} takes no last frame.", "Leave --last-frame out."
    return (
        f"{provider.offer} takes a last frame only together with a first frame.",
        "Give a first frame too, or leave the last one out.",
    )


def check_prompt(text: str, limit: int) -> str:
    """Check a prompt and return it as it will be sent.

    Parameters
    ----------
    text
        The prompt; every line end becomes a newline, and surrounding white space is removed.
    limit
        Maximum characters (code points).

    Raises
    ------
    PromptError
        If it is empty, too long, or contains a control character (except newline and tab) or a lone
        surrogate; the message names the character and its position.
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
                f"The prompt contains {kind}, U+{ord(character):04X}, at line {row}, "
                f"character {column}.",
                "Remove it, or type that place again.",
            )
    if begins := conflict_line(lines):
        raise _refused(
            f"The prompt has an unresolved merge conflict in line {begins}.",
            "Keep one of both versions, and remove the lines with <<<<<<<, ======= and >>>>>>>.",
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
