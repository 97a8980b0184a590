"""What the watching has to bear: `python -m tests.stress.storm [--changes N] [--limit N]` (Linux).

    storm      so many random changes as fast as the disk takes them, while the service watches and indexes
    limit      the same, fewer, where the system watches no more than `--limit` folders
    unmounted  the folder's drive goes and comes back
    clock      the system's clock jumps a year ahead, and two back, between changes

Afterwards the index has to hold what one that is made from nothing holds. Fakes stand for the models. The limit and the
drive are those of a namespace of its own. Prints one JSON object; ends with 1 when anything differed.
"""

from __future__ import annotations

import argparse
import json
import queue
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from spencer_desktop.core import indexer, watching
from spencer_desktop.core.watching import Watcher
from tests.e2e.harness import PackedFakes, engine_with
from tests.e2e.running import Running
from tests.stress.indexing import settings_in
from tests.stress.kills import state
from tests.stress.namespace import mount, run_inside

_FOLDERS = 300
_FILES = 1_000
_QUIET_SECONDS = 4.0
_YEAR_NS = 365 * 86_400 * 1_000_000_000
_LIMIT_FILE = Path("/proc/sys/user/max_inotify_watches")


class World:
    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.folder, self.root = folder, folder / "project"
        self.root.mkdir(exist_ok=True)
        self._chance = chance
        self._written = 0
        for _ in range(_FILES):
            self._write()

    def _place(self) -> Path:
        number = self._chance.randrange(_FOLDERS)
        return self.root / f"a{number % 17}" / f"b{number}"

    def _write(self) -> None:
        self._written += 1
        file = self._place() / f"word{self._chance.randrange(20)}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        name = f"word{self._chance.randrange(200)}"
        file.write_text(f"def {name}(value):\n    return value * {self._chance.randrange(50)}\n", "utf-8")

    def change(self, count: int) -> None:
        """Writes, most of all; deletions, and folders that move."""
        for _ in range(count):
            what = self._chance.random()
            if what < 0.8:
                self._write()
                continue
            folder = self._place()
            if not folder.is_dir():
                continue
            if what < 0.97:
                for file in list(folder.iterdir())[:1]:
                    file.unlink()
            else:
                there = self._place()
                if not there.exists() and there.parent.is_dir():
                    folder.rename(there)


def watched(world: World, changes: int, *, again: int = 1) -> dict[str, Any]:
    """Index, change while the service runs, and compare when it has come to rest."""
    settings = settings_in(world.folder / "data")
    running = Running(lambda: engine_with(PackedFakes(), settings), watch=Watcher)
    began = time.monotonic()
    runs = 0
    try:
        running.tell(do="index", paths=[str(world.root)])
        running.until("indexed", 120)
        for _ in range(again):
            world.change(changes // again)
        changed = time.monotonic() - began
        runs = _rest(running)
        settled = time.monotonic() - began - changed
    finally:
        running.stop()
    return {
        "changes": changes,
        "seconds_of_changes": round(changed, 1),
        "runs": runs,
        "seconds_to_rest": round(settled, 1),
        "differ": _differences(world),
    }


def _rest(running: Running) -> int:
    """Until nothing is indexed for a while; how many runs that took."""
    runs = 0
    while True:
        try:
            event = running.until("indexed", _QUIET_SECONDS + watching.PATIENCE_SECONDS)
        except queue.Empty:
            return runs
        runs += 1
        if event["faults"]:
            raise RuntimeError(event["faults"])


def _differences(world: World) -> list[str]:
    fresh = world.folder / "fresh"
    with engine_with(PackedFakes(), settings_in(fresh)) as engine:
        engine.index([world.root])
    here, there = state(world.folder / "data", answers=False), state(fresh, answers=False)
    return [part for part in there if here[part] != there[part]]


def storm(world: World, given: argparse.Namespace) -> dict[str, Any]:
    return watched(world, given.changes)


def limit(world: World, given: argparse.Namespace) -> dict[str, Any]:
    _LIMIT_FILE.write_text(str(given.limit))
    # Nobody waits half a minute for each look in a measurement.
    watching.POLL_SECONDS = 2.0
    settings = settings_in(world.folder / "data")
    running = Running(lambda: engine_with(PackedFakes(), settings), watch=Watcher)
    try:
        running.tell(do="index", paths=[str(world.root)])
        why = running.until("watching", 120)["polled"]
        world.change(given.changes // 100)
        for _ in range(3):
            running.until("indexed")
    finally:
        running.stop()
    return {"watches": given.limit, "said": list(why.values()), "differ": _differences(world)}


def unmounted(world: World, given: argparse.Namespace) -> dict[str, Any]:
    settings = settings_in(world.folder / "data")
    mount(world.root, 64 << 20)
    world.change(300)
    reports = []
    with engine_with(PackedFakes(), settings) as engine:
        engine.index([world.root])
        # What is mounted over it hides it, as a drive that is gone leaves an empty folder.
        mount(world.root, 1 << 20)
        reports.append(engine.index([]))
        subprocess.run(["umount", str(world.root)], check=True)
        reports.append(engine.index([]))
    differ = _differences(world)
    subprocess.run(["umount", str(world.root)], check=True)
    gone, back = reports
    kept = gone.removed == 0 and len(gone.faults) == 1 and back.encoded == back.added == 0
    return {"said": gone.faults, "kept": kept, "differ": differ if kept else [*differ, "the index"]}


def clock(world: World, given: argparse.Namespace) -> dict[str, Any]:
    settings = settings_in(world.folder / "data")
    real = time.time_ns
    jump = [0]

    class Jumping:
        monotonic, perf_counter = time.monotonic, time.perf_counter

        @staticmethod
        def time_ns() -> int:
            return real() + jump[0]

    indexer.time = Jumping  # type: ignore[assignment]
    try:
        for jump[0] in (0, _YEAR_NS, -2 * _YEAR_NS, 0):
            world.change(200)
            with engine_with(PackedFakes(), settings) as engine:
                engine.index([world.root])
    finally:
        indexer.time = time
    return {"jumps": 3, "differ": _differences(world)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changes", type=int, default=100_000)
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if (code := run_inside("tests.stress.storm")) is not None:
        return code
    found: dict[str, Any] = {}
    for part in (unmounted, clock, storm, limit):
        with tempfile.TemporaryDirectory() as folder:
            found[part.__name__] = part(World(Path(folder), random.Random(given.seed)), given)
    print(json.dumps(found))
    return 1 if any(part["differ"] for part in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
