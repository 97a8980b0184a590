"""When indexing is to wait: on battery, or while other programs need the processor."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import psutil

from spencer_desktop.core.settings import Settings

_LOOK_SECONDS = 10.0

Clock = Callable[[], float]
Waits = Callable[[], str]
"""Why indexing is to wait now: "battery" or "load"; "" where it may go on."""


def restraint(settings: Settings) -> Waits:
    """As the settings have it."""
    tests: list[tuple[str, Callable[[], bool]]] = []
    if settings.pause_on_battery:
        tests.append(("battery", OnBattery()))
    if settings.pause_under_load:
        tests.append(("load", UnderLoad(settings.pause_under_load / 100)))
    return lambda: next((why for why, test in tests if test()), "")


class OnBattery:
    """Asks the system at most every ten seconds, so that it may be asked at every turn of a loop."""

    def __init__(self, look: Callable[[], bool | None] | None = None, clock: Clock = time.monotonic) -> None:
        """`look`: whether the machine is plugged in; None where it has no battery, or does not say."""
        self._look = look or _plugged
        self._clock = clock
        self._looked_at = -_LOOK_SECONDS
        self._found = False

    def __call__(self) -> bool:
        now = self._clock()
        if now - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = now
            self._found = self._look() is False
        return self._found


class UnderLoad:
    """Whether other programs took more than `share` (0 to 1) of the processor in the last ten seconds."""

    def __init__(
        self,
        share: float,
        look: Callable[[], tuple[float, float]] | None = None,
        clock: Clock = time.monotonic,
        cores: int | None = None,
    ) -> None:
        """`look`: the seconds of processor that all programs took so far, and those of this one and its children."""
        self._share = share
        self._look = look or _taken
        self._clock = clock
        self._cores = cores or os.cpu_count() or 1
        self._looked_at = clock()
        self._seen = self._look()
        self._found = False

    def __call__(self) -> bool:
        now = self._clock()
        seconds = now - self._looked_at
        if seconds >= _LOOK_SECONDS:
            everybody, own = self._look()
            others = (everybody - self._seen[0]) - (own - self._seen[1])
            self._looked_at, self._seen = now, (everybody, own)
            self._found = others > self._share * seconds * self._cores
        return self._found


def _plugged() -> bool | None:
    # Not every system has the call, and a virtual machine's answer may be nonsense.
    try:
        battery = psutil.sensors_battery()
    except (AttributeError, OSError, RuntimeError, ValueError):
        return None
    return None if battery is None or battery.power_plugged is None else bool(battery.power_plugged)


def _taken() -> tuple[float, float]:
    times = psutil.cpu_times()._asdict()
    # A guest's time is counted among the user's, too; what is waited for is nobody's.
    idle = sum(times.get(name, 0.0) for name in ("idle", "iowait", "guest", "guest_nice"))
    own = 0.0
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        try:
            took = process.cpu_times()
        except psutil.Error:
            continue
        own += took.user + took.system + took.children_user + took.children_system
    return sum(times.values()) - idle, own
