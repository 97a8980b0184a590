"""Drift: how many questions about a pinned project the whole chain answers, with the pack that the program has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spencer_desktop.core.engine import Engine
from spencer_desktop.core.resources import resource_dir
from spencer_desktop.core.settings import Settings
from spencer_desktop.core.types import Mode, Query

HERE = Path(__file__).parent
QUESTIONS: list[dict[str, Any]] = json.loads((HERE / "questions.json").read_text("utf-8"))
# What was measured, less two questions: a change of pack or weights may move that much, and no more unnoticed.
FLOOR = {Mode.HYBRID: 0.86, Mode.SEMANTIC: 0.8, Mode.LEXICAL: 0.8}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    data = tmp_path_factory.mktemp("golden")
    with Engine.open(Settings(data, resource_dir() / "models/default", device="cpu")) as engine:
        report = engine.index([HERE / "project"])
        assert report.faults == []
        yield engine


def missed(engine: Engine, mode: Mode, questions: list[dict[str, Any]]) -> list[str]:
    """The questions whose answer is not among the first three, each with what was said instead."""
    out = []
    for entry in questions:
        *_, last = engine.search(Query(entry["question"], limit=3, mode=mode))
        if not any(hit.path == entry["path"] and hit.symbol in entry["symbols"] for hit in last.hits):
            said = ", ".join(hit.symbol or hit.path for hit in last.hits)
            out.append(f"{entry['question']}: {entry['symbols'][0]} is not among {said or 'nothing'}")
    return out


def test_every_expected_answer_exists(engine: Engine) -> None:
    catalog = engine.reader.catalog
    for entry in QUESTIONS:
        symbols = {row.symbol for row in catalog.chunks_at(HERE / "project", entry["path"])}
        assert set(entry["symbols"]) <= symbols, entry["question"]


@pytest.mark.parametrize("mode", list(FLOOR))
def test_recall_at_3(engine: Engine, mode: Mode) -> None:
    failures = missed(engine, mode, QUESTIONS)
    recall = 1 - len(failures) / len(QUESTIONS)
    assert recall >= FLOOR[mode], f"recall@3 {recall:.3f} ({mode.value})\n" + "\n".join(failures)
