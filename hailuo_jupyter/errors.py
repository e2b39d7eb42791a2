"""One tree of exceptions. Each message says what happened, what it means for money and clip, and what to do.

::

    HailuoError
    ├── RequestError            the request is wrong; nothing was sent
    │   ├── PromptError
    │   ├── FrameError
    │   └── OptionError
    ├── SettingsError           a setting or an address is wrong, so nothing is sent
    ├── KeyMissing              no key for this provider, so nothing is sent
    ├── NotBought               an earlier run stands in the way; nothing was sent
    ├── BudgetExceeded          it would pass a budget; nothing was sent
    ├── NotConfirmed            a sweep so large needs the person's word; nothing was sent
    ├── NotSent                 the run waits for the person
    ├── ProviderError           the provider said no, or could not be understood
    │   ├── KeyRefused
    │   ├── NoCredits
    │   ├── RateLimited
    │   ├── Rejected            refused by the provider's validation
    │   ├── Moderated           refused for its content
    │   ├── JobFailed
    │   ├── JobExpired          the provider has forgotten the job or its clip
    │   ├── ProviderDown
    │   ├── CannotCancel        the provider has no way to stop a job
    │   └── AnswerLost          sent, but no answer came: maybe bought
    ├── ClipError               the clip could not be fetched or is no video
    │   └── ClipTooLarge        larger than the setting allows
    ├── DiskError
    │   ├── DiskFull
    │   └── FolderNotWritable
    ├── RunLogError
    ├── RunNotFound
    ├── WaitTimeout             (also a TimeoutError)
    ├── CrateError              an RO-Crate could not be made
    └── NotebookError           a notebook file could not be read or does not hold what it should
"""

from __future__ import annotations

import errno
from typing import Any, ClassVar

from hailuo_jupyter.plain import harmless

#: What every refusal says that happens before anything has left this machine.
NOTHING_SENT = "Nothing was sent and nothing was paid."


class HailuoError(Exception):
    """Base of every error this package raises on purpose.

    Parameters
    ----------
    what
        What happened, as a sentence.
    money
        What it means for the user's money and clip. Empty where neither is touched.
    todo
        What to do next, as a sentence. Empty where nothing can be done.
    """

    #: Stable name of the kind of error, as the run log and the record hold it.
    code: ClassVar[str] = "error"

    def __init__(self, what: str, *, money: str = "", todo: str = "") -> None:
        # A provider's words and a stranger's file names end on terminals.
        self.what, self.money, self.todo = map(harmless, (what, money, todo))
        parts = (self.what, self.money, self.todo)
        super().__init__(" ".join(part for part in parts if part))

    def _render_traceback_(self) -> list[str]:
        """Give IPython one line in place of a traceback of our internals.

        IPython calls this hook of an exception (``InteractiveShell.showtraceback``). A real error
        output stays in the file, so that Run All stops.
        """
        return [f"{type(self).__name__}: {self}"]

    def as_problem(self) -> dict[str, str]:
        """Give the form in which the run log and the record keep this error."""
        return {"code": self.code, "what": self.what, "money": self.money, "todo": self.todo}


class RequestError(HailuoError):
    """The request is wrong; nothing was sent."""

    code = "request"


class PromptError(RequestError):
    """The prompt is empty, too long or holds what no provider can take."""

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


class NotBought(HailuoError):
    """An earlier run of this request stands in the way; nothing was sent."""

    code = "not_bought"


class BudgetExceeded(HailuoError):
    """It would pass a budget that the person has set; nothing was sent."""

    code = "budget"


class NotConfirmed(HailuoError):
    """A sweep of this size is sent only when the person has said so; nothing was sent."""

    code = "not_confirmed"


class NotSent(HailuoError):
    """The run was never sent and waits for the person."""

    code = "not_sent"


class ProviderError(HailuoError):
    """The provider said no, or could not be understood."""

    code = "provider"


class KeyRefused(ProviderError):
    """The provider does not accept the key."""

    code = "key_refused"


class NoCredits(ProviderError):
    """The account has not enough credits."""

    code = "no_credits"


class RateLimited(ProviderError):
    """The provider wants fewer requests a minute."""

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
    """The provider has no way to stop a job that it has accepted."""

    code = "cannot_cancel"


class AnswerLost(ProviderError):
    """The request was sent, but no readable answer came: the clip may have been bought."""

    code = "answer_lost"


class ClipError(HailuoError):
    """The clip could not be fetched, or what came is no video."""

    code = "clip"


class ClipTooLarge(ClipError):
    """What stands in the clip's place is larger than `Hailuo.max_clip_gb` allows."""

    code = "clip_too_large"


class DiskError(HailuoError):
    """A file could not be written."""

    code = "disk"


class DiskFull(DiskError):
    """There is no space left."""

    code = "disk_full"


class FolderNotWritable(DiskError):
    """The output folder does not take files."""

    code = "folder_not_writable"


class RunLogError(HailuoError):
    """The run log cannot be opened, read or written."""

    code = "run_log"


class RunNotFound(HailuoError):
    """No run with this id is in the log."""

    code = "run_not_found"


class WaitTimeout(HailuoError, TimeoutError):
    """The waiting ended before the run did; the run goes on."""

    code = "wait_timeout"


class NotebookError(HailuoError):
    """A notebook file could not be read, or does not hold what it should."""

    code = "notebook"


class CrateError(HailuoError):
    """An RO-Crate could not be made."""

    code = "crate"


def unwritten(error: OSError) -> type[DiskError]:
    """Give the kind of error for a file that could not be written: no room, or no right to."""
    return DiskFull if error.errno in {errno.ENOSPC, errno.EDQUOT} else FolderNotWritable


def _tree(cls: type[HailuoError]) -> dict[str, type[HailuoError]]:
    found = {cls.code: cls}
    for child in cls.__subclasses__():
        found |= _tree(child)
    return found


def from_problem(problem: dict[str, Any]) -> HailuoError:
    """Build the exception that `HailuoError.as_problem` wrote down.

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
