"""When indexing waits: on battery, and while others need the processor."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from spencer_desktop.core import restraint as restraint_module
from spencer_desktop.core.restraint import OnBattery, UnderLoad, restraint
from spencer_desktop.core.settings import load_settings


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


@pytest.mark.parametrize(
    ("everybody", "own", "expected"),
    [
        (0.0, 0.0, False),
        (20.0, 20.0, False),
        (9.0, 0.0, False),
        (11.0, 0.0, True),
        (20.0, 11.0, False),
        (20.0, 9.0, True),
    ],
)
def test_only_what_others_take_counts(everybody: float, own: float, expected: bool) -> None:
    now, taken = [0.0], [(100.0, 50.0)]
    # Half of ten seconds of two cores.
    load = UnderLoad(0.5, lambda: taken[0], lambda: now[0], cores=2)
    taken[0] = (100.0 + everybody, 50.0 + own)
    now[0] = 9.0
    assert not load()
    now[0] = 10.0
    assert load() is expected
    # In the next ten seconds nobody takes anything.
    now[0] = 19.0
    assert load() is expected
    now[0] = 20.0
    assert not load()


def test_the_seconds_of_this_program_are_told_from_those_of_all() -> None:
    everybody, own = restraint_module._taken()
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass
    after = restraint_module._taken()
    assert after[1] - own >= 0.25
    # Clocks of processes are finer than that of the system.
    assert after[0] - everybody >= 0.2
    child = subprocess.run([sys.executable, "-c", "for _ in range(10**7): pass"], check=True)
    assert child.returncode == 0
    assert restraint_module._taken()[1] > after[1]


def test_the_settings_say_what_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(data_dir=tmp_path, file=tmp_path / "none")
    assert restraint(settings)() == ""
    monkeypatch.setattr(restraint_module, "_plugged", lambda: False)
    assert restraint(dataclasses.replace(settings, pause_on_battery=True))() == "battery"
    monkeypatch.setattr(restraint_module.UnderLoad, "__call__", lambda load: load._share == 0.4)
    assert restraint(dataclasses.replace(settings, pause_under_load=40))() == "load"
    assert restraint(dataclasses.replace(settings, pause_under_load=50))() == ""
