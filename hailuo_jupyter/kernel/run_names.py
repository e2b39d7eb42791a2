"""Find a run by its name, in any notebook, or by its id."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import NOTHING_SENT, RunNotFound
from hailuo_jupyter.formatting import escape_control, local_time
from hailuo_jupyter.kernel import context
from hailuo_jupyter.kernel.commands.echo import echo
from hailuo_jupyter.runlog import Row

#: Maximum runs listed for an ambiguous name.
_LISTED = 5


def find_run(word: str, *, strict: bool, say: Callable[[str], None] = echo) -> Run:
    """Find a run by its id, its name, the stem of its files, or a part of its id.

    Parameters
    ----------
    word
        The id, name, stem or part.
    strict
        Whether a name of several runs is refused, as it must be before something is bought, deleted or
        changed, or a frame is taken. Otherwise this notebook's newest is used, and a message says so.
    say
        Shows the message.

    Raises
    ------
    RunNotFound
        If there is none, or the choice is ambiguous.
    """
    engine = process.get_engine()
    word = word.strip()
    fitting = [row for log in engine.logs() for row in log.fitting(word)]
    named = _named(word, engine)
    if not named or _is_exact(word, fitting, strict=strict):
        return engine.run(word)
    if strict:
        # The name of an imported record is its author's choice, and may be a part of another run's id.
        ids = {row.run_id for row in named}
        named += [row for row in fitting if row.run_id not in ids]
    if len(named) > 1:
        if strict:
            raise _ambiguous(word, named, engine)
        chosen = named[0]
        say(escape_control(f"{word}: {_words(chosen, engine)}, the newest of {len(named)} runs."))
    elif not _is_here(named[0], engine):
        say(escape_control(f"{word}: {_words(named[0], engine)}."))
    return engine.run(named[0].run_id)


def _is_exact(word: str, fitting: Sequence[Row], *, strict: bool) -> bool:
    """Return whether a word is the id of a run or, unless strict, the stem of a run's files."""
    stems = [] if strict else [row.record.file_stem for row in fitting if row.is_readable]
    return word in {row.run_id for row in fitting} or word.lower() in stems


def _named(name: str, engine: Engine) -> list[Row]:
    """Return the runs with a name: this notebook's first, then the newest first."""
    rows = [row for log in engine.logs() for row in log.named(name)]
    return sorted(rows, key=lambda row: (not _is_here(row, engine), -row.created))


def _is_here(row: Row, engine: Engine) -> bool:
    notebook = context.notebook()
    ids = {notebook.id, *notebook.aliases}
    return row.notebook_id in ids.union(*(log.notebook_ids(tuple(ids)) for log in engine.logs()))


def _words(row: Row, engine: Engine) -> str:
    """Return a run's id, notebook and time."""
    where = "this notebook" if _is_here(row, engine) else row.notebook_path or "no notebook"
    moment = local_time(row.created, None)
    return f"{row.run_id} ({where}, {moment:%Y-%m-%d %H:%M})"


def _ambiguous(name: str, rows: Sequence[Row], engine: Engine) -> RunNotFound:
    listed = ", ".join(_words(row, engine) for row in rows[:_LISTED])
    more = f", and {len(rows) - _LISTED} more" if len(rows) > _LISTED else ""
    return RunNotFound(
        f"{len(rows)} runs match {name!a}: {listed}{more}.",
        money=NOTHING_SENT,
        todo="Use one of these ids.",
    )
