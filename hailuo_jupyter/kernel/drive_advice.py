"""Advice for a host whose disk is deleted with its machine: keep the clips on a mounted drive."""

from __future__ import annotations

from hailuo_jupyter.engine.submission import Submission
from hailuo_jupyter.kernel.frontends import Host
from hailuo_jupyter.kernel.session import SessionState, session


class _Advised(SessionState):
    """Whether the advice was shown in this session."""

    keep = True

    def __init__(self) -> None:
        self.done = False


def once(host: Host, submission: Submission) -> str:
    """Return the advice the first time that it is needed; else an empty text.

    Parameters
    ----------
    host
        The front end.
    submission
        What was submitted; demo clips need no advice.
    """
    advised = session.state(_Advised)
    folder = submission.folder
    mounted = any(each.is_mount() for each in (folder, *folder.parents[:-1]))
    if advised.done or mounted or not host.kept_folder or submission.provider.name == "demo":
        return ""
    advised.done = True
    return (
        f"{host.title} deletes {folder} with its machine. To keep the clips, mount your Drive and set "
        f"HAILUO_OUTPUT_DIR={host.kept_folder}/hailuo before %load_ext."
    )
