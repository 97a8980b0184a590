"""The indexing service: commands in, events out, and a pause that is heard in the middle of a run."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spencer_desktop.core import watching
from spencer_desktop.core.engine import Engine
from spencer_desktop.core.settings import load_settings
from spencer_desktop.core.watch_note import read_note
from spencer_desktop.core.watching import Watcher
from tests.e2e.harness import PackedFakes, engine_with
from tests.e2e.running import Running
from tests.fakes import SMALL_PROJECT, write_tree


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "project", SMALL_PROJECT)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    settings = load_settings(data_dir=tmp_path / "data")
    made = Running(lambda: engine_with(PackedFakes(), settings))
    yield made
    made.stop()


def test_a_folder_is_indexed_and_forgotten(running: Running, project: Path) -> None:
    running.tell(do="index", paths=[str(project)])
    assert running.until("working")
    assert running.until("progress")["stage"] == "read"
    report = running.until("indexed")
    assert (report["added"], report["stopped"], report["faults"]) == (len(SMALL_PROJECT), False, [])
    assert report["encoded"] > 0
    assert running.until("idle")
    running.tell(do="index", paths=[])
    assert running.until("indexed")["unchanged"] == len(SMALL_PROJECT)
    running.tell(do="remove", repository="project")
    assert running.until("removed") == {"event": "removed", "name": "project", "root": str(project)}


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "[]",
        "1",
        '{"do": "dance"}',
        '{"do": []}',
        '{"undo": 1}',
        '{"do": "index"}',
        '{"do": "index", "paths": "x"}',
        '{"do": "index", "paths": [1]}',
        '{"do": "remove"}',
        '{"do": "pause", "repository": 1}',
    ],
)
def test_what_is_no_command_is_refused_and_the_service_goes_on(running: Running, project: Path, line: str) -> None:
    running.tell(line)
    failed = running.until("failed")
    assert "command" in failed["message"]
    assert failed["details"] == ""
    running.tell(do="index", paths=[str(project)])
    assert running.until("indexed")["added"] == len(SMALL_PROJECT)


def test_a_folder_that_is_not_there_is_said_with_a_remedy(running: Running, project: Path) -> None:
    running.tell(do="index", paths=[str(project / "nowhere")])
    failed = running.until("failed")
    assert "nowhere" in failed["message"]
    assert failed["hint"]
    assert running.until("idle")


def test_a_bug_comes_with_its_traceback_and_the_next_command_is_obeyed(tmp_path: Path, project: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "data")
    tries = iter([True, False])

    def open_engine() -> Engine:
        if next(tries):
            raise ZeroDivisionError("of the test")
        return engine_with(PackedFakes(), settings)

    running = Running(open_engine)
    running.tell(do="index", paths=[str(project)])
    failed = running.until("failed")
    assert (failed["message"], "ZeroDivisionError: of the test" in failed["details"]) == ("of the test", True)
    running.tell(do="index", paths=[str(project)])
    assert running.until("indexed")["added"] == len(SMALL_PROJECT)
    running.stop()


def test_the_command_is_a_service_until_its_input_ends(tmp_path: Path, project: Path) -> None:
    argv = [sys.executable, "-m", "spencer_desktop.cli", "--data-dir", str(tmp_path / "data"), "service"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout

        def tell(command: dict[str, Any], answer: str) -> dict[str, Any]:
            process.stdin.write(json.dumps(command) + "\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
            events = map(json.loads, process.stdout)  # type: ignore[arg-type]
            return next(event for event in events if event["event"] == answer)

        assert tell({"do": "index", "paths": [str(project)]}, "indexed")["added"] == len(SMALL_PROJECT)
        assert "No repository 'x'" in tell({"do": "remove", "repository": "x"}, "failed")["message"]
        process.stdin.close()
        assert process.wait(60) == 0


class SlowEncoder:
    """Waits in every batch until it is let go."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.dimension = inner, inner.dimension
        self.reached, self.let_go = threading.Event(), threading.Event()

    def encode(self, texts: Any) -> Any:
        self.reached.set()
        assert self.let_go.wait(30)
        return self.inner.encode(texts)


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[tuple[Running, SlowEncoder]]:
    models = PackedFakes()
    models.code_encoder = encoder = SlowEncoder(models.code_encoder)  # type: ignore[assignment]
    settings = load_settings(data_dir=tmp_path / "data")
    running = Running(lambda: engine_with(models, settings))
    yield running, encoder
    encoder.let_go.set()
    running.stop()


# More than one batch of the encoder, so that a run can be left in the middle.
MANY = {f"m{n}.py": f"def paint_{n}(wall_{n}):\n    return wall_{n} + {n}\n" for n in range(300)}


def test_a_pause_is_heard_in_the_middle_of_a_run_and_nothing_is_lost(
    slow: tuple[Running, SlowEncoder], tmp_path: Path
) -> None:
    running, encoder = slow
    running.tell(do="index", paths=[str(write_tree(tmp_path / "many", MANY))])
    assert encoder.reached.wait(30)
    running.tell(do="pause")
    running.tell("not heard before the pause is")
    running.until("failed")
    encoder.let_go.set()
    first = running.until("indexed")
    assert first["stopped"]
    assert 0 < first["encoded"] < len(MANY)
    running.until("idle")
    running.tell(do="resume")
    second = running.until("indexed")
    assert (second["stopped"], second["unchanged"]) == (False, len(MANY))
    assert first["encoded"] + second["encoded"] == len(MANY)


def test_on_battery_indexing_waits_and_goes_on_where_it_was(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spencer_desktop.service._WAIT_SECONDS", 0.01)
    settings = load_settings(data_dir=tmp_path / "data")
    models = PackedFakes()
    models.code_encoder = encoder = SlowEncoder(models.code_encoder)  # type: ignore[assignment]
    unplugged = threading.Event()
    running = Running(lambda: engine_with(models, settings), lambda: "battery" * unplugged.is_set())
    many = write_tree(tmp_path / "many", MANY)
    running.tell(do="index", paths=[str(many)])
    assert encoder.reached.wait(30)
    unplugged.set()
    encoder.let_go.set()
    assert running.until("indexed")["stopped"]
    assert running.until("waiting")["why"] == "battery"
    running.tell(do="index", paths=[str(project)])
    running.tell(do="remove", repository="many")
    # Forgetting takes no power worth waiting for.
    running.until("removed")
    running.until("waiting")
    unplugged.clear()
    report = running.until("indexed")
    assert (report["stopped"], report["added"]) == (False, len(SMALL_PROJECT))
    running.stop()


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setattr(watching, "QUIET_SECONDS", 0.05)
    settings = load_settings(data_dir=tmp_path / "data")
    made = Running(lambda: engine_with(PackedFakes(), settings), watch=Watcher)
    yield made
    made.stop()


def test_what_is_saved_is_indexed_without_being_asked_for(watched: Running, project: Path) -> None:
    watched.tell(do="index", paths=[str(project)])
    assert watched.until("indexed")["added"] == len(SMALL_PROJECT)
    # What changed before it was watched would have been seen.
    seen = watched.until("indexed")
    assert (seen["asked"], seen["unchanged"]) == (False, len(SMALL_PROJECT))
    (project / "fresh.py").write_text("def fresh():\n    return 1\n")
    assert watched.until("indexed")["added"] == 1
    (project / "app").rename(project / "moved")
    moved = watched.until("indexed")
    assert (moved["added"], moved["encoded"]) == (moved["removed"], 0)
    # Nobody was told of so little work.
    watched.tell(do="look")
    report = watched.until("indexed")
    assert (report["added"], report["changed"], report["removed"]) == (0, 0, 0)
    assert watched.events.empty()


def test_what_is_forgotten_is_not_brought_back_by_a_change(watched: Running, project: Path, tmp_path: Path) -> None:
    other = write_tree(tmp_path / "other", SMALL_PROJECT)
    watched.tell(do="index", paths=[str(project), str(other)])
    watched.until("idle")
    watched.tell(do="remove", repository="other")
    watched.until("removed")
    (other / "fresh.py").write_text("def fresh():\n    return 1\n")
    (project / "fresh.py").write_text("def fresh():\n    return 1\n")
    while watched.until("indexed")["added"] != 1:
        pass
    watched.tell(do="index", paths=[])
    assert watched.until("indexed")["unchanged"] == len(SMALL_PROJECT) + 1


def test_folders_whose_changes_are_not_heard_of_are_named(
    watched: Running, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_on_network", lambda root: True)
    watched.tell(do="index", paths=[str(project)])
    assert list(watched.until("watching")["polled"]) == [str(project)]
    assert read_note(tmp_path / "data") == {str(project): watching.NETWORK_DRIVE}
    watched.tell(do="remove", repository="project")
    assert watched.until("watching")["polled"] == {}
    assert read_note(tmp_path / "data") == {}
    watched.stop()
    assert read_note(tmp_path / "data") is None


def test_a_damaged_index_is_made_anew_once(running: Running, project: Path, tmp_path: Path) -> None:
    running.tell(do="index", paths=[str(project)])
    running.until("indexed")
    running.tell(do="check")
    running.tell(do="index", paths=[])
    assert running.until("indexed")["unchanged"] == len(SMALL_PROJECT), "what is whole is left alone"
    catalog = tmp_path / "data" / "catalog.sqlite3"
    for times in (1, 2):
        data = bytearray(catalog.read_bytes())
        data[-100] ^= 1
        catalog.write_bytes(data)
        running.tell(do="check")
        if times == 1:
            said = running.until("indexed")
            assert ("set aside" in said["notice"], said["added"]) == (True, len(SMALL_PROJECT))
    # On a disk that is broken it would be made anew for ever.
    running.stop()
    assert "indexed" not in [event["event"] for event in list(running.events.queue)]


def test_one_repository_is_paused_and_the_others_go_on(slow: tuple[Running, SlowEncoder], tmp_path: Path) -> None:
    running, encoder = slow
    many, other = write_tree(tmp_path / "many", MANY), write_tree(tmp_path / "other", SMALL_PROJECT)
    running.tell(do="index", paths=[str(many), str(other)])
    assert encoder.reached.wait(30)
    running.tell(do="pause", repository="many")
    running.tell("not heard before the pause is")
    running.until("failed")
    encoder.let_go.set()
    assert running.until("indexed")["stopped"]
    rest = running.until("indexed")
    assert (rest["stopped"], rest["unchanged"]) == (False, len(SMALL_PROJECT))
    running.tell(do="resume", repository="many")
    assert running.until("indexed")["unchanged"] == len(SMALL_PROJECT) + len(MANY)


def test_a_pause_that_is_taken_back_at_once_loses_no_file(slow: tuple[Running, SlowEncoder], tmp_path: Path) -> None:
    running, encoder = slow
    encoder.let_go.set()
    many = write_tree(tmp_path / "many", MANY)
    running.tell(do="index", paths=[str(many)])
    running.until("indexed")
    for turn in range(20):
        (many / "m1.py").write_text(f"def other_{turn}():\n    pass\n")
        running.tell(do="index", paths=[])
        running.until("progress")
        running.tell(do="pause")
        running.tell(do="resume")
    running.tell("all of that was heard")
    running.until("failed")
    # By now nothing waits that is paused: two more runs see every file, and the second finds all as it was.
    reports = []
    for _ in range(2):
        running.tell(do="index", paths=[str(many)])
        reports.append(running.until("indexed"))
        while reports[-1]["stopped"]:
            reports.append(running.until("indexed"))
    assert sum(report["removed"] + report["added"] for report in reports) == 0
    assert reports[-1]["unchanged"] + reports[-1]["changed"] == len(MANY)


def test_a_removal_goes_before_what_runs_and_is_not_undone_by_it(
    slow: tuple[Running, SlowEncoder], tmp_path: Path
) -> None:
    running, encoder = slow
    many, other = write_tree(tmp_path / "many", MANY), write_tree(tmp_path / "other", SMALL_PROJECT)
    running.tell(do="index", paths=[str(many), str(other)])
    assert encoder.reached.wait(30)
    running.tell(do="pause")
    running.tell(do="remove", repository="many")
    running.tell("not heard before the removal is")
    running.until("failed")
    encoder.let_go.set()
    assert running.until("indexed")["stopped"]
    assert running.until("removed")["name"] == "many"
    running.tell(do="resume")
    assert running.until("indexed")["unchanged"] == len(SMALL_PROJECT)


def test_a_missing_folder_leaves_the_others_their_turn(running: Running, project: Path, tmp_path: Path) -> None:
    other = write_tree(tmp_path / "other", SMALL_PROJECT)
    running.tell(do="index", paths=[str(project), str(other)])
    running.until("indexed")
    other.rename(tmp_path / "elsewhere")
    write_tree(project, {"new.py": "def fresh():\n    pass\n"})
    running.tell(do="index", paths=[])
    report = running.until("indexed")
    assert report["added"] == 1
    assert len(report["faults"]) == 1


def test_stopping_leaves_a_run_where_it_is(slow: tuple[Running, SlowEncoder], tmp_path: Path) -> None:
    running, encoder = slow
    running.tell(do="index", paths=[str(write_tree(tmp_path / "many", MANY))])
    assert encoder.reached.wait(30)
    running.tell(do="stop")
    running.tell("")
    encoder.let_go.set()
    assert running.until("indexed")["stopped"]
