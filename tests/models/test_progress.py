"""How long steps tell what they do, and how work is made ready ahead of need."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from spencer_models import progress
from spencer_models.ahead import made_ahead
from spencer_models.machine import find_machine
from spencer_models.progress import Track


class Clock:
    """A monotonic clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_off_a_terminal_a_line_twice_a_minute_says_how_long_it_will_take(clock: Clock) -> None:
    lines: list[str] = []
    with Track("training", 100, lines.append, done=10) as track:
        for done in (11, 20, 30):
            clock.now += 20
            track.update(done, "loss 0.5")
    # After 40 seconds ten of the 90 that were left are done: 80 more take 320 seconds.
    assert lines == ["training:  20%, about 5 min left  loss 0.5"]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def _terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    # No fixture: between its phases pytest puts its own stream back.
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    return terminal


def test_on_a_terminal_a_bar_is_drawn_and_no_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _terminal(monkeypatch)
    lines: list[str] = []
    with Track("training", 4, lines.append) as track:
        track.update(4, "loss 0.25")
    assert lines == []
    assert "training" in terminal.getvalue()
    assert "loss 0.25" in terminal.getvalue()


def test_a_step_inside_another_has_its_bar_below_and_takes_it_away(monkeypatch: pytest.MonkeyPatch) -> None:
    _terminal(monkeypatch)
    with Track("training", 4, print) as outer:
        with Track("validation", 2, print) as inner:
            inner.update(1, "asking")
            bars = Track._shown
            assert bars
            assert [task.description for task in bars.tasks] == ["training", "validation"]
        outer.update(2, "loss 0.25")
        assert Track._shown is bars
        assert [task.description for task in bars.tasks] == ["training"]
    assert Track._shown is None
    assert bars.finished is False  # Stopped at 2 of 4, as it was.


def test_work_is_made_in_order_and_a_little_ahead() -> None:
    made: list[int] = []
    third = threading.Event()

    def make(item: int) -> int:
        made.append(item)
        if item == 2:
            third.set()
        return item * item

    with closing(made_ahead(make, range(10))) as results:
        assert next(results) == 0
        assert third.wait(5)
        assert made == [0, 1, 2]
        assert list(results) == [n * n for n in range(1, 10)]
    assert made == list(range(10))


def test_an_error_reaches_whoever_asks_and_the_thread_ends() -> None:
    def make(item: int) -> int:
        return 1 // (2 - item)

    def all_of() -> Iterator[int]:
        with closing(made_ahead(make, range(5))) as results:
            yield from results

    found = all_of()
    assert [next(found), next(found)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(found)


def test_the_machine_says_what_it_is_and_keeps_the_precision_it_is_given() -> None:
    for precision in ("float32", "bfloat16"):
        machine = find_machine(precision)
        assert machine.precision == precision
        assert precision in machine.describe()
    assert find_machine().precision in ("float32", "bfloat16")
