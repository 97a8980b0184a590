"""`spencer status`, `doctor` and `models`: what is installed, what is indexed, and what is wrong."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import apsw
import onnxruntime
from rich.table import Table
from rich.text import Text

from spencer_desktop import __version__
from spencer_desktop import cli_output as out
from spencer_desktop.core.engine import Engine
from spencer_desktop.core.errors import EnvironmentFault, SpencerError
from spencer_desktop.core.grammars import grammar_module, has_grammar, load_grammar
from spencer_desktop.core.index import has_catalog
from spencer_desktop.core.inference import Models, choose_device
from spencer_desktop.core.languages import LANGUAGES
from spencer_desktop.core.pack import open_pack
from spencer_desktop.core.settings import Settings, config_file
from spencer_desktop.core.watch_note import read_note

_LOW_DISK_BYTES = 1 << 30
_GIT_SECONDS = 10
_INOTIFY = Path("/proc/sys/fs/inotify/max_user_watches")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was examined. `remedy` says what to do when it is not `ok`."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def status(engine: Engine) -> dict[str, Any]:
    """Counts, sizes, device and pack, ready for JSON."""
    directory = engine.settings.data_dir
    facts: dict[str, Any] = {
        "version": __version__,
        "data_dir": str(directory),
        "config_file": str(config_file()),
        "pack": pack_facts(engine.settings.pack_dir),
        "device": engine.models.device_note(),
        "repositories": [],
    }
    if has_catalog(directory):
        facts["repositories"] = [out.repository_json(row) for row in engine.repositories()]
        facts["index"] = engine.reader.catalog.counts()
        facts["index_bytes"] = out.index_bytes(directory)
        facts["vectors_of_this_pack"] = engine.reader.speaks_this_space
        facts["search"] = "hnswlib graph" if engine.reader.uses_graph else "exact"
        facts["polled"] = read_note(directory)
    return facts


def print_status(facts: dict[str, Any]) -> None:
    rows = [
        ("version", facts["version"]),
        ("data folder", facts["data_dir"]),
        ("model pack", f"{facts['pack']['name']} {facts['pack']['version']}  {facts['pack']['directory']}"),
        ("device", facts["device"]),
    ]
    index = facts.get("index")
    if index:
        rows += [
            ("index", f"{index['files']:,} files, {index['chunks']:,} chunks, {index['pending']:,} still to encode"),
            ("size", f"{facts['index_bytes'] / 1e6:,.1f} MB"),
            ("vector search", facts["search"]),
            ("changes", _how_watched(facts["polled"])),
        ]
    if index and not facts["vectors_of_this_pack"]:
        rows.append(("notice", "the vectors were made by another model pack; run `spencer index`"))
    _print_rows(rows)
    for row in facts["repositories"]:
        out.console().print(
            out.printable(f"  {row['name']}: {row['files']:,} files, {row['chunks']:,} chunks  {row['root']}")
        )


def _how_watched(polled: dict[str, str] | None) -> str:
    if polled is None:
        return "not watched while no window is open; `spencer index` looks for them"
    seen = [f"in {path} looked for every half a minute: {why}" for path, why in polled.items()]
    return "; ".join(seen) or "watched by the open window"


def pack_facts(directory: Path) -> dict[str, Any]:
    """What a pack's manifest says, ready for JSON. Raises UserError when it cannot be read."""
    manifest = open_pack(directory).manifest
    return {
        "name": manifest.name,
        "version": manifest.version,
        "directory": str(directory),
        "space_id": manifest.space_id,
        "dimension": manifest.dimension,
        "bytes": sum(file.size for file in manifest.files.values()),
        "licences": [dict(entry) for entry in manifest.licences],
        "figures": dict(manifest.figures),
    }


def print_pack(facts: dict[str, Any]) -> None:
    licences = ", ".join(sorted({entry.get("licence", "?") for entry in facts["licences"]}))
    _print_rows(
        [
            ("pack", f"{facts['name']} {facts['version']}"),
            ("folder", facts["directory"]),
            ("size", f"{facts['bytes'] / 1e6:.1f} MB"),
            ("dimension", str(facts["dimension"])),
            ("space", facts["space_id"][:16]),
            ("licences", licences),
        ]
    )


def verify_pack(directory: Path) -> dict[str, Any]:
    """Check hashes, load every graph and run it once. Raises UserError for the first thing that is wrong."""
    pack = open_pack(directory)
    pack.verify()
    loaded = Models(pack, choose_device("cpu", 0))
    for encoder in (loaded.code_encoder, loaded.query_encoder):
        encoder.encode(["verify"])
    if loaded.reranker is not None:
        loaded.reranker.score("verify", ["def verify(): ..."])
    return {"directory": str(directory), "ok": True, "graphs": 2 + (loaded.reranker is not None)}


def examine(settings: Settings) -> list[Finding]:
    """Every check, whether it fails or not."""
    findings = [
        Finding("python", True, f"{platform.python_version()} on {platform.platform()}"),
        Finding("onnxruntime", True, f"{onnxruntime.__version__}, SQLite {apsw.sqlite_lib_version()}"),
        _examined("git", _git),
        _examined("model pack", lambda: f"{verify_pack(settings.pack_dir)['graphs']} graphs in {settings.pack_dir}"),
        _examined("device", lambda: _device(settings)),
        _examined("grammars", _grammars),
        _examined("data folder", lambda: _data_folder(settings.data_dir)),
        _examined("disk", lambda: _disk(settings.data_dir)),
        _examined("index", lambda: _index_health(settings)),
    ]
    if _INOTIFY.exists():
        findings.append(_examined("watch limit", lambda: f"{int(_INOTIFY.read_text()):,} folders"))
    return findings


def _examined(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, check())
    except SpencerError as error:
        return Finding(name, False, str(error), error.hint)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is shown, and the other checks are made
        return Finding(name, False, f"{type(error).__name__}: {error}", "Install SPENCER again.")


def _git() -> str:
    program = shutil.which("git")
    if program is None:
        raise EnvironmentFault("not found", hint="Install git: its settings say which files you ignore everywhere.")
    try:
        answer = subprocess.run(
            [program, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise EnvironmentFault(f"{program} does not run: {error}", hint="Install git again.") from error
    return f"{answer.stdout.strip()} at {program}"


def _device(settings: Settings) -> str:
    return Models(open_pack(settings.pack_dir), choose_device(settings.device, settings.threads)).device_note()


def _grammars() -> str:
    languages = sorted(language for language in LANGUAGES if has_grammar(language))
    broken: dict[str, str] = {}
    for language in languages:
        try:
            load_grammar(language)
        except (ImportError, AttributeError, OSError, TypeError, ValueError) as error:
            broken[grammar_module(language).replace("_", "-")] = f"{language}: {error}"
    if broken:
        wheels = " ".join(sorted(broken))
        raise EnvironmentFault("; ".join(broken.values()), hint=f"pip install --force-reinstall {wheels}")
    return f"{len(languages)} languages"


def _data_folder(directory: Path) -> str:
    existing = _existing(directory)
    if not existing.is_dir():
        raise EnvironmentFault(f"{existing} is not a folder", hint="Choose another folder with --data-dir.")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise EnvironmentFault(
            f"{existing} cannot be written", hint="Change its permissions, or choose another folder with --data-dir."
        )
    return f"{directory} can be written" if existing == directory else f"{directory} can be made"


def _disk(directory: Path) -> str:
    existing = _existing(directory)
    free = shutil.disk_usage(existing).free
    found = f"{free / 1e9:.1f} GB free at {existing}"
    if free <= _LOW_DISK_BYTES:
        raise EnvironmentFault(found, hint="Free some space, or move the index with --data-dir.")
    return found


def _existing(directory: Path) -> Path:
    # `Path.exists` raises where a parent may not be looked into.
    return next(p for p in (directory, *directory.parents) if os.path.exists(p))  # noqa: PTH110


def _index_health(settings: Settings) -> str:
    if not has_catalog(settings.data_dir):
        return f"none yet in {settings.data_dir}"
    with Engine.open(settings) as engine:
        problems = engine.reader.catalog.check()
        if problems:
            raise SpencerError("; ".join(problems), hint="Move the index away and run `spencer index` again.")
        counts = engine.reader.catalog.counts()
        how = "hnswlib graph, verified" if engine.reader.uses_graph else "exact search"
        return f"whole; {counts['chunks']:,} chunks, {counts['pending']:,} still to encode; {how}"


def print_findings(findings: list[Finding]) -> None:
    for finding in findings:
        mark = Text("ok    ", "green") if finding.ok else Text("wrong ", "bold red")
        out.console().print(mark + Text(f"{finding.name}: {out.printable(finding.detail)}"))
        if finding.remedy:
            out.console().print(Text(f"      {out.printable(finding.remedy)}"))


def _print_rows(rows: list[tuple[str, str]]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in rows:
        table.add_row(Text(name, "bold"), Text(out.printable(value)))
    out.console().print(table)
