"""The user's settings, and where each value came from.

Order of precedence: ``%config Hailuo.…`` or ``ipython_config.py``, then the environment, then the
default here. Addresses come only from the environment: nothing in a notebook's folder may redirect a
key.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterable
from copy import deepcopy
from difflib import get_close_matches
from functools import lru_cache
from math import inf, isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import platformdirs
from traitlets import Bool, Dict, Enum, Float, Int, List, TraitError, Unicode, default
from traitlets.config import Config, SingletonConfigurable

from hailuo_jupyter import home, hosts, redact, startup
from hailuo_jupyter.errors import NOTHING_SENT, SettingsError

#: When this variable is set, only loopback addresses are contacted, even if real keys are present.
LOOPBACK_ONLY = "HAILUO_LOOPBACK_ONLY"

#: Environment variables that set a value where no configuration does.
ENVIRONMENT = {
    "provider": "HAILUO_PROVIDER",
    "output_dir": "HAILUO_OUTPUT_DIR",
    "run_log": "HAILUO_RUN_LOG",
    "sinks": "HAILUO_SINKS",
}

if TYPE_CHECKING:
    _Float = Float[float, float]
else:
    _Float = Float  # without type parameters before traitlets 5.10

#: No price in USD, and no clip in GB, is larger.
_MOST = 1e6


class _Number(_Float):
    """A float, but not NaN: that is neither more nor less than anything, so no limit would hold."""

    def validate(self, obj: Any, value: Any) -> Any:
        """Return the value.

        Raises
        ------
        TraitError
            If it is invalid.
        """
        found = super().validate(obj, value)
        if isnan(found):
            self.error(obj, value)
        return found


class Hailuo(SingletonConfigurable):
    """Settings of hailuo-jupyter, in the form for ``%config Hailuo``."""

    provider = Unicode(
        help="Default provider, for example segmind, replicate or demo. Empty: Segmind or AI/ML API, if "
        "it has a key."
    ).tag(config=True)
    output_dir = Unicode(
        help="Folder for clips, sidecars and frames, relative to the notebook's folder."
    ).tag(config=True)
    run_log = Unicode(help="Path of the run log, an SQLite file.").tag(config=True)
    aimlapi_wire = Enum(
        ["legacy", "unified"],
        default_value="legacy",
        help="Which of AI/ML API's two APIs to use: the model page's own, or the newer one.",
    ).tag(config=True)
    requests_per_minute = Dict(
        key_trait=Unicode(),
        value_trait=Int(min=1),
        help="Most requests per minute for a provider, e.g. {'segmind': 50}. Without an entry "
        "there is no limit until the provider answers 429; then the limit is learned, and "
        "forgotten within minutes.",
    ).tag(config=True)
    deadline_minutes = _Number(
        30.0,
        min=1.0,
        help="After this many minutes a run counts as overdue and is polled less often.",
    ).tag(config=True)
    budget_notebook_usd = _Number(
        0.0,
        min=0.0,
        allow_none=True,
        help="Budget per notebook in USD. A clip counts with what the provider's history shows as "
        "charged, otherwise with its upper estimate; a cost that is only reported counts "
        "with at least the lower estimate. A request that would exceed the budget is not "
        "sent. 0 or None: no budget.",
    ).tag(config=True)
    budget_day_usd = _Number(
        0.0,
        min=0.0,
        allow_none=True,
        help="Budget per day in USD, from midnight by this machine's clock.",
    ).tag(config=True)
    prices_usd = Dict(
        key_trait=Unicode(),
        value_trait=_Number(min=0.0, max=_MOST),
        help="Your own prices per clip in USD, instead of the catalogue's estimates, e.g. "
        "{'segmind': 0.4, 'segmind/mode=pro': 0.5, 'aimlapi/resolution=768P,duration=10': 0.6}.",
    ).tag(config=True)
    max_clip_gb = _Number(
        2.0,
        min=0.001,
        max=_MOST,
        help="Largest clip to download, in GB (10⁹ bytes).",
    ).tag(config=True)
    ask_history = Bool(
        True,
        help="Look up costs and lost answers in the providers' histories, in the background and "
        "for free.",
    ).tag(config=True)
    sweep_parallel = Int(
        3,
        min=1,
        max=50,
        help="Most runs of a sweep that are active at the same time at one provider.",
    ).tag(config=True)
    sweep_confirm_runs = Int(
        5, min=0, help="Ask for confirmation before a sweep of more runs than this (or use --yes)."
    ).tag(config=True)
    sweep_confirm_usd = _Number(
        3.0,
        min=0.0,
        help="Ask for confirmation before a sweep that may cost more than this in USD (upper "
        "estimate).",
    ).tag(config=True)
    sinks = List(
        Unicode(),
        help="Sinks that receive the record and clip of each finished run: mlflow, wandb, "
        "trackio, or another package's, e.g. ['mlflow']. Empty: none.",
    ).tag(config=True)
    embed = Bool(
        False, help="Store clips inside the notebook too (several MB each) instead of a link."
    ).tag(config=True)
    embed_clip_mb = _Number(
        2.0,
        min=0.0,
        help="Where a link to a clip cannot play, as in Google Colab: largest clip to store in the "
        "notebook, in MB (10⁶ bytes). Of a larger one a preview of up to 1 MB is stored.",
    ).tag(config=True)
    embed_notebook_mb = _Number(
        20.0,
        min=0.0,
        help="Where links to clips cannot play: most MB of clips and previews that a kernel stores in "
        "one notebook. After that, pictures are shown.",
    ).tag(config=True)
    player_width = Int(
        480,
        min=240,
        max=1920,
        help="Width of a clip on its card, in pixels; less where there is no room. A double click "
        "on a clip shows it as large as the screen.",
    ).tag(config=True)
    demo_dialect = Enum(
        ["segmind", "aimlapi"],
        default_value="segmind",
        help="Which provider --provider demo imitates.",
    ).tag(config=True)
    demo_speed = _Number(
        20.0,
        min=0.01,
        help="Speed of the demo's simulator, as a multiple of a real provider's.",
    ).tag(config=True)

    collector = Bool(
        True,
        help="For a Jupyter server (in jupyter_server_config.py): finish runs whose kernel is "
        "gone.",
    ).tag(config=True)

    #: Why settings of the last configuration were rejected, one sentence each.
    refused: tuple[str, ...] = ()

    def update_config(self, config: Config) -> None:
        """Apply a configuration to these settings, as IPython does for ``%config``.

        Nothing is applied if any part is invalid; `refused` lists the reasons.
        """
        wrong = refusals(config)
        self.refused = tuple(map(str, wrong.values()))
        if not wrong:
            super().update_config(config)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a value; reject a setting that does not exist, since it would have no effect."""
        if not name.startswith("_") and not hasattr(type(self), name):
            raise _unknown(name)
        super().__setattr__(name, value)

    @default("provider")
    def _provider(self) -> str:
        return os.environ.get("HAILUO_PROVIDER", "")

    @default("output_dir")
    def _output_dir(self) -> str:
        return os.environ.get("HAILUO_OUTPUT_DIR") or "hailuo"

    @default("sinks")
    def _sinks(self) -> list[str]:
        names = os.environ.get("HAILUO_SINKS", "").split(",")
        return [name.strip() for name in names if name.strip()]

    @default("run_log")
    def _run_log(self) -> str:
        if path := os.environ.get("HAILUO_RUN_LOG"):
            return path
        try:
            return str(Path(platformdirs.user_data_dir("hailuo-jupyter")) / "runs.sqlite3")
        except (
            RuntimeError
        ):  # there is no home folder; older versions return one that begins with ~
            return ""

    def run_log_path(self, *, demo: bool = False) -> Path:
        """Return the absolute path of the run log; the demo's runs are in a separate file next to it.

        A relative path is relative to the folder in which the process was started, regardless of
        ``%cd``.

        Raises
        ------
        SettingsError
            If it would be in the home folder, but there is none.
        """
        if not self.run_log or (self.run_log.startswith("~") and home.folder() is None):
            raise SettingsError(
                f"No folder for the run log: {home.missing()}.",
                money=NOTHING_SENT,
                todo="Set HAILUO_RUN_LOG to a file on persistent storage, such as "
                "/data/hailuo/runs.sqlite3, or set HOME.",
            )
        path = startup.folder() / home.expand(self.run_log)
        return path.with_name(f"{path.stem}-demo{path.suffix}") if demo else path

    def existing_run_logs(self) -> list[Path]:
        """Return the paths of the existing run logs: the user's and the demo's."""
        try:
            paths = [self.run_log_path(demo=demo) for demo in (False, True)]
        except SettingsError:
            return []
        # Unlike `Path.is_file` this treats a folder that cannot be entered as one without a log.
        return [path for path in paths if os.path.isfile(path)]  # noqa: PTH113

    @property
    def largest_clip(self) -> int:
        """Largest accepted size of a clip in bytes."""
        return int(self.max_clip_gb * 1000**3)

    def origins(self) -> list[tuple[str, object, str]]:
        """List every setting as (name, value in force, where the value came from)."""
        rows: list[tuple[str, object, str]] = []
        for name in sorted(self.class_own_traits(config=True)):
            value = getattr(self, name)
            variable = ENVIRONMENT.get(name, "")
            text = ",".join(value) if isinstance(value, list) else value
            if variable and value and os.environ.get(variable) == text:
                origin = f"environment {variable}"
            elif value == self.trait_defaults(name):
                origin = "default"
            else:
                origin = "set by %config or ipython_config.py"
            rows.append((name, value, origin))
        return rows


def refusals(config: Config) -> dict[str, SettingsError]:
    """Return why settings of a configuration are invalid, by name; empty if all are valid.

    Parameters
    ----------
    config
        The configuration, read by IPython or Jupyter Server from files, or by ``%config`` from a cell.
    """
    found: dict[str, SettingsError] = {}
    traits = Hailuo.class_traits(config=True)
    for name, value in config.get("Hailuo", {}).items():
        trait = traits.get(name)
        if trait is None:
            found[name] = _unknown(name)
            continue
        try:
            # A separate section is checked, so that the settings in force do not change.
            Hailuo(config=Config({"Hailuo": {name: value}}))
        except TraitError:
            shown = redact.text(repr(value))
            found[name] = SettingsError(
                f"Hailuo.{name} cannot be {shown if len(shown) <= 60 else shown[:59] + '…'}; it "
                "was not changed.",
                todo=_expected(trait),
            )
    return found


def _expected(trait: Any) -> str:
    """Return which values a setting may have."""
    if not isinstance(trait, Float | Int):
        return f"It must be {trait.info()}: {trait.help}"
    kind = "a whole number" if isinstance(trait, Int) else "a number"
    low, high = trait.min, trait.max
    limits = f", {low:g} or more" if high in {None, inf} else f" from {low:g} to {high:,.10g}"
    return f"It must be {kind}{limits}{', or None' if trait.allow_none else ''}."


def without(config: Config, names: Iterable[str]) -> Config:
    """Return a copy of a configuration without some of these settings."""
    copied = deepcopy(config)
    for name in names:
        del copied["Hailuo"][name]
    return copied


def _unknown(name: str) -> SettingsError:
    names = sorted(Hailuo.class_traits(config=True))
    near = get_close_matches(name, names, n=3, cutoff=0.4)
    return SettingsError(
        f"Unknown setting Hailuo.{name}; nothing was set.",
        todo=f"Did you mean {' or '.join(f'Hailuo.{each}' for each in near)}?"
        if near
        else f"Available: {', '.join(names)}.",
    )


@lru_cache(maxsize=64)  # called for each request
def is_loopback(host: str | None) -> bool:
    """Return whether a host name or address is this machine itself.

    Only addresses of four numbers: whether ``0x7f.1`` is one depends on the system, or a proxy.
    """
    name = hosts.normalized(host)
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def loopback_only() -> bool:
    """Return whether the guard of tests and demo is set."""
    return bool(os.environ.get(LOOPBACK_ONLY))


def address(default_url: str, variable: str) -> str:
    """Return a provider's base address, from the environment or else from the catalogue.

    Parameters
    ----------
    default_url
        The catalogue's address.
    variable
        Environment variable that may override it.

    Raises
    ------
    SettingsError
        If the address is neither https nor loopback, since a key would be sent unencrypted.
    """
    url = (os.environ.get(variable) or default_url).rstrip("/")
    try:
        parts = urlsplit(url)
        scheme, host, _ = parts.scheme, parts.hostname, parts.port
    except ValueError:  # half an IPv6 address, or a port that is not a number
        scheme, host = "", None
    if host and (scheme == "https" or (scheme == "http" and is_loopback(host))):
        return url
    if full := _with_scheme(url):
        raise SettingsError(
            f"{variable} is {redact.link(url)!r}, which has no scheme.",
            money=NOTHING_SENT,
            todo=f"Set {variable} to {redact.link(full)}.",
        )
    raise SettingsError(
        f"{variable} is {redact.link(url)!r}, which is neither https nor an address of this machine.",
        money=NOTHING_SENT,
        todo=f"Set {variable} to an https address, or remove it.",
    )


def _with_scheme(url: str) -> str:
    """Return an address with its missing scheme; empty if none is missing, or it is not an address."""
    if "://" in url or not re.match(
        r"(//)?(\[[\da-f:.]+\]|[\w.-]+)(:\d+)?(/|$)", url, re.IGNORECASE
    ):
        return ""
    rest = url.removeprefix("//")
    try:
        host = urlsplit(f"//{rest}").hostname
    except ValueError:
        return ""
    return f"{'http' if is_loopback(host) else 'https'}://{rest}"
