"""A disk that is full at every point of a run: `python -m tests.stress.full_disk [--step BYTES] [--seed N]` (Linux).

The data folder lies in a file system in memory, in a mount namespace of its own. It holds an index; then the project is
edited, all but so many bytes are taken away, and the edited project is indexed: with no space at all, then with a step
more, and so on until the run gets through. Each run that fails has to say that the disk is full, and to leave an index
that is whole and answers; with the space given back the next run has to end with what an index holds that is made from
nothing. Prints one JSON object; ends with 1 when anything was otherwise.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.e2e.harness import PROJECT
from tests.stress.kills import World

_LARGE = 64 << 20
_BLOCK = 4096
_SAID = ("The disk is full", "cannot be written", "cannot be read or written")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", type=int, default=_BLOCK, help="a multiple of 4096")
    parser.add_argument("--rounds", type=int, default=5, help="how often all sizes are gone through")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not given.inside:
        command = ["unshare", "-rm", sys.executable, "-m", "tests.stress.full_disk", *sys.argv[1:], "--inside"]
        return subprocess.run(command, cwd=PROJECT, check=False).returncode
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
                free = -step
                done = False
                while not done:
                    free += step
                    world.edit()
                    mount(disk, _used(disk) + free, again=True)
                    code, said = _index(world)
                    done = code == 0
                    failed, through = failed + (not done), through + done
                    if not done and (code != 2 or not any(words in said for words in _SAID)):
                        wrong.append(f"{free} bytes: exit code {code}, {said[-300:]}")
                    wrong += [f"{free} bytes: {fault}" for fault in _faults(world)]
                    mount(disk, _LARGE, again=True)
                    if (code := _index(world)[0]) != 0:
                        wrong.append(f"{free} bytes: with the space given back, exit code {code}")
                    wrong += [f"{free} bytes: {part} differ" for part in world.differences(Path(folder) / "fresh")]
        finally:
            subprocess.run(["umount", str(disk)], check=True)
    return {"full": failed, "through": through, "wrong": wrong, "seconds": round(time.monotonic() - began)}


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


def mount(place: Path, size: int, *, again: bool = False) -> None:
    """A file system in memory at a folder; `again`: the one that is there gets another size."""
    options = f"{'remount,' if again else ''}size={size // _BLOCK * _BLOCK}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=True)


def _used(place: Path) -> int:
    return sum(file.stat().st_blocks * 512 for file in place.rglob("*"))


if __name__ == "__main__":
    sys.exit(main())
