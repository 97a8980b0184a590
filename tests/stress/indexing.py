"""The indexing service of a window, driven as a window does; and an index of any size, made without a model's work."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from spencer_desktop.core.engine import Engine
from spencer_desktop.core.settings import Settings, load_settings
from spencer_desktop.core.types import Floats
from spencer_desktop.gui.service_process import service_command

# The packages of this environment: tens of thousands of files.
INSTALLED = Path(np.__file__).parents[1]


def settings_in(data: Path) -> Settings:
    """The defaults, whatever this user has set."""
    return load_settings(data_dir=data, file=data / "settings.toml")


class Service:
    """A context manager. Raises RuntimeError for what the service says has failed, and when it ends by itself."""

    def __init__(self, data: Path) -> None:
        self._process = subprocess.Popen(
            service_command(settings_in(data)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Service:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    def tell(self, **command: Any) -> None:
        assert self._process.stdin is not None
        print(json.dumps(command), file=self._process.stdin, flush=True)

    def until(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The next event of this kind with these fields."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event: dict[str, Any] = json.loads(line)
            if event["event"] == "failed":
                raise RuntimeError(event["message"])
            if event["event"] == kind and fields.items() <= event.items():
                return event
        raise RuntimeError("the service has ended")

    def drain(self) -> None:
        """Reads events that nobody waits for, until it ends: else its pipe would be full in the end."""
        assert self._process.stdout is not None
        for _ in self._process.stdout:
            pass


class _AnyVectors:
    """Unit vectors that mean nothing, at once: where only their number counts."""

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self._random = np.random.default_rng(1)

    def encode(self, texts: Sequence[str]) -> Floats:
        rows = self._random.standard_normal((len(texts), self.dimension)).astype(np.float32)
        unit: Floats = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit


def fill(data: Path, roots: Sequence[Path]) -> int:
    """Index folders with vectors that mean nothing; how many pieces of code that gives."""
    with Engine.open(settings_in(data)) as engine:
        engine.models.__dict__["code_encoder"] = _AnyVectors(engine.models.pack.manifest.dimension)
        engine.index(list(roots))
        return engine.reader.chunk_count


def copy_python(sources: Sequence[Path], root: Path, files: int) -> None:
    """The first so many Python files below the sources, where they stand."""
    left = files
    for source in [source.resolve() for source in sources]:
        for file in sorted(source.rglob("*.py")):
            if left == 0:
                return
            if "site-packages" in file.relative_to(source).parts or not file.stat().st_size:
                continue
            place = root / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)
            left -= 1
