"""The faults that can be switched on: their names, what they do, and which requests they meet."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from tests.simulator.fault_list import FAULTS, Effect, FaultKind

__all__ = [
    "FAULTS",
    "Asking",
    "Effect",
    "Fault",
    "FaultKind",
    "FaultPlan",
    "Stage",
    "describe_faults",
]


class Stage(StrEnum):
    """Which kind of request a fault meets."""

    SUBMIT = "submit"
    STATUS = "status"
    RESULT = "result"
    UPLOAD = "upload"
    MEDIA = "media"
    ASSET = "asset"
    ACCOUNT = "account"
    CANCEL = "cancel"
    ANY = "any"


@dataclass(frozen=True)
class Asking:
    """A request as far as faults look at it.

    ``stages`` can be two at once: AI/ML API's poll is status and result in one.
    """

    wire: str | None
    stages: frozenset[str]
    method: str
    path: str
    prompt: str
    key: str = field(repr=False)


@dataclass(frozen=True)
class Fault:
    """One switched-on fault.

    Parameters
    ----------
    name : str
        One of `FAULTS`.
    stage : str or None
        Which requests it meets, a value of `Stage`; None takes the fault's usual stage.
    count : int or None
        How many requests it spoils; None for all.
    skip : int
        How many matching requests pass before the first is spoilt.
    prompt, path, key : str or None
        Texts that the job's prompt, the path and the key must contain. A key given here is
        compared in memory and neither stored elsewhere nor shown.
    wire : str or None
        ``segmind`` or ``aimlapi``.
    details : dict
        The fault's own settings; see `describe_faults`.

    Raises
    ------
    ValueError
        For a name, stage or detail that does not exist.
    """

    name: str
    stage: str | None = None
    count: int | None = 1
    skip: int = 0
    prompt: str | None = None
    path: str | None = None
    key: str | None = field(default=None, repr=False)
    wire: str | None = None
    details: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kind = FAULTS.get(self.name)
        if kind is None:
            raise ValueError(f"no fault is called {self.name!r}; there are {', '.join(FAULTS)}")
        if self.stage is not None and self.stage not in {*kind.stages, Stage.ANY}:
            raise ValueError(f"{self.name!r} meets {', '.join(kind.stages)}, not {self.stage!r}")
        unknown = self.details.keys() - kind.details.keys()
        if unknown:
            known = ", ".join(kind.details) or "none"
            raise ValueError(f"{self.name!r} has no detail {sorted(unknown)}; it has: {known}")
        early = kind.effect is Effect.EARLY_DROP and self.stage in {None, "submit", "upload", "any"}
        if self.prompt is not None and early:
            raise ValueError(f"{self.name!r} acts before the prompt is read")

    @classmethod
    def of(
        cls,
        name: str,
        stage: str | None = None,
        count: int | None = 1,
        **details: Any,
    ) -> Fault:
        """Return a fault from one flat list of settings, as JSON and `Simulator.fault` give it."""
        own = {"skip", "prompt", "path", "key", "wire"}
        chosen = {word: details.pop(word) for word in own & details.keys()}
        return cls(name.replace("_", "-"), stage, count, details=details, **chosen)

    @property
    def kind(self) -> FaultKind:
        """What this fault is."""
        return FAULTS[self.name]

    def detail(self, name: str) -> Any:
        """Return a detail's value, or its default."""
        return self.details.get(name, self.kind.details[name])

    def meets(self, asking: Asking) -> bool:
        """Whether a request is one that this fault spoils."""
        stages = set(self.kind.usual) if self.stage is None else {self.stage}
        if self.stage == Stage.ANY:
            stages = set(self.kind.stages)
        return (
            bool(stages & asking.stages)
            and (self.wire is None or self.wire == asking.wire)
            and (self.path is None or self.path in asking.path)
            and (self.prompt is None or self.prompt in asking.prompt)
            and (self.key is None or self.key in asking.key)
        )

    def as_json(self) -> dict[str, Any]:
        """Return the fault as JSON types, without the key."""
        shown = {"name": self.name, "stage": self.stage, "count": self.count, "skip": self.skip}
        where = {"prompt": self.prompt, "path": self.path, "wire": self.wire}
        return {**shown, **{name: value for name, value in where.items() if value}, **self.details}


class FaultPlan:
    """The faults that are on, in the order in which they were switched on."""

    def __init__(self) -> None:
        self._faults: list[tuple[int, Fault]] = []
        self._number = 0
        self._lock = threading.Lock()

    def add(self, faults: Iterable[Fault]) -> None:
        """Switch faults on."""
        with self._lock:
            for fault in faults:
                self._number += 1
                self._faults.append((self._number, fault))

    def clear(self, which: Callable[[Fault], bool] = lambda _: True) -> None:
        """Switch faults off: all, or those that `which` names."""
        with self._lock:
            self._faults = [each for each in self._faults if not which(each[1])]

    def listed(self) -> list[Fault]:
        """Return the faults that are on."""
        with self._lock:
            return [fault for _, fault in self._faults]

    def meeting(self, asking: Asking, *effects: Effect) -> list[tuple[int, Fault]]:
        """Return the faults of some effects that a request meets, the first of each name.

        Two faults of one name wait for each other, so that a test can queue them.
        """
        with self._lock:
            found: dict[str, tuple[int, Fault]] = {}
            for number, fault in self._faults:
                if fault.kind.effect in effects and fault.meets(asking):
                    found.setdefault(fault.name, (number, fault))
            return list(found.values())

    def use(self, number: int) -> bool:
        """Spend a fault once; False if this request is one that it lets pass, or it is gone."""
        with self._lock:
            for place, (known, fault) in enumerate(self._faults):
                if known != number:
                    continue
                if fault.skip > 0:
                    self._faults[place] = (number, replace(fault, skip=fault.skip - 1))
                    return False
                if fault.count is not None:
                    if fault.count <= 1:
                        del self._faults[place]
                    else:
                        self._faults[place] = (number, replace(fault, count=fault.count - 1))
                return True
            return False

    def take(self, asking: Asking, *effects: Effect) -> Fault | None:
        """Spend and return the first fault of some effects that a request meets."""
        for number, fault in self.meeting(asking, *effects):
            if self.use(number):
                return fault
        return None

    def take_all(self, asking: Asking, *effects: Effect) -> list[Fault]:
        """Spend and return all faults of some effects that a request meets."""
        return [fault for number, fault in self.meeting(asking, *effects) if self.use(number)]


def describe_faults() -> list[tuple[str, str]]:
    """Return name and description of every fault, with its stages and its details' defaults."""
    lines = []
    for kind in FAULTS.values():
        details = ", ".join(f"{name}={value!r}" for name, value in kind.details.items())
        note = f" [{', '.join(kind.stages)}]" + (f" ({details})" if details else "")
        lines.append((kind.name, kind.description + note))
    return lines
