"""Whether the machine runs on its battery."""

from __future__ import annotations

from types import SimpleNamespace

import psutil
import pytest

from spencer_desktop.core.power import OnBattery


def test_the_system_is_asked_every_ten_seconds_at_most() -> None:
    now, plugged, asked = [100.0], [True], [0]

    def look() -> bool:
        asked[0] += 1
        return plugged[0]

    on_battery = OnBattery(look, lambda: now[0])
    assert not on_battery()
    plugged[0] = False
    now[0] += 9
    assert not on_battery()
    now[0] += 2
    assert on_battery()
    assert on_battery()
    assert asked[0] == 2


@pytest.mark.parametrize(
    ("battery", "expected"),
    [
        (None, False),
        (SimpleNamespace(power_plugged=True), False),
        (SimpleNamespace(power_plugged=None), False),
        (SimpleNamespace(power_plugged=False), True),
    ],
)
def test_a_machine_without_a_battery_never_waits(
    battery: object, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psutil, "sensors_battery", lambda: battery, raising=False)
    assert OnBattery()() is expected


def test_a_system_that_does_not_say_never_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(psutil, "sensors_battery", raising=False)
    assert not OnBattery()()
