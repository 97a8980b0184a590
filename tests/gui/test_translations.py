"""Both languages are whole: every string of the window has its translation, and the compiled files are of today."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PySide6.QtCore import QLocale, QTranslator
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from spencer_desktop.core.resources import resource_dir
from spencer_desktop.core.settings import declared
from spencer_desktop.gui.app import translate
from spencer_desktop.gui.settings_words import HELP
from tests.e2e.harness import PROJECT
from tests.gui.conftest import Open

FOLDER = resource_dir() / "translations"
TOOLS = Path(sys.executable).parent


def sources(path: Path) -> set[tuple[str, str]]:
    root = ElementTree.parse(path).getroot()
    return {(c.findtext("name", ""), m.findtext("source", "")) for c in root for m in c.findall("message")}


@pytest.fixture
def german(qapp: QApplication) -> Iterator[list[QTranslator]]:
    before = QLocale()
    installed = translate(qapp, "de")
    yield installed
    for translator in installed:
        qapp.removeTranslator(translator)
    QLocale.setDefault(before)


def test_every_string_of_the_window_is_translated(tmp_path: Path) -> None:
    fresh = tmp_path / "spencer_de.ts"
    files = sorted(map(str, (PROJECT / "spencer_desktop/gui").glob("*.py")))
    subprocess.run([TOOLS / "pyside6-lupdate", *files, "-ts", fresh], check=True, capture_output=True)
    assert sources(FOLDER / "spencer_de.ts") == sources(fresh)
    root = ElementTree.parse(FOLDER / "spencer_de.ts").getroot()
    for message in root.iter("message"):
        translation = message.find("translation")
        assert translation is not None
        assert translation.get("type") is None
        forms = [form.text for form in translation] or [translation.text]
        assert all(forms), message.findtext("source")
        for mark in ("{0}", "{1}", "%n"):
            assert all((mark in (message.findtext("source") or "")) == (mark in (form or "")) for form in forms)


@pytest.mark.parametrize("language", ["de", "en"])
def test_the_compiled_translations_are_of_today(tmp_path: Path, language: str) -> None:
    made = tmp_path / "made.qm"
    source = FOLDER / f"spencer_{language}.ts"
    subprocess.run([TOOLS / "pyside6-lrelease", source, "-qm", made], check=True, capture_output=True)
    assert made.read_bytes() == (FOLDER / f"spencer_{language}.qm").read_bytes()


def test_the_words_of_the_settings_are_there_to_translate() -> None:
    assert set(HELP) == {field.metadata["help"] for field in declared()}


def test_the_window_speaks_german(german: list[QTranslator], open_window: Open, tmp_path: Path) -> None:
    assert german
    opened = open_window()
    assert "Stellen Sie Ihrem Code eine Frage" in [
        w.text() for w in opened.window.welcome.children() if hasattr(w, "text")
    ]
    (tmp_path / "code").mkdir()
    (tmp_path / "code/a.py").write_text("def paint():\n    pass\n")
    opened.index(tmp_path / "code")
    assert opened.window.welcome.lead.text().startswith("1 Ordner kann")
    opened.ask("paint")
    assert opened.window.search.message.text().startswith("1 Antwort ·")


def test_numbers_agree_in_english(qtbot: QtBot, qapp: QApplication, open_window: Open, tmp_path: Path) -> None:
    before = QLocale()
    installed = translate(qapp, "en")
    try:
        opened = open_window()
        opened.window.welcome.show_state(repositories=1)
        assert opened.window.welcome.lead.text().startswith("1 folder can")
        opened.window.welcome.show_state(repositories=2)
        assert opened.window.welcome.lead.text().startswith("2 folders can")
    finally:
        for translator in installed:
            qapp.removeTranslator(translator)
        QLocale.setDefault(before)
