"""A disk that is full at every point of a run: `python -m tests.stress.full_disk [--step BYTES] [--seed N]` (Linux).

The data folder lies in a file system in memory, in a mount namespace of its own. It holds an index; then the project is
edited, all but so many bytes are taken away, and the edited project is indexed: with no space at all, then with a step
more, and so on until the run gets through. Each run that fails has to say that the disk is full, and to leave an index
that is whole and answers; with the space given back the next run has to end with what an index holds that is made from
nothing. Prints one JSON object; ends with 1 when anything was otherwise.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.stress.kills import World
from tests.stress.namespace import mount, run_inside

_LARGE = 64 << 20
_BLOCK = 4096
_SAID = ("The disk is full", "cannot be written", "cannot be read or written")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", type=int, default=_BLOCK, help="a multiple of 4096")
    parser.add_argument("--rounds", type=int, default=5, help="how often all sizes are gone through")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if (code := run_inside("tests.stress.full_disk")) is not None:
        return code
    found = attempt(given.step, given.rounds, random.Random(given.seed))
    print(json.dumps(found))
    return 1 if found["wrong"] else 0


def attempt(step: int, rounds: int, chance: random.Random) -> dict[str, Any]:
    wrong: list[str] = []
    failed = through = 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        disk = Path(folder) / "disk"
        disk.mkdir()
        mount(disk, _LARGE)
        world = World(Path(folder), chance)
        world.data = disk / "data"
        try:
            _index(world)
            for _ in range(rounds):
                for free in itertools.count(0, step):
                    done, found = _with_free(world, disk, free)
                    failed, through = failed + (not done), through + done
                    wrong += [f"{free} bytes: {words}" for words in found]
                    if done:
                        break
        finally:
            subprocess.run(["umount", str(disk)], check=True)
    return {"full": failed, "through": through, "wrong": wrong, "seconds": round(time.monotonic() - began)}


def _with_free(world: World, disk: Path, free: int) -> tuple[bool, list[str]]:
    """One edit indexed with so many bytes: whether it got through, and what was otherwise than it should be."""
    world.edit()
    mount(disk, _used(disk) + free, again=True)
    code, said = _index(world)
    found = _faults(world)
    if code != 0 and (code != 2 or not any(words in said for words in _SAID)):
        found.append(f"exit code {code}, {said[-300:]}")
    mount(disk, _LARGE, again=True)
    if (again := _index(world)[0]) != 0:
        found.append(f"with the space given back, exit code {again}")
    return code == 0, found + [f"{part} differ" for part in world.differences(disk.with_name("fresh"))]


def _faults(world: World) -> list[str]:
    try:
        world.check()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
        return [f"{type(error).__name__}: {error}"]
    return []


def _index(world: World) -> tuple[int, str]:
    process = world.start("index", world.root)
    _, said = process.communicate()
    return process.returncode, said


def _used(place: Path) -> int:
    return sum(file.stat().st_blocks * 512 for file in place.rglob("*"))


if __name__ == "__main__":
    sys.exit(main())
