"""What the `spencer` command prints: text for people, JSON for programs. No file content reaches the terminal raw."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from spencer_desktop.core.engine import RepositoryStatus
from spencer_desktop.core.errors import SpencerError
from spencer_desktop.core.index import CATALOG
from spencer_desktop.core.indexer import IndexProgress, IndexReport
from spencer_desktop.core.pack import UNLIKELY
from spencer_desktop.core.types import Hit, SearchUpdate

_SNIPPET_LINES = 6
_INDEX_FILES = (CATALOG, f"{CATALOG}-wal", f"{CATALOG}-shm", "vectors.hnsw", "vectors.json")
_PIPE_COLUMNS = 10_000


def use_tolerant_streams() -> None:
    """File names may hold bytes that no encoding can show; they are printed escaped instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def console(*, stderr: bool = False) -> Console:
    out = Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=True)
    if not out.is_terminal:
        # Into a file or a pipe nothing is cut off, and no row of a table is broken.
        out.width = _PIPE_COLUMNS
    return out


def printable(text: str) -> str:
    """Control characters, which could drive the terminal, as visible escapes; tabs become spaces."""
    expanded = text.expandtabs(4)
    return "".join(c if c == "\n" or c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in expanded)


def on_one_line(text: str) -> str:
    """As `printable`, for a name that holds line breaks too."""
    return printable(text).replace("\n", "\\n")


def print_json(value: Any) -> None:
    """One line of JSON; undecodable bytes in names stay as lone surrogates, escaped."""
    sys.stdout.write(json.dumps(value, ensure_ascii=True) + "\n")
    sys.stdout.flush()


def print_error(error: SpencerError) -> None:
    out = console(stderr=True)
    out.print(Text("error: ", "bold red") + Text(printable(str(error))))
    if error.hint:
        out.print(Text(f"  {printable(error.hint)}"))


def note(text: str) -> None:
    """One line for the user beside the answer, on stderr."""
    console(stderr=True).print(Text(printable(text), "dim"))


def hit_json(rank: int, hit: Hit) -> dict[str, Any]:
    return {
        "rank": rank,
        "score": round(hit.score, 6),
        "repo": hit.repository,
        "path": hit.path,
        "start_line": hit.start_line,
        "end_line": hit.end_line,
        "language": hit.language,
        "kind": hit.kind,
        "symbol": hit.symbol,
        "snippet": hit.snippet,
        "evidence": asdict(hit.evidence),
    }


def update_json(update: SearchUpdate) -> dict[str, Any]:
    """An answer for programs."""
    sure = None if update.confidence is None else round(update.confidence, 3)
    facts = {"stage": update.stage.value, "elapsed_ms": round(update.elapsed_ms, 3), "notice": update.notice}
    return {**facts, "confidence": sure, "hits": hits_json(update.hits)}


def notes(update: SearchUpdate) -> list[str]:
    """What a person should know of an answer beside its hits."""
    said = [update.notice] if update.notice else []
    if not update.hits:
        return [*said, "Nothing found."]
    if update.confidence is not None and update.confidence < UNLIKELY:
        return [*said, f"Probably nothing here answers this (confidence {update.confidence:.0%})."]
    return said


def hits_json(hits: tuple[Hit, ...]) -> list[dict[str, Any]]:
    return [hit_json(n, hit) for n, hit in enumerate(hits, 1)]


def print_hits(hits: tuple[Hit, ...]) -> None:
    out = console()
    several = len({hit.root for hit in hits}) > 1
    for n, hit in enumerate(hits, 1):
        place = f"{hit.repository}: {hit.path}" if several else hit.path
        title = Text(f"{n:2d}. ", "bold") + Text(on_one_line(place), "bold cyan")
        title += Text(f":{hit.start_line}-{hit.end_line}")
        if hit.symbol:
            title += Text("  ") + Text(printable(hit.symbol), "bold green")
        title += Text(f"  {hit.kind}, {hit.language}  {hit.score:.3f}", "dim")
        out.print(title)
        if hit.snippet_line != hit.start_line:
            out.print(Text(f"    … line {hit.snippet_line}", "dim"))
        lines = _shown_lines(hit.snippet)
        for line in lines[:_SNIPPET_LINES]:
            out.print(Text(f"    {line[:160]}"))
        if rest := lines[_SNIPPET_LINES:]:
            out.print(Text(f"    … {len(rest)} more line{'s' if len(rest) > 1 else ''}", "dim"))
        out.print()


def _shown_lines(snippet: str) -> list[str]:
    """The lines that are not blank, without Windows' line ends and without the indentation that all of them share."""
    lines = [printable(line.removesuffix("\r")) for line in snippet.split("\n")]
    return [line for line in textwrap.dedent("\n".join(lines)).split("\n") if line.strip()]


def repository_json(status: RepositoryStatus) -> dict[str, Any]:
    row = asdict(status)
    repository = row.pop("repository")
    return {
        "name": repository["name"],
        "root": str(status.repository.root),
        "indexed_at": repository["indexed_at"],
        **row,
    }


def print_repositories(rows: list[RepositoryStatus]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("repository", "files", "chunks", "to encode", "skipped", "folder"):
        words = heading in ("repository", "folder")
        table.add_column(heading, justify="left" if words else "right", overflow="fold")
    for row in rows:
        folder = Text(on_one_line(str(row.repository.root)))
        if not row.present:
            folder += Text("  (missing)", "red")
        numbers = [Text(f"{n:,}") for n in (row.files, row.chunks, row.pending, row.skipped)]
        table.add_row(Text(on_one_line(row.repository.name)), *numbers, folder)
    console().print(table)


def report_json(report: IndexReport) -> dict[str, Any]:
    return asdict(report)


def print_report(report: IndexReport) -> None:
    """What an index run did, on stderr."""
    changes = ", ".join(
        f"{number:,} {name}"
        for name, number in (
            ("new", report.added),
            ("changed", report.changed),
            ("removed", report.removed),
            ("unchanged", report.unchanged),
            ("skipped", report.skipped),
        )
        if number
    )
    note(f"files: {changes or 'none'}; text in {report.text_seconds:.1f} s")
    note(f"encoded {report.encoded:,} pieces of code in {report.encode_seconds:.1f} s")
    for fault in [*report.faults, *filter(None, [report.notice])]:
        console(stderr=True).print(Text("warning: ", "bold yellow") + Text(printable(fault)))
    if report.stopped:
        note("Stopped. What is done is kept; run `spencer index` again to go on.")


class _Eta(ProgressColumn):
    def render(self, task: Any) -> Text:
        eta = task.fields.get("eta")
        return Text("" if eta is None else f"about {_duration(eta)} left", "dim")


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


class IndexBars:
    """Progress bars on stderr, one for reading and one for encoding."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, progress: IndexProgress) -> None:
        reading = progress.stage == "read"
        key = f"reading {printable(progress.repository)}" if reading else "encoding"
        if key not in self._tasks:
            self._tasks[key] = self._bars.add_task(key, total=progress.total, unit="files" if reading else "", eta=None)
        share = f"{progress.done:,}/{progress.total:,} files" if reading else f"{_percent(progress)} %"
        self._bars.update(
            self._tasks[key], completed=progress.done, total=progress.total, unit=share, eta=progress.eta_seconds
        )


def _percent(progress: IndexProgress) -> int:
    return 100 * progress.done // max(1, progress.total)


@contextmanager
def index_bars(*, quiet: bool) -> Iterator[IndexBars]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[unit]}"),
    )
    bars = Progress(*columns, TimeElapsedColumn(), _Eta(), console=console(stderr=True), disable=quiet, transient=True)
    with bars:
        yield IndexBars(bars)


def index_bytes(directory: Path) -> int:
    """What the files of the index in a data folder hold; one that goes while it is looked at counts for nothing."""
    total = 0
    for name in _INDEX_FILES:
        with suppress(OSError):
            total += (directory / name).stat().st_size
    return total
