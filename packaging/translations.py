#!/usr/bin/env python3
"""Brings the window's translations up to date: `python packaging/translations.py`, in the project's environment.

Collects the texts of `spencer_desktop/gui` into resources/translations/spencer_LANGUAGE.ts, keeps what is translated,
says what is not yet, and compiles all into the .qm files that the window reads. English has no more than its plurals.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

PROJECT = Path(__file__).resolve().parents[1]
TRANSLATIONS = PROJECT / "resources/translations"
SOURCES = sorted((PROJECT / "spencer_desktop/gui").glob("*.py"))


def main() -> int:
    missing = 0
    for file in sorted(TRANSLATIONS.glob("*.ts")):
        language = file.stem.rpartition("_")[2]
        plurals = ["-pluralonly"] if language == "en" else []
        languages = ["-source-language", "en", "-target-language", language]
        options = ["-no-obsolete", "-locations", "none", *languages, *plurals]
        _tool("lupdate", *map(str, SOURCES), *options, "-ts", str(file))
        for text in _untranslated(file):
            missing += 1
            print(f"{file.name}: {text!r}")
        _tool("lrelease", "-silent", str(file))
    return 1 if missing else 0


def _tool(name: str, *arguments: str) -> None:
    command = [str(Path(sys.executable).parent / f"pyside6-{name}"), *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _untranslated(file: Path) -> list[str]:
    messages = ElementTree.parse(file).getroot().iter("message")
    return [m.findtext("source", "") for m in messages if m.find("translation[@type='unfinished']") is not None]


if __name__ == "__main__":
    sys.exit(main())
