"""Settings from IPython's configuration files, and a ``%config`` that reports mistakes."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from functools import wraps
from typing import Any

from hailuo_jupyter.errors import SettingsError
from hailuo_jupyter.settings import Hailuo, refusals, without

_USUAL = "_hailuo_usual_config"


def configure(ip: Any | None) -> Hailuo:
    """Return the settings in force, after reading IPython's configuration files once.

    Errors in them are printed, a line for each, and skipped; the rest applies.

    Parameters
    ----------
    ip
        The shell, or None in a plain script, which has no such files.
    """
    settings = Hailuo.instance()
    if ip is None or settings.parent is ip:
        return settings
    wrong = refusals(ip.config)
    right = without(ip.config, wrong)
    for name in right.get("Hailuo", {}):
        # A value set before, in Python, takes precedence over the file.
        if getattr(settings, name) != settings.trait_defaults(name):
            right = without(right, [name])
    settings.parent = ip
    settings.update_config(right)
    if settings not in ip.configurables:
        ip.configurables.append(settings)
    settings.refused = (*map(str, wrong.values()), *filter(None, map(_misnamed, ip.config)))
    for line in settings.refused:
        print(f"In IPython's configuration: {line}")  # noqa: T201
    return settings


def raise_refusals(ip: Any) -> None:
    """Make ``%config`` raise if a setting of ``Hailuo`` is invalid; `let_pass` undoes that.

    IPython itself logs such an error, and the cell succeeds. With a misspelled
    budget the next cells would spend more than the person intended.

    Parameters
    ----------
    ip
        The shell.
    """
    usual = ip.find_line_magic("config")
    if usual is None or _USUAL in ip.__dict__:
        return
    ip.__dict__[_USUAL] = usual
    # Not by `register_magic_function`: it stores each as an attribute, and already has one of this name.
    ip.magics_manager.magics["line"]["config"] = _raising(ip, usual)


def let_pass(ip: Any) -> None:
    """Restore IPython's own ``%config``."""
    if usual := ip.__dict__.pop(_USUAL, None):
        ip.magics_manager.magics["line"]["config"] = usual


def _raising(ip: Any, usual: Callable[[str], Any]) -> Callable[[str], Any]:
    @wraps(usual)
    def config(line: str) -> Any:
        settings, named = Hailuo.instance(), line.partition(".")[0].strip()
        class_names = {type(each).__name__ for each in ip.configurables}
        if "=" in line and named not in class_names and (why := _misnamed(named)):
            raise SettingsError(why)
        before, settings.refused = settings.refused, ()
        try:
            found = usual(line)
            if settings.refused:
                raise SettingsError(settings.refused[0])
        finally:
            settings.refused = before
        return found

    return config


def _misnamed(section: str) -> str:
    """Return a hint if a class name resembles ours; empty otherwise."""
    if section == Hailuo.__name__ or not get_close_matches(section, [Hailuo.__name__], cutoff=0.7):
        return ""
    return f"Unknown section {section}; nothing was set. Did you mean {Hailuo.__name__}?"
