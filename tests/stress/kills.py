"""`kill -9` at random moments: `python -m tests.stress.kills [--kills N] [--seed N]`.

A project is edited at random, indexed, and a second folder is indexed and forgotten; each of these runs is killed at a
random moment, again and again, until one is let through. Afterwards the index has to hold what one that is made from
nothing holds, and to answer alike. Fakes stand for the models; all else is the real command in a process of its own.
Prints one JSON object, and ends with 1 when anything differed.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from spencer_desktop.core.engine import Engine
from spencer_desktop.core.index import CATALOG
from spencer_desktop.core.types import Mode, Query
from tests.e2e.harness import PROJECT, PackedFakes, engine_with, sql
from tests.stress.indexing import settings_in

_FILES = 30
_PAUSE = 0.003
_KILLS_A_RUN = 6
_QUESTIONS = ("make word3", "other", "notes about word7", "value")


class World:
    """A folder that changes, another that comes and goes, and the data folder of their index."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.root, self.other, self.data = folder / "code", folder / "other", folder / "data"
        self._log = folder / "encoded.log"
        self._chance = chance
        self._written = 0
        self.kills = 0
        for place in (self.root, self.other):
            place.mkdir()
            for _ in range(_FILES):
                self._write(place)

    def _write(self, place: Path) -> None:
        self._written += 1
        name = f"word{self._chance.randrange(12)}"
        text = f'def {name}(value):\n    """Make {name} of it, number {self._written}."""\n    return value\n'
        file = place / f"part{self._chance.randrange(4)}" / f"{name}_{self._chance.randrange(20)}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text if self._chance.random() < 0.8 else f"# notes about {name}\n", "utf-8")

    def edit(self) -> None:
        for _ in range(self._chance.randrange(1, 6)):
            files = sorted(self.root.rglob("*.py"))
            file = self._chance.choice(files)
            what = self._chance.random()
            # About as many as there were: more than are asked for would leave it to chance which of equals are answers.
            if len(files) < _FILES // 2 or (what < 0.5 and len(files) < 2 * _FILES):
                self._write(self.root)
            elif what < 0.7:
                file.unlink()
            elif what < 0.85:
                file.rename(file.with_name(f"moved_{self._written}_{file.name}"))
            else:
                file.write_text(file.read_text("utf-8") + f"\n\ndef added_{self._written}():\n    return 1\n", "utf-8")

    def run(self, *arguments: str | Path) -> None:
        """Killed at random moments, and let through at last. Searching must be possible after each."""
        seconds = 1.5
        for _ in range(self._chance.randrange(1, _KILLS_A_RUN)):
            began = time.monotonic()
            if not self._killed(seconds, *arguments):
                # It was through before its time had come: what remains is to do it again.
                seconds = time.monotonic() - began
            self.check()
        process = self.start(*arguments)
        _, err = process.communicate()
        # A run that was killed after its end has forgotten the folder already.
        if process.returncode and "No repository" not in err:
            raise RuntimeError(err)

    def _killed(self, seconds: float, *arguments: str | Path) -> bool:
        process = self.start(*arguments)
        try:
            process.communicate(timeout=self._chance.uniform(0.2, 1.05) * seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            self.kills += 1
            return True
        return False

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        told = json.dumps({"pause": _PAUSE, "log": str(self._log)})
        command = [sys.executable, "-m", "tests.e2e.runner", told, "--data-dir", self.data, *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=PROJECT, stdout=pipe, stderr=pipe, text=True)

    def check(self) -> None:
        if (self.data / CATALOG).exists():
            with _engine(self.data) as engine:
                if problems := engine.reader.catalog.check():
                    raise RuntimeError(f"damaged: {problems}")
                list(engine.search(Query(_QUESTIONS[0])))

    def differences(self, fresh: Path) -> list[str]:
        """In what this index differs from one that is made from nothing in the folder `fresh`."""
        shutil.rmtree(fresh, ignore_errors=True)
        with _engine(fresh) as engine:
            engine.index([self.root])
        here, there = state(self.data), state(fresh)
        return [part for part in there if here[part] != there[part]]


def _engine(data: Path) -> Engine:
    return engine_with(PackedFakes(), settings_in(data))


def state(data: Path, *, answers: bool = True) -> dict[str, Any]:
    """All that an index holds and (where wanted) answers, without what a rebuild changes."""
    of_chunks = "FROM chunk c JOIN file f ON f.id = c.file_id JOIN content t ON t.id = c.content_id"
    what = "f.path, c.start_line, c.end_line, c.kind, c.symbol, c.doc, t.digest, t.header, t.text"
    vectors = "SELECT DISTINCT t.digest, v.data FROM chunk c JOIN content t ON t.id = c.content_id"
    found: dict[str, Any] = {
        "files": sorted(sql(data, "SELECT path, size, digest, language, problem FROM file")),
        "chunks": sorted(sql(data, f"SELECT {what} {of_chunks}")),
        "vectors": sorted(sql(data, f"{vectors} JOIN vector v ON v.content_id = t.id")),
        "skipped": sorted(sql(data, "SELECT path, reason FROM skipped")),
        "postings": sorted(sql(data, "SELECT term, doc, cnt FROM vocabulary")),
    }
    with _engine(data) as engine:
        found["names"] = [str(r.root) for r in engine.registered()]
        for question in _QUESTIONS if answers else ():
            for mode in Mode:
                *_, last = engine.search(Query(question, limit=200, mode=mode))
                # Ties may fall either way.
                found[f"{mode.value}: {question}"] = sorted(
                    (hit.path, hit.start_line, round(hit.score, 3)) for hit in last.hits
                )
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    chance = random.Random(given.seed)
    rounds, failures = 0, []
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), chance)
        while world.kills < given.kills:
            world.edit()
            world.run("index", world.root)
            if chance.random() < 0.4:
                world.run("index", world.other)
                world.run("remove", world.other)
            rounds += 1
            if different := world.differences(Path(folder) / "fresh"):
                failures.append({"round": rounds, "parts": different})
    seconds = round(time.monotonic() - began)
    print(json.dumps({"kills": world.kills, "rounds": rounds, "failures": failures, "seconds": seconds}))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
