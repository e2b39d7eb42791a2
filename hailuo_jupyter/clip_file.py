"""The state of a clip's file since it was downloaded: present, missing, damaged or changed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from hailuo_jupyter.container import NoContainer, look
from hailuo_jupyter.files import file_sha256
from hailuo_jupyter.record.parts import ClipRecord


class Condition(StrEnum):
    """State of the file at a clip's path."""

    HERE = "here"
    GONE = "gone"
    #: Not a complete video: a pointer file, an empty file, or a truncated one.
    DAMAGED = "damaged"
    #: Another complete video, for example after trimming, or one with extra bytes.
    CHANGED = "changed"


@dataclass(frozen=True)
class ClipFile:
    """The file at a clip's path.

    Parameters
    ----------
    condition
        Its state.
    why
        What is wrong with a damaged file; written after its name in a sentence.
    """

    condition: Condition
    why: str = ""

    @property
    def usable(self) -> bool:
        """Whether it is a video that can be shown: the clip, or an edited version of it."""
        return self.condition in {Condition.HERE, Condition.CHANGED}


def clip_file(path: Path, clip: ClipRecord) -> ClipFile:
    """Check a clip's file. Blocks; reads it if it is a link, or does not have the clip's size.

    Parameters
    ----------
    path
        Its path. A link counts if it leads to exactly the clip, as git-annex stores it. In a folder from
        someone else it may lead to any file of this machine, which would be embedded as the clip.
    clip
        Its facts in the record.
    """
    try:
        if not path.is_file():
            return ClipFile(Condition.GONE)
        if path.is_symlink() and not _is_linked_clip(path, clip):
            return ClipFile(Condition.DAMAGED, "is a link to a file that is not the clip")
        size = path.stat().st_size
        if size == clip.bytes:
            return ClipFile(Condition.HERE)
        if size > clip.bytes:
            return ClipFile(Condition.CHANGED)
        found = look(path)
    except NoContainer as error:
        return ClipFile(Condition.DAMAGED, str(error))
    except (OSError, ValueError):  # not readable now, or an invalid file name
        return ClipFile(Condition.GONE)
    if found.needed > size or not found.ends:
        return ClipFile(Condition.DAMAGED, f"has only {size} of its {clip.bytes} bytes")
    return ClipFile(Condition.CHANGED)


def is_foreign_link(path: Path, clip: ClipRecord) -> bool:
    """Return whether a clip's path is a link that does not lead to the clip. Blocks; see `clip_file`."""
    return path.is_symlink() and not clip_file(path, clip).usable


def _is_linked_clip(path: Path, clip: ClipRecord) -> bool:
    found = path.stat()
    if found.st_size != clip.bytes:
        return False
    return _sha256(path.resolve(), found.st_size, found.st_mtime_ns) == clip.sha256


@lru_cache(maxsize=256)  # called for each drawing
def _sha256(path: Path, _size: int, _changed_ns: int) -> str:
    return file_sha256(path)
