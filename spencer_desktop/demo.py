"""`spencer demo`: index this program's own source and answer three questions about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from spencer_desktop.core.engine import Engine
from spencer_desktop.core.indexer import Progress
from spencer_desktop.core.settings import Settings
from spencer_desktop.core.types import Hit, Query

QUESTIONS = (
    "how are files that git ignores left out",
    "which chunks of code still need a vector",
    "GraphCache",
)


def run(settings: Settings, progress: Progress) -> list[tuple[str, tuple[Hit, ...]]]:
    """Each question with its three best answers. The index lies apart from the user's own, in a folder `demo`."""
    with Engine.open(replace(settings, data_dir=settings.data_dir / "demo")) as engine:
        engine.index([_source()], progress=progress)
        return [(question, list(engine.search(Query(question, limit=3)))[-1].hits) for question in QUESTIONS]


def _source() -> Path:
    """The checkout, or the installed package where there is no checkout."""
    package = Path(__file__).resolve().parent
    return package.parent if (package.parent / "pyproject.toml").is_file() else package
