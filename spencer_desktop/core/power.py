"""Whether the machine runs on its battery."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil

_LOOK_SECONDS = 10.0


class OnBattery:
    """Asks the system at most every ten seconds, so that it may be asked at every turn of a loop."""

    def __init__(
        self, look: Callable[[], bool | None] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
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


def _plugged() -> bool | None:
    # Not every system has the call, and a virtual machine's answer may be nonsense.
    try:
        battery = psutil.sensors_battery()
    except (AttributeError, OSError, RuntimeError, ValueError):
        return None
    return None if battery is None or battery.power_plugged is None else bool(battery.power_plugged)
