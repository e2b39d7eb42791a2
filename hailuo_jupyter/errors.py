"""One tree of exceptions. Each message says what happened, what to do, and what it means for money and clip.

::

    HailuoError
    ├── RequestError            the request is wrong; nothing was sent
    │   ├── PromptError
    │   ├── FrameError
    │   └── OptionError
    ├── SettingsError           a setting or an address is wrong, so nothing is sent
    ├── KeyMissing              no key for this provider, so nothing is sent
    ├── KeyConflict             two places hold different keys, and no choice was made
    ├── NotBought               an earlier run blocks the purchase; nothing was sent
    ├── BudgetExceeded          a budget would be exceeded; nothing was sent
    ├── NotConfirmed            a sweep this large needs confirmation; nothing was sent
    ├── NotSent                 the run waits for you
    ├── OwnerStopped            the run belongs to a process that is stopped but has not ended
    ├── ProviderError           the provider refused, or its answer was not understood
    │   ├── KeyRefused
    │   ├── WaitsForItsKey      bought with another key than the current one, which does not know it
    │   ├── Blocked             a firewall, proxy or CDN in front of the provider refused the request
    │   ├── NoCredits
    │   ├── RateLimited
    │   ├── Rejected            refused by the provider's validation
    │   ├── Moderated           refused for its content
    │   ├── JobFailed
    │   ├── JobExpired          the provider has forgotten the job or its clip
    │   ├── ProviderDown
    │   ├── CannotCancel        the job cannot be stopped, or has ended
    │   ├── Cancelled           the job was cancelled at the provider; there is no clip
    │   └── AnswerLost          sent, but no answer came: maybe bought
    ├── ClipError               the clip could not be fetched or is not a video
    │   └── ClipTooLarge        larger than the setting allows
    ├── DiskError
    │   ├── DiskFull
    │   └── FolderNotWritable
    ├── RunLogError
    │   └── RecordUnreadable    a run's record is a newer version's, or damaged (also a ValueError)
    ├── RunNotFound
    ├── WaitTimeout             (also a TimeoutError)
    ├── CrateError              an RO-Crate could not be made
    └── NotebookError           a notebook file could not be read or has unexpected content
"""

from __future__ import annotations

import errno
import textwrap
from typing import Any, ClassVar

from hailuo_jupyter import redact
from hailuo_jupyter.formatting import escape_control

#: The text of every refusal before anything was sent.
NOTHING_SENT = "Nothing was sent; no charge."

#: The answer to a page after an unexpected exception.
INTERNAL_ERROR = "Internal error in hailuo-jupyter; the traceback is in the kernel's log."

#: Maximum characters of a line below a cell. JupyterLab breaks longer ones in the middle of words: in a
#: window of 800 pixels, a line has room for 79.
LINE = 76


class HailuoError(Exception):
    """Base of every error this package raises on purpose.

    Parameters
    ----------
    what
        What happened, as a sentence.
    money
        What it means for the user's money and clip. Empty if neither is affected.
    todo
        What to do next, as a sentence. Empty if nothing can be done.

    Examples
    --------
    >>> from hailuo_jupyter import HailuoError, generate
    >>> try:
    ...     generate("A heron lifts off a lake.", "demo", mode="best")
    ... except HailuoError as error:
    ...     print(type(error).__name__, error.money)
    OptionError Nothing was sent; no charge.
    """

    #: Stable name of the kind of error, as stored in the run log and the record.
    code: ClassVar[str] = "error"

    def __init__(self, what: str, *, money: str = "", todo: str = "") -> None:
        # Provider messages and foreign file names end up on terminals, and whatever a person
        # mistyped ends up in a notebook's output: it may be a key.
        self.what, self.money, self.todo = (
            escape_control(redact.text(text)) for text in (what, money, todo)
        )
        parts = (self.what, self.money, self.todo)
        super().__init__(" ".join(part for part in parts if part))

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows instead of a traceback of our internals.

        IPython calls this hook of an exception (``InteractiveShell.showtraceback``). A real error
        output stays in the file, so that Run All stops.
        """
        return below_cell(f"{type(self).__name__}: {self.what}", self.todo, self.money)

    def as_problem(self) -> dict[str, str]:
        """Return the form in which the run log and the record store this error."""
        return {"code": self.code, "what": self.what, "money": self.money, "todo": self.todo}


class RequestError(HailuoError):
    """The request is wrong; nothing was sent."""

    code = "request"


class PromptError(RequestError):
    """The prompt is empty, too long or contains what no provider accepts."""

    code = "prompt"


class FrameError(RequestError):
    """A first or last frame cannot be used."""

    code = "frame"


class OptionError(RequestError):
    """An option does not exist, or not at this provider, or not in this combination."""

    code = "option"


class SettingsError(HailuoError):
    """A setting or an address is wrong, so nothing is sent."""

    code = "settings"


class KeyMissing(HailuoError):
    """There is no key for this provider, so nothing is sent."""

    code = "key_missing"


class KeyConflict(HailuoError):
    """The folder's ``.env`` and the keyring hold different keys, so nothing is sent."""

    code = "key_conflict"


class NotBought(HailuoError):
    """An earlier run of this request blocks the purchase; nothing was sent."""

    code = "not_bought"


class BudgetExceeded(HailuoError):
    """It would exceed a budget that the person has set; nothing was sent."""

    code = "budget"


class NotConfirmed(HailuoError):
    """A sweep of this size is sent only after confirmation; nothing was sent."""

    code = "not_confirmed"


class NotSent(HailuoError):
    """The run was never sent; you decide whether to send it."""

    code = "not_sent"


class OwnerStopped(HailuoError):
    """The run belongs to a process that is stopped but has not ended."""

    code = "owner_stopped"


class ProviderError(HailuoError):
    """The provider refused, or its answer was not understood."""

    code = "provider"


class KeyRefused(ProviderError):
    """The provider does not accept the key."""

    code = "key_refused"


class WaitsForItsKey(ProviderError):
    """The run was bought with another key, or with an unknown one."""

    code = "waits_for_its_key"


class Blocked(ProviderError):
    """A firewall, proxy or CDN in front of the provider refused the request."""

    code = "blocked"


class NoCredits(ProviderError):
    """The account does not have enough credits."""

    code = "no_credits"


class RateLimited(ProviderError):
    """The provider accepts fewer requests per minute."""

    code = "rate_limited"


class Rejected(ProviderError):
    """The provider's validation refused the request; nothing was bought."""

    code = "rejected"


class Moderated(ProviderError):
    """The provider refused the content."""

    code = "moderated"


class JobFailed(ProviderError):
    """The provider accepted the job and could not finish it."""

    code = "job_failed"


class JobExpired(ProviderError):
    """The provider has forgotten the job or its clip."""

    code = "job_expired"


class ProviderDown(ProviderError):
    """The provider cannot be reached or is broken; nothing was bought by this call."""

    code = "provider_down"


class CannotCancel(ProviderError):
    """The provider has no way to stop a job that it has accepted, or the job has ended."""

    code = "cannot_cancel"


class Cancelled(ProviderError):
    """The job was cancelled at the provider, so there is no clip."""

    code = "cancelled"


class AnswerLost(ProviderError):
    """The request was sent, but no readable answer came: the clip may have been bought."""

    code = "answer_lost"


class ClipError(HailuoError):
    """The clip could not be fetched, or the data is not a video."""

    code = "clip"


class ClipTooLarge(ClipError):
    """The file at the clip's link is larger than `Hailuo.max_clip_gb` allows."""

    code = "clip_too_large"


class DiskError(HailuoError):
    """A file could not be written."""

    code = "disk"


class DiskFull(DiskError):
    """There is no space left."""

    code = "disk_full"


class FolderNotWritable(DiskError):
    """The output folder is not writable."""

    code = "folder_not_writable"


class RunLogError(HailuoError):
    """The run log cannot be opened, read or written."""

    code = "run_log"


class RecordUnreadable(RunLogError, ValueError):
    """The record of a run in the log cannot be read: a newer version wrote it, or it is damaged."""

    code = "record_unreadable"


class RunNotFound(HailuoError):
    """No run with this id is in the log."""

    code = "run_not_found"


class WaitTimeout(HailuoError, TimeoutError):
    """The wait ended before the run did; the run continues."""

    code = "wait_timeout"


class NotebookError(HailuoError):
    """A notebook file could not be read, or has unexpected content."""

    code = "notebook"


class CrateError(HailuoError):
    """An RO-Crate could not be made."""

    code = "crate"


def below_cell(*parts: str) -> list[str]:
    """Return a message as lines for display below a cell.

    Parameters
    ----------
    parts
        Each begins a new line, and is wrapped between words if longer than `LINE`. Empty ones
        are left out.
    """
    return [
        line
        for part in parts
        for text in part.splitlines()
        for line in textwrap.wrap(text, LINE, break_long_words=False, break_on_hyphens=False)
    ]


def unwritten(error: OSError) -> type[DiskError]:
    """Return the kind of error for a file that could not be written: no space, or no permission."""
    return DiskFull if error.errno in {errno.ENOSPC, errno.EDQUOT} else FolderNotWritable


def _tree(cls: type[HailuoError]) -> dict[str, type[HailuoError]]:
    found = {cls.code: cls}
    for child in cls.__subclasses__():
        found |= _tree(child)
    return found


def from_problem(problem: dict[str, Any]) -> HailuoError:
    """Build the exception that `HailuoError.as_problem` stored.

    Parameters
    ----------
    problem
        Keys ``code``, ``what``, ``money``, ``todo``; an unknown code gives the base class, so that a
        newer version's log can still be read.
    """
    cls = _tree(HailuoError).get(str(problem.get("code")), HailuoError)
    return cls(
        str(problem.get("what", "")),
        money=str(problem.get("money", "")),
        todo=str(problem.get("todo", "")),
    )
