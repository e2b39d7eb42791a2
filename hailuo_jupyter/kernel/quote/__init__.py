"""A quote: every provider and model that can serve one request, with price, time and what would differ.

Nothing of the request is sent, and nothing is bought. A provider's public price list may be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Unpack

from hailuo_jupyter import catalogue, formatting, keys
from hailuo_jupyter.catalogue.price_lists import priced
from hailuo_jupyter.catalogue.types import Price, Provider
from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.eta import forecast
from hailuo_jupyter.errors import HailuoError, KeyMissing
from hailuo_jupyter.formatting import escape_control
from hailuo_jupyter.kernel import context, generate
from hailuo_jupyter.kernel.clip_source import resolved
from hailuo_jupyter.kernel.configuration import configure
from hailuo_jupyter.kernel.context import Frontend
from hailuo_jupyter.kernel.generate_options import (
    DEFAULTS,
    GenerateOptions,
    KeywordOptions,
    takes_options,
)
from hailuo_jupyter.kernel.quote.offers import Offer, Wanted, offers_for, seconds_of, written
from hailuo_jupyter.request import check_prompt
from hailuo_jupyter.request.frames import open_frame
from hailuo_jupyter.settings import Hailuo

_CAPTION = "Who can make this clip. Nothing was sent; no charge."
_HEAD = ("Provider, model", "Key", "Price", "Usual time", "Output", "What differs", "To choose it")


@dataclass(frozen=True)
class QuoteRow:
    """One provider and model.

    Parameters
    ----------
    provider, model
        As options spell them.
    title
        The provider, as a person reads it.
    can
        Whether it can serve the request.
    key
        Whether a key is present.
    low, high, price_kind, price_as_of
        Its price in USD (None if unknown), where it comes from, and the date of that.
    usual_s, runs
        Usual seconds until the clip is there, and how many such runs in the log that rests on; with none it
        is the catalogue's.
    width, height, seconds
        The clip without a first frame; with one it has the frame's shape.
    differs
        What would differ from the request.
    choose
        The options of a cell that goes there.
    why_not
        Why it cannot serve the request.
    """

    provider: str
    model: str
    title: str
    can: bool
    key: bool
    low: float | None = None
    high: float | None = None
    price_kind: str = ""
    price_as_of: str = ""
    usual_s: float | None = None
    runs: int = 0
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    differs: tuple[str, ...] = ()
    choose: str = ""
    why_not: str = ""

    def cells(self) -> tuple[str, ...]:
        """Return the row in words, as the table shows it."""
        name = f"{self.title} {self.model}"
        key = "present" if self.key else "none"
        if not self.can:
            return name, key, "", "", "", f"Cannot: {self.why_not}", ""
        price = "unknown"
        if self.low is not None and self.high is not None:
            source = formatting.price_source(self.price_kind)
            dated = f"{source}, {self.price_as_of}" if self.price_as_of else source
            price = f"{formatting.dollars(self.low, self.high)} ({dated})"
        basis = formatting.count(self.runs, "run") + " here" if self.runs else "catalogue"
        time = "" if self.usual_s is None else formatting.approx_duration(self.usual_s)
        size = ""
        if self.width is not None and self.height is not None:
            size = formatting.pixels(self.width, self.height)
        length = "" if self.seconds is None else f", {self.seconds:g} s"
        differs = "; ".join(self.differs) or "as requested"
        return name, key, price, f"{time} ({basis})", f"{size}{length}", differs, self.choose


@dataclass(frozen=True)
class Quote:
    """Who can make a clip: rows to compare, those that can serve the request first, the cheapest first.

    Parameters
    ----------
    rows
        A row for each provider and model.
    remark
        A remark about the sizes; may be empty.
    """

    rows: tuple[QuoteRow, ...]
    remark: str = ""

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return a dictionary for each row, with the fields of `QuoteRow`."""
        return [asdict(row) for row in self.rows]

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield _CAPTION
        served = [_HEAD, *(row.cells() for row in self.rows if row.can)]
        widths = [max(map(len, column)) for column in zip(*served, strict=True)]
        for cells in served:
            yield "  ".join(
                cell.ljust(width) for cell, width in zip(cells, widths, strict=True)
            ).rstrip()
        for row in self.rows:
            if not row.can:
                name, _, _, _, _, why, _ = row.cells()
                yield f"{name}: {why[:1].lower()}{why[1:]}"
        if self.remark:
            yield self.remark

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        """Return the table to IPython, which calls this for a cell's last expression."""
        if context.frontend(context.shell()) in {Frontend.SCRIPT, Frontend.TERMINAL}:
            return {"text/plain": repr(self)}
        return {"text/plain": repr(self), "text/html": self.html()}

    def html(self, *, with_options: bool = True) -> str:
        """Return the table as HTML, with or without the options of a cell that goes there."""
        from hailuo_jupyter.kernel.display.bundle import templates

        columns = len(_HEAD) if with_options else len(_HEAD) - 1
        return (
            templates()
            .get_template("quote.html.j2")
            .render(
                caption=_CAPTION,
                head=_HEAD[:columns],
                rows=[(row.can, row.cells()[:columns]) for row in self.rows],
                remark=self.remark,
            )
        )


@takes_options()
def quote(prompt: str, provider: str | None = None, **options: Unpack[KeywordOptions]) -> Quote:
    """Compare every provider and model for one request. Nothing of it is sent, and nothing is bought.

    Parameters
    ----------
    prompt
        The text of the request.
    provider, model, mode, resolution, duration, ratio, image, last_image, prompt_optimizer
        As for `generate`. What another provider or model lacks is replaced by what comes nearest.
    count, new, yes, wait, output, tags, note, name
        As for `generate`; they change nothing here.

    Returns
    -------
    Quote
        Shown as a table: whether a key is present, price, usual time, size, and what would differ. Those
        that cannot serve the request say why.

    Raises
    ------
    HailuoError
        If the request is wrong wherever it goes.

    Examples
    --------
    >>> from hailuo_jupyter import quote
    >>> rows = quote("A heron lifts off a lake.", duration=10).to_dicts()
    >>> next(row["choose"] for row in rows if row["can"] and row["provider"] == "fal")
    '--provider fal --duration 10'
    """
    return quote_of(prompt, {"provider": provider, **options})


def quote_of(prompt: str, options: GenerateOptions) -> Quote:
    """Return the quote of a request, as `quote`."""
    chosen: GenerateOptions = {**DEFAULTS, **options}
    settings, folder = configure(context.shell()), context.notebook().folder
    asked = _asked(chosen, settings)
    text = check_prompt(prompt, max(each.prompt_max for each in catalogue.offers()))
    first, last = resolved(chosen["image"]), resolved(chosen["last_image"])
    for source, role in ((first, "first frame"), (last, "last frame")):
        if source is not None:
            open_frame(
                context.written_path(source),
                role=role,
                limits=asked.frame_limits,
                base=context.working_folder(),
            )
    set_options = {
        name: value
        for name in catalogue.option_names()
        if (value := dict(chosen).get(name)) is not None
    }
    wanted = Wanted(
        {name: str(value) for name, value in set_options.items()},
        len(text),
        first is not None,
        last is not None,
        chosen["prompt_optimizer"] is not False,
    )
    process.get_engine().refresh_prices(
        *(each for each in catalogue.offers() if each.has_price_list)
    )
    present = {each.name: _has_key(each, folder) for each in catalogue.providers()}
    found = [_row(offer, settings, present) for offer in offers_for(wanted, asked)]
    found.sort(key=lambda row: (not row.can, bool(row.differs), row.high is None, row.high or 0.0))
    remark = "With a first frame the clip has the frame's shape." if wanted.first else ""
    return Quote(tuple(found), remark)


def _asked(chosen: GenerateOptions, settings: Hailuo) -> Provider:
    """Return the provider and model that a request names; without a name and a key, the first one."""
    model = chosen["model"]
    try:
        found, _ = generate.choose_provider(
            settings, chosen["provider"], context.notebook().folder, model
        )
    except KeyMissing:
        wanted = catalogue.DEFAULT_MODEL if model is None else catalogue.spelled(model)
        found = next(each for each in catalogue.offers() if each.model_name == wanted)
    return found


def _has_key(provider: Provider, folder: Any) -> bool:
    try:
        return keys.find(provider.name, provider.key_variables, folder) is not None
    except HailuoError:  # not a valid one
        return False


def _row(offer: Offer, settings: Hailuo, present: dict[str, bool]) -> QuoteRow:
    provider = offer.provider
    names = (provider.name, provider.model_name, escape_control(provider.title))
    key = present[provider.name]
    if offer.options is None:
        return QuoteRow(*names, can=False, key=key, why_not=offer.why_not)
    price: Price = priced(provider, settings).price(offer.options)
    prior, size = provider.expected(offer.options), provider.size(offer.options)
    seen = _durations(provider.kind(offer.options), settings)
    return QuoteRow(
        *names,
        can=True,
        key=key,
        low=price.low,
        high=price.high,
        price_kind=price.kind,
        price_as_of=price.as_of,
        usual_s=forecast(prior.median_s, prior.sigma, seen).median_s,
        runs=len(seen),
        width=size.width,
        height=size.height,
        seconds=seconds_of(offer),
        differs=offer.differs,
        choose=written(offer),
    )


def _durations(kind: str, settings: Hailuo) -> Sequence[float]:
    if not settings.existing_run_logs():
        return ()
    return [seconds for log in process.get_engine().logs() for seconds in log.durations(kind)]
