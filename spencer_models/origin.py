"""Where weights come from: the runs that made them, and the licences of the weights and texts that they were made of.

Packs carry it in their manifest, a dual encoder on its way to a pack in a file beside its weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.pack import MANIFEST, open_pack
from spencer_models.backbones.base import Backbone
from spencer_models.data.corpus import LEARNT

ORIGIN_NAME = "origin.json"

Licence = Mapping[str, str]
"""A name, a licence, and the part that it is of ("base weights and tokenizer", "training text")."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run: its version, its command, the hours that its trainings took, and on what."""

    version: str
    command: str
    hours: float
    hardware: str


@dataclass(frozen=True, slots=True)
class Origin:
    """`pack` names the pack that the weights are of ("": none); `runs` the oldest first."""

    pack: str
    runs: Sequence[RunRecord]
    licences: Sequence[Licence]

    def licences_with(self, summary: Mapping[str, Any]) -> list[Licence]:
        """The licences, and one for each source of a corpus that is trained on, each once."""
        sources = {**summary["packages"], **summary["files"]}
        added = [
            {"name": name, "licence": source["licence"] or "as its owner states", "part": "training text"}
            for name, source in sorted(sources.items())
            if any(source["languages"].get(split) for split in LEARNT)
        ]
        return list({(entry["name"], entry["part"]): entry for entry in (*self.licences, *added)}.values())


def origin_of(backbone: Backbone) -> Origin:
    """That of the weights which a backbone starts from. UserError when what its folder says of it cannot be read."""
    folder = backbone.folder
    if (folder / MANIFEST).is_file():
        manifest = open_pack(folder).manifest
        runs = [RunRecord(**made) for made in manifest.figures.get("history", ())]
        return Origin(f"{manifest.name} {manifest.version}", runs, manifest.licences)
    if (folder / ORIGIN_NAME).is_file():
        return _read(folder / ORIGIN_NAME)
    base = {"name": backbone.family, "licence": backbone.licence, "part": "base weights and tokenizer"}
    return Origin("", (), (base,))


def _read(path: Path) -> Origin:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return Origin("", [RunRecord(**made) for made in raw["runs"]], raw["licences"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path} does not say where its weights come from ({error})", hint="Copy it again.") from error


def write_origin(origin: Origin, folder: Path) -> None:
    """Writes it beside a checkpoint."""
    content = {"runs": [asdict(made) for made in origin.runs], "licences": [dict(entry) for entry in origin.licences]}
    (folder / ORIGIN_NAME).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
