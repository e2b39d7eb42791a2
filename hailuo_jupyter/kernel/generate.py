"""From a prompt and options to runs: shared by the magic, the Python API and the form."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack, cast

from hailuo_jupyter import catalogue, formatting, keys, path_hints, providers, redact
from hailuo_jupyter.catalogue.price_lists import priced
from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.engine import demo_server, process
from hailuo_jupyter.engine.decide import Action
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.engine.submission import Submission, SubmittedRun
from hailuo_jupyter.errors import NOTHING_SENT, HailuoError, KeyMissing, OptionError, from_problem
from hailuo_jupyter.formatting import print_safely
from hailuo_jupyter.kernel import context, drive_advice, host_secrets
from hailuo_jupyter.kernel.clip_source import resolved
from hailuo_jupyter.kernel.configuration import configure
from hailuo_jupyter.kernel.generate_options import (
    DEFAULTS,
    MOST_AT_ONCE,
    GenerateOptions,
    KeywordOptions,
    takes_options,
)
from hailuo_jupyter.record import Labels, OriginRecord
from hailuo_jupyter.request import Request, build
from hailuo_jupyter.request.frames import Frame
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State

#: Maximum seconds until a cell returns, whether the provider has answered or not.
ANSWER_S = 2.0


def choose_provider(
    settings: Hailuo, named: str | None, folder: Path, model: str | None = None
) -> tuple[Provider, str]:
    """Choose the provider of a request that may not name one.

    Without a name it is the first one that has a key, offers the model and may be chosen so: a provider that
    was added later has to be named, or an update would send a request, and money, somewhere else.

    Parameters
    ----------
    settings
        Contain the default.
    named
        The provider that the request names, if any.
    folder
        The notebook's folder, where a ``.env`` may be.
    model
        The model that it names, if any.

    Returns
    -------
    provider, remark
        The remark explains the choice if it is not obvious; else it is empty.

    Raises
    ------
    SettingsError
        If no provider has that name.
    OptionError
        If it does not offer the model.
    KeyMissing
        If none is named and there is no key for any that may be chosen.
    """
    if chosen := (named or settings.provider):
        provider = catalogue.provider(
            chosen,
            model=model,
            demo_dialect=settings.demo_dialect,
            demo_speed=settings.demo_speed,
        )
        return priced(provider, settings), ""
    offering = _offering(model)
    if not (with_key := _with_key(offering, folder)):
        host_secrets.look(catalogue.providers(), folder)
        with_key = _with_key(offering, folder)
    if not with_key:
        raise _no_provider(offering, folder, model)
    chosen_one = priced(with_key[0], settings)
    if len(with_key) == 1:
        return chosen_one, ""
    others = ", ".join(p.title for p in with_key[1:])
    remark = (
        f"Using {chosen_one.title}; there are keys for {others} too.\n"
        f"Set a default: %config Hailuo.provider = '{chosen_one.name}'"
    )
    return chosen_one, remark


def provider_or_default(settings: Hailuo, named: str, folder: Path, model: str) -> Provider:
    """Return a named provider with a model, or with its default one if it does not have that."""
    try:
        return choose_provider(settings, named, folder, model)[0]
    except OptionError:
        return choose_provider(settings, named, folder)[0]


def _offering(model: str | None) -> list[Provider]:
    """Return the providers with the model, or with their default one."""
    if model is None:
        return list(catalogue.providers())
    offering = [p for p in catalogue.offers() if catalogue.spelled(model) == p.model_name]
    # Without any, the first provider's error says which models there are.
    return offering or [catalogue.provider(catalogue.providers()[0].name, model=model)]


def _with_key(offering: Sequence[Provider], folder: Path) -> list[Provider]:
    usual = [p for p in offering if p.chosen_by_key]
    return [p for p in usual if keys.find(p.name, p.key_variables, folder)]


def _no_provider(offering: Sequence[Provider], folder: Path, model: str | None) -> KeyMissing:
    """Return the error for a request that names no provider, where none may be chosen for it."""
    whose = "any provider" if model is None else f"a provider of {model}"
    named = [p for p in offering if not p.chosen_by_key]
    named = [p for p in named if keys.find(p.name, p.key_variables, folder)]
    usual = [p for p in offering if p.chosen_by_key]
    if named:
        titles = " and ".join(p.title for p in named)
        return KeyMissing(
            f"No provider given. The key for {titles} is used only if you name the provider.",
            money=NOTHING_SENT,
            todo=f"Add {' or '.join(f'--provider {p.name}' for p in named)}, or set a default with "
            f"%config Hailuo.provider = {named[0].name!r}.",
        )
    variables = " or ".join(p.key_variables[0] for p in usual or offering)
    return KeyMissing(
        f"No provider given, and no API key found for {whose}.",
        money=NOTHING_SENT,
        todo=f"Set {variables}, or run '%hailuo key PROVIDER'; --provider demo needs no key and "
        "costs nothing.",
    )


def request_from(
    prompt: str, options: GenerateOptions, provider: Provider, settings: Hailuo
) -> Request:
    """Check the options and build the request; frames are opened here.

    Raises
    ------
    PromptError, FrameError, OptionError
        Before anything is sent.
    """
    chosen: Mapping[str, Any] = {**DEFAULTS, **options}
    names = catalogue.option_names()
    return build(
        prompt,
        provider,
        options={name: value for name, value in chosen.items() if name in names},
        image=context.written_path(resolved(chosen["image"])),
        last_image=context.written_path(resolved(chosen["last_image"])),
        prompt_optimizer=chosen["prompt_optimizer"],
        wire=settings.aimlapi_wire
        if settings.aimlapi_wire in provider.wires
        else provider.default_wire,
        base=context.working_folder(),
    )


def check_count(count: int) -> None:
    """Check how many runs are wanted.

    Raises
    ------
    OptionError
        If the count is less than 1, or too many for one cell.
    """
    if not 1 <= count <= MOST_AT_ONCE:
        raise OptionError(
            f"count must be between 1 and {MOST_AT_ONCE}, not {count}.",
            money=NOTHING_SENT,
        )


def output_folder(settings: Hailuo, written: str | Path | None, folder: Path) -> Path:
    """Return the absolute output folder.

    Parameters
    ----------
    settings
        Contain the default; a relative one refers to the notebook's folder.
    written
        The person's choice; a relative one refers to the working directory.
    folder
        The notebook's.

    Raises
    ------
    OptionError
        If it is not a valid path.
    """
    text, base = (
        (str(written), context.working_folder()) if written else (settings.output_dir, folder)
    )
    try:
        if "\0" not in text and text.strip():
            path = (base / Path(text).expanduser()).resolve()
            if not (meant := path_hints.with_slashes(text)) or path.is_dir():
                return path
            raise OptionError(
                f"The output folder {text!a} contains a backslash or an escape sequence.",
                money=NOTHING_SENT,
                todo=f"Write it with forward slashes: {meant}.",
            )
    except (RuntimeError, OSError):  # unknown user, or circular links
        pass
    raise OptionError(
        "The output folder is not a valid path.",
        money=NOTHING_SENT,
        todo="Choose another one with --output.",
    )


def submission_from(
    prompt: str,
    options: GenerateOptions,
    *,
    parent: str | None = None,
    settings: Hailuo | None = None,
) -> tuple[Submission, str]:
    """Check a person's request, and build its submission; nothing is started.

    Parameters
    ----------
    prompt
        Literal text.
    options
        The options that are set.
    parent
        The run that it repeats with changes.
    settings
        The settings for it; the person's own if None.

    Returns
    -------
    submission, remark
        The remark explains the choice of provider.

    Raises
    ------
    HailuoError
        For any problem with it.
    """
    notebook, shell = context.notebook(), context.shell()
    # A budget in a configuration file applies without %load_ext too.
    settings = settings or configure(shell)
    chosen: GenerateOptions = {**DEFAULTS, **options}
    check_count(chosen["count"])
    provider, remark = choose_provider(
        settings, chosen["provider"], notebook.folder, chosen["model"]
    )
    request = request_from(prompt, options, provider, settings)
    cell_id, source = context.cell(shell)
    labels = {name: value for name, value in chosen.items() if name in Labels.__annotations__}
    submission = Submission(
        request,
        provider,
        output_folder(settings, chosen["output"], notebook.folder),
        OriginRecord(
            notebook_id=notebook.id,
            notebook_path=notebook.name,
            cell_id=cell_id,
            source_sha256=source,
        ),
        key_folder=notebook.folder,
        count=chosen["count"],
        new=chosen["new"],
        yes=chosen["yes"],
        labels=cast("Labels", labels),
        parent=parent,
        notebook=notebook,
    )
    return submission, remark


@dataclass(frozen=True)
class Submitted:
    """A submission and its runs, the oldest first.

    Parameters
    ----------
    remark
        A remark about the choice of provider.
    began
        `time.monotonic` at the start of the cell.
    """

    engine: Engine
    submission: Submission
    submitted: tuple[SubmittedRun, ...]
    remark: str
    began: float

    @property
    def runs(self) -> list[Run]:
        """The runs."""
        return [each.run for each in self.submitted]

    @property
    def result(self) -> Run | list[Run]:
        """The run, or a list if the count is more than 1."""
        return self.runs if self.submission.count > 1 else self.runs[0]

    @property
    def reused(self) -> frozenset[str]:
        """Ids of the runs whose clip was made before, so that nothing is bought."""
        made = {Action.SHOW, Action.FETCH}
        return frozenset(each.run.run_id for each in self.submitted if each.action in made)

    @property
    def unconfirmed(self) -> bool:
        """Whether the answer to each submit was lost, so far as is known."""
        return all(run.status is State.UNCONFIRMED for run in self.runs)

    @property
    def run_remarks(self) -> list[str]:
        """Remarks on runs that another notebook or process requested."""
        return [formatting.escape_control(each.remark) for each in self.submitted if each.remark]

    def wait_for_answers(self) -> HailuoError | None:
        """Wait until the submits are answered, at most until `ANSWER_S` after the cell's start.

        Under an executor that runs cell after cell there is no such limit. A run that has not ended by then
        is reported by the next wait.

        Returns
        -------
        HailuoError or None
            The first refusal.
        """
        self.engine.wait_answers(self.runs, patience(self.began))
        errors = {run.run_id: error for run in self.runs if (error := refusal(run))}
        self.engine.unreported.update(
            {run.run_id: run for run in self.runs if run.run_id not in errors and not run.done}
        )
        return next(iter(errors.values()), None)

    def to_result(self, *, wait: bool) -> Run | list[Run]:
        """Return the result for Python code.

        Prints the origin of a run that this notebook or script has not requested.

        Parameters
        ----------
        wait
            Return when the clips are downloaded.

        Raises
        ------
        HailuoError
            If a run was refused so far, or (with `wait`) failed.
        """
        for remark in self.run_remarks:
            print(remark)  # noqa: T201
        if error := self.wait_for_answers():
            raise error
        if wait:
            self._wait()
        return self.result

    def show(self, ip: Any, *, wait: bool, embed: bool) -> None:
        """Show the runs in the running cell, and assign them to the named variable.

        Parameters
        ----------
        ip
            The shell.
        wait
            Return when the clips are downloaded, as always under an executor.
        embed
            Store the clips in the notebook too.

        Raises
        ------
        HailuoError
            If a run was refused so far, or failed.
        """
        advice = drive_advice.once(context.host(ip), self.submission)
        if remarks := [each for each in (self.remark, *self.run_remarks, advice) if each]:
            print_safely("\n".join(remarks))
        error = self.wait_for_answers()
        if name := self.submission.labels.get("name"):
            ip.user_ns[name] = self.result
        # A single refused run is shown by its error alone; one of several is also displayed. An unconfirmed
        # one always has a card, however soon the loss was noticed: it will show how that is resolved.
        if error is None or len(self.runs) > 1 or self.unconfirmed:
            from hailuo_jupyter.kernel.display.run_output import show

            waits = wait and error is None
            show(self.engine, self.runs, ip, wait=waits, embed=embed, saved=self.reused)
        interactive = context.frontend(ip) is context.Frontend.INTERACTIVE
        if error is not None and (wait or not interactive or not self.unconfirmed):
            raise error
        if wait or context.frontend(ip) is context.Frontend.HEADLESS:
            self._wait()

    def _wait(self) -> None:
        for run in self.runs:
            run.wait()


def submit(submission: Submission, began: float, remark: str = "") -> Submitted:
    """Decide what a submission needs, and start it.

    Parameters
    ----------
    submission, remark
        As returned by `submission_from`.
    began
        `time.monotonic` at the start of the cell.

    Raises
    ------
    HailuoError
        For any problem; nothing was sent then.
    """
    engine = process.get_engine()
    host_secrets.look([submission.provider], submission.key_folder)
    return Submitted(engine, submission, tuple(engine.submit(submission)), remark, began)


def dry_run(submission: Submission, remark: str) -> None:
    """Print what would be sent, and where, and what it would cost; nothing is sent or started.

    Local frames are described: their links do not exist yet, and data URIs would fill the page.

    Raises
    ------
    SettingsError
        If the environment has an invalid address for the provider.
    """
    request, provider = submission.request, submission.provider
    frames = {
        role: _frame_words(frame, upload=provider.frames_as == "upload")
        for role, frame in (("first", request.first_frame), ("last", request.last_frame))
        if frame is not None
    }
    demo = provider.name == "demo"
    simulator = os.environ.get(demo_server.ADDRESS) or "(the demo's simulator)"
    addresses = demo_server.base_addresses(simulator.rstrip("/")) if demo else None
    call = providers.dialect(provider, addresses).submit(request, frames, "dry-run")
    address = call.url if demo else redact.link(call.url)
    body = json.dumps(call.body, ensure_ascii=False, indent=2)
    price = submission.price.sentence(submission.count)
    lines = [remark, f"{call.method} {address}", body, price, "Dry run: nothing was sent."]
    print_safely(formatting.escape_control("\n".join(line for line in lines if line)))


def _frame_words(frame: Frame, *, upload: bool) -> str:
    if frame.url is not None:
        return redact.link(frame.url)
    form = "link to the uploaded file" if upload else f"data URI of {frame.size} bytes"
    return f"<{form}, sha256 {frame.sha256}>"


def refusal(run: Run) -> HailuoError | None:
    """Return the error of a run that was refused, not sent, or perhaps sent; else None."""
    row = run.record
    if (
        row.state in {State.REJECTED, State.UNCONFIRMED, State.PREPARED, State.FAILED}
        and row.problem
    ):
        if row.state is State.PREPARED and not run.done:
            return None  # the provider deferred it, and it is sent again
        return from_problem(row.problem.model_dump())
    return None


def patience(began: float) -> float | None:
    """Return the remaining seconds that a cell waits for the answers to its submits; None for no limit.

    Parameters
    ----------
    began
        `time.monotonic` at the start of the cell.
    """
    # After a cell's end an executor such as nbconvert receives nothing more of it: a request that is
    # given up later would pass for one that was sent.
    if context.frontend(context.shell()) is context.Frontend.HEADLESS:
        return None
    return max(0.0, ANSWER_S - (time.monotonic() - began))


def _show(run: Run) -> None:
    from hailuo_jupyter.kernel.display.run_output import show_run

    show_run(run)


def _static_bundle(run: Run) -> dict[str, Any]:
    from hailuo_jupyter.kernel.display.run_output import static_bundle

    return static_bundle(run)


Run.show, Run.static_bundle = _show, _static_bundle


@takes_options()
def generate(
    prompt: str, provider: str | None = None, **options: Unpack[KeywordOptions]
) -> Run | list[Run]:
    """Request a clip, in a notebook, in IPython or in a plain script.

    Parameters
    ----------
    prompt
        1 to 2000 characters, taken literally.
    provider
        A provider's name, e.g. ``"segmind"`` or ``"demo"``; None for the setting, or for
        Segmind or AI/ML API, whichever has a key.
    model
        ``"hailuo-02"`` (the default), ``"hailuo-02-fast"``, ``"hailuo-2.3"``, ``"hailuo-2.3-fast"`` or
        ``"h3"``; not every provider has each.
    mode, resolution, duration, ratio
        The model's own options at this provider, as ``%%hailuo --help`` and the README list them:
        ``"standard"`` or ``"pro"``; ``"768P"``, ``"1080P"`` or ``"512P"``; 6 or 10 seconds; ``"16:9"``.
    image, last_image
        First and last frame: a path, a URL, bytes, a PIL image, a numpy array, or a picture of an
        earlier clip: ``"run:RUN@last"`` (or ``@first``, ``@2.5s``), or ``run.frame("last")``.
    prompt_optimizer
        Let the provider rewrite the prompt (its default).
    count
        Number of runs of this request in this notebook, 1 to 20; only what is missing is bought.
    new
        Buy even if the notebook has such a run already.
    yes
        Send under a budget (``Hailuo.budget_notebook_usd``, ``Hailuo.budget_day_usd``), even if no
        price is published for the clip.
    wait
        Return when the clips are downloaded; else when the provider has answered, after at most 2 s.
    output
        Folder for the clips, relative to the working directory; the setting's if None.
    tags, note, name
        Stored in the record.

    Returns
    -------
    Run or list of Run
        A list if `count` is more than 1.

    Raises
    ------
    HailuoError
        If the request is wrong, was refused within that time, or (with `wait`) failed.

    Examples
    --------
    >>> from hailuo_jupyter import generate
    >>> run = generate("A heron lifts off a lake.", "demo")
    >>> run.wait().clip.suffix
    '.mp4'
    """
    began = time.monotonic()
    submission, _ = submission_from(prompt, {"provider": provider, **options})
    return submit(submission, began).to_result(wait=options.get("wait", False))
