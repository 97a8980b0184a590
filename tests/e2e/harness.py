"""Run the `spencer` command inside the test's process, with the models of the tests or the real pack."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import apsw
import pytest

from spencer_desktop import cli
from spencer_desktop.core.engine import Engine
from spencer_desktop.core.index import CATALOG
from spencer_desktop.core.inference import Models
from spencer_desktop.core.pack import Manifest, Pack
from spencer_desktop.core.settings import Settings, config_file
from tests.fakes import DIMENSION, FakeModels, FakeReranker

PROJECT = Path(__file__).resolve().parents[2]
POSIX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX files, signals and users")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such file names")
NOBODY = 65534

HIT_KEYS = {
    "rank",
    "score",
    "repo",
    "path",
    "start_line",
    "end_line",
    "language",
    "kind",
    "symbol",
    "snippet",
    "evidence",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command left behind: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def paths(self) -> list[str]:
        return [hit["path"] for hit in self.json["hits"]]


def spencer(*arguments: str | Path, data: Path | None = None) -> Outcome:
    """Run `spencer [--data-dir DATA] ARGUMENTS` from its entry point to its exit code."""
    where = [] if data is None else ["--data-dir", str(data)]
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["spencer", *where, *map(str, arguments)])
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
    shown = [stream.buffer.getvalue().decode() for stream in (out, err) if isinstance(stream.buffer, io.BytesIO)]
    return Outcome(code, *shown)


class PackedFakes(FakeModels):
    """The fake models with what else the engine wants of `Models`: a pack's manifest and a word about the device."""

    def __init__(self, space_id: str = "fake", reranker: FakeReranker | None = None) -> None:
        super().__init__(reranker)
        self.pack = Pack(Path("fake-pack"), _manifest(space_id))

    def device_note(self) -> str:
        return "running on fakes"


def _manifest(space_id: str) -> Manifest:
    return Manifest(
        name="fake",
        version="1",
        space_id=space_id,
        dimension=DIMENSION,
        max_query_tokens=64,
        max_code_tokens=256,
        max_pair_tokens=256,
        query_prefix="",
        code_prefix="",
        rerank=None,
        confidence={},
        files={},
        licences=(),
        figures={},
    )


def engine_with(models: PackedFakes, settings: Settings) -> Engine:
    return Engine(settings, cast(Models, models))


def use_models(patch: pytest.MonkeyPatch, models: PackedFakes) -> None:
    """From here on the command works with these models."""
    patch.setattr(Engine, "open", classmethod(lambda _, settings: engine_with(models, settings)))


@contextmanager
def unprivileged() -> Iterator[None]:
    """Run as a user whom file permissions bind, also where the tests run as root."""
    # What is imported late must not depend on who may read this checkout.
    spencer("list")
    if os.getuid():
        yield
        return
    os.setresgid(NOBODY, NOBODY, 0)
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)


def write_settings(home: Path, text: str) -> None:
    """Make `settings.toml` of the test's user."""
    file = config_file()
    assert file.is_relative_to(home)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def sql(data: Path, query: str, bindings: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Ask the catalogue itself."""
    connection = apsw.Connection(str(data / CATALOG))
    try:
        return connection.execute(query, bindings).fetchall()
    finally:
        connection.close()
