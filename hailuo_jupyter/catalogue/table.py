"""The catalogue as tables for the documents; a test keeps them up to date.

``python -m hailuo_jupyter.catalogue.table`` writes them into README.md and the pages of `PAGES`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from hailuo_jupyter.catalogue import model_names, offers, providers
from hailuo_jupyter.catalogue.types import Behavior, Provider
from hailuo_jupyter.formatting import approx_duration, dollars

#: Around a table in a document.
BEGIN, END = "<!-- from the catalogue: {} -->", "<!-- end -->"

#: The documents with such tables, from the repository's root.
PAGES = ("README.md", "docs/index.md", "docs/how-to/first-clip.md", "docs/reference/models.md")

#: Where a fact comes from, the surest first.
_KINDS = ("published", "inferred")

_FRAMES = {
    ("optional", "optional"): "first, last or both, or none",
    ("optional", "with_first"): "none, first, or both",
    ("optional", "none"): "first or none",
    ("required", "with_first"): "first (needed), last too",
    ("required", "none"): "first (needed)",
    ("none", "none"): "none",
}


def unverified() -> str:
    """Return what was not verified against the live providers."""
    return "\n".join(_unverified())


def _unverified() -> Iterator[str]:
    *most, last = (provider.title for provider in providers())
    named = f"{', '.join(most)} or {last}"
    yield f"> **Not verified against the live providers.** No request was ever sent to {named}."
    yield "> The package follows their documentation and clients, and was tested against simulators of them."
    yield "> The table counts the facts that a provider publishes, and those that are inferred."
    yield ">"
    yield "> | | Prices | Clip sizes | How long a clip is kept | Behavior |"
    yield "> |---|---|---|---|---|"
    for provider in providers():
        offered = [offer for offer in offers() if offer.name == provider.name]
        cells = (
            _counts(rule.then.kind for offer in offered for rule in offer.prices),
            _counts(rule.then.kind for offer in offered for rule in offer.sizes),
            provider.file_lifetime.kind,
            _counts(each.kind for each in behavior(provider)) or "-",
        )
        yield f"> | {provider.title} | {' | '.join(cells)} |"
    yield ">"
    yield "> Before you buy, `jupyter hailuo probe PROVIDER` checks a real account with free calls only."


def behavior(provider: Provider) -> tuple[Behavior, ...]:
    """Return what a provider's adapter relies on besides prices, sizes and times."""
    if (resend := provider.resend) is None:
        return provider.behavior
    minutes = resend.within_s / 60
    fact = f"A repeated submit under the same id is refused; it is repeated within {minutes:g} minutes."
    return (*provider.behavior, Behavior(fact, resend.kind, resend.source, resend.as_of))


def _counts(kinds: Iterable[str]) -> str:
    counted = Counter(kinds)
    return ", ".join(f"{counted[kind]} {kind}" for kind in _KINDS if counted[kind])


def overview() -> str:
    """Return what a clip costs, by model and provider."""
    titles = [provider.title for provider in providers()]
    rows = [f"| `--model` | {' | '.join(titles)} |", f"|---{'|---' * len(titles)}|"]
    for name in model_names():
        by_provider = {o.name: o for o in offers() if o.model_name == name}
        cells = [_price(by_provider[p.name]) if p.name in by_provider else "-" for p in providers()]
        rows.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(rows)


def details() -> str:
    """Return what each provider offers: options, frames, price, time and size."""
    return "\n".join(_details())


def _details() -> Iterator[str]:
    yield "| Provider | `--model` | Options (the default first) | Frames | Price of a clip | Usual time |"
    yield "|---|---|---|---|---|---|"
    for offer in offers():
        options = ", ".join(
            f"`--{c.name} {_bars(_values(c.default, c.values))}`" for c in offer.choices
        )
        frames = _FRAMES[offer.first_frame, offer.last_frame]
        times = sorted({rule.then.median_s for rule in offer.expectations})
        time = " to ".join(dict.fromkeys(approx_duration(each) for each in (times[0], times[-1])))
        yield (
            f"| {offer.title} (`{offer.name}`) | `{offer.model_name}` | {options} | {frames} "
            f"| {_price(offer)} | {time} |"
        )


def _bars(values: list[str]) -> str:
    return "\\|".join(values)  # a bare one would end the table's cell


def _values(default: str | int, values: tuple[str | int, ...]) -> list[str]:
    ordered = sorted(values, key=lambda value: value != default)
    return [str(value) for value in ordered]


def _price(offer: Provider) -> str:
    known = [rule.then for rule in offer.prices if rule.then.high is not None]
    if not known:
        return "unknown"
    low = min(price.low for price in known if price.low is not None)
    high = max(price.high for price in known if price.high is not None)
    kinds = {price.kind for price in known}
    source = "published" if kinds == {"published"} else "estimate"
    return f"{dollars(low, high)} ({source}, {max(price.as_of for price in known)})"


def with_tables(text: str) -> str:
    """Return a document with its tables as the catalogue has them now."""
    tables = {"unverified": unverified(), "overview": overview(), "details": details()}
    for name, table in tables.items():
        before, begin, rest = text.partition(f"{BEGIN.format(name)}\n")
        if begin:
            text = f"{before}{begin}{table}\n{END}{rest.partition(END)[2]}"
    return text


def main(root: Path) -> None:
    """Write the tables into the documents below a folder."""
    for page in (root / name for name in PAGES):
        page.write_text(with_tables(page.read_text("utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(Path.cwd())
