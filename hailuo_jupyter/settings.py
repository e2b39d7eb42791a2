"""What the user may set, and where each value came from.

Order of precedence: ``%config Hailuo.…`` or ``ipython_config.py``, then the environment, then the
default here. Addresses come from the environment alone: nothing that lies in a notebook's folder
may redirect a key.
"""

from __future__ import annotations

import ipaddress
import os
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

import platformdirs
from traitlets import Bool, Dict, Enum, Float, Int, List, Unicode, default
from traitlets.config import SingletonConfigurable

from hailuo_jupyter import redact
from hailuo_jupyter.errors import NOTHING_SENT, SettingsError

#: When this variable is set, no host but loopback is spoken to, even with real keys about.
LOOPBACK_ONLY = "HAILUO_LOOPBACK_ONLY"

_ENVIRONMENT = {
    "provider": "HAILUO_PROVIDER",
    "output_dir": "HAILUO_OUTPUT_DIR",
    "run_log": "HAILUO_RUN_LOG",
    "sinks": "HAILUO_SINKS",
}


class Hailuo(SingletonConfigurable):
    """Settings of hailuo-jupyter, in the form that ``%config Hailuo`` knows."""

    provider = Unicode(
        help="Provider of a cell that names none: segmind, aimlapi or demo. Empty: the one with a key."
    ).tag(config=True)
    output_dir = Unicode(
        help="Folder for clips, sidecars and frames, relative to the notebook's folder."
    ).tag(config=True)
    run_log = Unicode(help="Path of the run log, an SQLite file.").tag(config=True)
    aimlapi_wire = Enum(
        ["legacy", "unified"],
        default_value="legacy",
        help="Which of AI/ML API's two paths is used: the model page's own, or the newer one.",
    ).tag(config=True)
    requests_per_minute = Dict(
        key_trait=Unicode(),
        value_trait=Int(min=1),
        help="Most requests a minute for a provider, e.g. {'segmind': 50}. Without an entry there is "
        "no limit until the provider answers 429; then its published limit is kept for a day.",
    ).tag(config=True)
    deadline_minutes = Float(
        30.0,
        min=1.0,
        help="After this many minutes a run counts as overdue: it is asked about less often.",
    ).tag(config=True)
    budget_notebook_usd = Float(
        0.0,
        min=0.0,
        allow_none=True,
        help="Most USD that a notebook's clips may cost: what was charged, and the high end of the "
        "estimate for the rest. What would pass it is not sent. 0 or None: no budget.",
    ).tag(config=True)
    budget_day_usd = Float(
        0.0,
        min=0.0,
        allow_none=True,
        help="The same for all clips of a day, from midnight by this machine's clock.",
    ).tag(config=True)
    prices_usd = Dict(
        key_trait=Unicode(),
        value_trait=Float(min=0.0),
        help="Your own prices of a clip in USD, in place of the catalogue's estimates, e.g. "
        "{'segmind': 0.4, 'segmind/mode=pro': 0.5, 'aimlapi/resolution=768P,duration=10': 0.6}.",
    ).tag(config=True)
    max_clip_gb = Float(
        2.0,
        min=0.001,
        help="Nothing larger than so many GB (of 1000^3 bytes) is taken for a clip.",
    ).tag(config=True)
    ask_history = Bool(
        True,
        help="Ask the providers' histories, in the background and for free, what runs did cost and "
        "what became of requests whose answer was lost.",
    ).tag(config=True)
    sweep_parallel = Int(
        3, min=1, max=50, help="Most runs of a sweep that are under way at once at a provider."
    ).tag(config=True)
    sweep_confirm_runs = Int(
        5, min=0, help="A sweep that would send more runs than this asks first (or needs --yes)."
    ).tag(config=True)
    sweep_confirm_usd = Float(
        3.0,
        min=0.0,
        help="So does one that may cost more USD than this, by the high end of the prices.",
    ).tag(config=True)
    sinks = List(
        Unicode(),
        help="Where ended runs are sent besides, record and clip: mlflow, wandb, trackio, or what "
        "another package offers, e.g. ['mlflow']. Empty: nothing is sent anywhere.",
    ).tag(config=True)
    embed = Bool(
        False, help="Store clips inside the notebook too (several MB each) instead of a link."
    ).tag(config=True)
    demo_dialect = Enum(
        ["segmind", "aimlapi"],
        default_value="segmind",
        help="Whose wire --provider demo speaks.",
    ).tag(config=True)
    demo_speed = Float(
        20.0,
        min=0.01,
        help="How many times faster than a real provider the simulator of the demo is.",
    ).tag(config=True)

    collector = Bool(
        True,
        help="For a Jupyter server, in its jupyter_server_config.py: whether it finishes runs whose "
        "kernel is gone.",
    ).tag(config=True)

    @default("provider")
    def _provider(self) -> str:
        return os.environ.get("HAILUO_PROVIDER", "")

    @default("output_dir")
    def _output_dir(self) -> str:
        return os.environ.get("HAILUO_OUTPUT_DIR") or "hailuo"

    @default("sinks")
    def _sinks(self) -> list[str]:
        given = os.environ.get("HAILUO_SINKS", "").split(",")
        return [name.strip() for name in given if name.strip()]

    @default("run_log")
    def _run_log(self) -> str:
        given = os.environ.get("HAILUO_RUN_LOG")
        return given or str(Path(platformdirs.user_data_dir("hailuo-jupyter")) / "runs.sqlite3")

    def run_log_path(self, *, demo: bool = False) -> Path:
        """Give the path of the run log; the demo keeps its runs in a file of its own beside it."""
        path = Path(self.run_log).expanduser()
        return path.with_name(f"{path.stem}-demo{path.suffix}") if demo else path

    @property
    def largest_clip(self) -> int:
        """Most bytes that are taken for a clip."""
        return int(self.max_clip_gb * 1000**3)

    def origins(self) -> list[tuple[str, object, str]]:
        """List every setting as (name, value in force, where the value came from)."""
        rows: list[tuple[str, object, str]] = []
        for name in sorted(self.class_own_traits(config=True)):
            value = getattr(self, name)
            variable = _ENVIRONMENT.get(name, "")
            said = ",".join(value) if isinstance(value, list) else value
            if variable and value and os.environ.get(variable) == said:
                origin = f"environment {variable}"
            elif value == self.trait_defaults(name):
                origin = "default"
            else:
                origin = "set by %config or ipython_config.py"
            rows.append((name, value, origin))
        return rows


@lru_cache(maxsize=64)  # asked for each request
def is_loopback(host: str | None) -> bool:
    """Tell whether a host name or address is this machine itself."""
    if host in {"localhost", "localhost."}:
        return True
    try:
        return ipaddress.ip_address((host or "").strip("[]")).is_loopback
    except ValueError:
        return False


def loopback_only() -> bool:
    """Tell whether the guard of tests and demo is set."""
    return bool(os.environ.get(LOOPBACK_ONLY))


def address(default_url: str, variable: str) -> str:
    """Give a provider's base address, from the environment or else the catalogue's own.

    Parameters
    ----------
    default_url
        The catalogue's address.
    variable
        Environment variable that may name another one.

    Raises
    ------
    SettingsError
        If the address is neither https nor loopback, since a key would cross the network readable.
    """
    url = (os.environ.get(variable) or default_url).rstrip("/")
    try:
        parts = urlsplit(url)
        scheme, host, _ = parts.scheme, parts.hostname, parts.port
    except ValueError:  # half an IPv6 address, or a port that is no number
        scheme, host = "", None
    if host and (scheme == "https" or (scheme == "http" and is_loopback(host))):
        return url
    raise SettingsError(
        f"{variable} is {redact.link(url)!r}, which is neither https nor an address of this machine.",
        money=NOTHING_SENT,
        todo=f"Set {variable} to an https address, or remove it.",
    )
