"""The page where questions are asked: the box, the answers, and the preview beside them."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, QSignalBlocker, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QAccessible,
    QAccessibleAnnouncementEvent,
    QAction,
    QFont,
    QGuiApplication,
    QKeySequence,
    QShortcut,
)
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from spencer_desktop.core.freshness import Anchor, Freshness
from spencer_desktop.core.languages import LANGUAGES
from spencer_desktop.core.pack import UNLIKELY
from spencer_desktop.core.ranking import view_question
from spencer_desktop.core.types import Hit, Mode, Query, SearchUpdate, Stage
from spencer_desktop.gui.answers_list import AnswersList
from spencer_desktop.gui.failure import Failure
from spencer_desktop.gui.history import History
from spencer_desktop.gui.history_button import HistoryButton
from spencer_desktop.gui.modes import mode_titles
from spencer_desktop.gui.preview import Preview
from spencer_desktop.gui.question import Asked, write
from spencer_desktop.gui.question_box import Chips, QuestionBox
from spencer_desktop.gui.results_model import Row, place_of
from spencer_desktop.gui.style import Theme

_DEBOUNCE_MS = 150
_REMEMBER_MS = 2_000


class SearchView(QWidget):
    """Asks by signals, and shows what is answered."""

    asked = Signal(object)
    """`Query`."""
    emptied = Signal()
    """The box is empty: nothing more is wanted of the last question."""
    wants_similar = Signal(object, int)
    """Code like that of a `Hit`, or like a text; at most so many answers."""
    wants_look = Signal(object)
    """`Hit`: answered by `anchor`."""
    opens = Signal(object)
    """`Row` to open in the editor."""
    reveals = Signal(object)
    """`Row` to show in the file manager."""

    def __init__(self, theme: Theme, code: QFont, history: History, *, limit: int) -> None:
        super().__init__()
        self._limit = limit
        self._query = Query("")
        self._similar: Hit | str | None = None
        self._fresh = True
        self._again = False
        self._latest: SearchUpdate | None = None
        self._own_mode = 0
        self.question = QuestionBox()
        self.mode = QComboBox()
        self.chips = Chips()
        self.results = AnswersList(theme, code)
        self.model = self.results.answers
        self.message = _label("dim")
        self.warning = _label("warning")
        self.preview = Preview(theme, code)
        self.past = HistoryButton(history, self.question)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self._answers = QStackedWidget()
        self._debounce = _timer(self, _DEBOUNCE_MS, self.ask_now)
        self._remember = _timer(self, _REMEMBER_MS, self._remember_question)
        self._name()
        self._lay_out()
        self._wire()

    # Building

    def _name(self) -> None:
        for mode, words in mode_titles().items():
            self.mode.addItem(words, mode)
        self.mode.setAccessibleName(self.tr("How to search"))
        self.mode.setToolTip(self.tr("How to search"))

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(self.question, 1)
        top.addWidget(self.mode)
        top.addWidget(self.past)
        said = QHBoxLayout()
        said.addWidget(self.message)
        said.addWidget(self.warning, 1)
        self.splitter.addWidget(self.results)
        self.splitter.addWidget(self.preview)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setHandleWidth(8)
        self.splitter.setSizes([560, 640])
        page = QVBoxLayout(self)
        page.setContentsMargins(12, 12, 12, 8)
        page.setSpacing(8)
        page.addLayout(top)
        page.addWidget(self.chips)
        page.addLayout(said)
        self._answers.addWidget(self.splitter)
        page.addWidget(self._answers, 1)

    def _wire(self) -> None:
        self.question.textEdited.connect(self._typed)
        self.question.textChanged.connect(self._changed)
        self.question.returnPressed.connect(self._entered)
        self.question.wants_answers.connect(self._to_answers)
        self.mode.currentIndexChanged.connect(self._typed)
        self.chips.changed.connect(self.set_asked)
        self.results.selectionModel().currentChanged.connect(self._select)
        self.results.opens.connect(self._open)
        self.results.reveals.connect(self.reveals)
        self.results.wants_similar.connect(self._find_similar)
        self.past.asks.connect(self.set_text)
        self.paste_similar = QAction(self.tr("Find code like the copied"), self)
        self.paste_similar.setShortcut(QKeySequence("Ctrl+Shift+V"))
        self.paste_similar.triggered.connect(self._find_pasted)
        self.addAction(self.paste_similar)
        self.question.pastes_code.connect(self._find_pasted)
        for keys in ("Ctrl+L", "Ctrl+K"):
            QShortcut(QKeySequence(keys), self, self.focus_question)

    def restyle(self, theme: Theme, code: QFont) -> None:
        self.results.restyle(theme, code)
        self.preview.restyle(theme, code)

    def set_known(self, repositories: Sequence[str]) -> None:
        """What the filter of repositories may be completed to."""
        self.question.known = {"repo": repositories, "lang": sorted(LANGUAGES)}

    def set_limit(self, limit: int) -> None:
        self._limit = limit

    def set_mode(self, mode: Mode) -> None:
        """How to search where the question does not say."""
        self._own_mode = self.mode.findData(mode)
        if self.mode.isEnabled():
            self.mode.setCurrentIndex(self._own_mode)

    def set_placeholder(self, page: QWidget) -> None:
        """What stands in place of the answers while nothing is asked."""
        self._answers.addWidget(page)
        self._answers.setCurrentWidget(page)

    # Asking

    @Slot()
    def focus_question(self) -> None:
        self.question.setFocus()
        self.question.selectAll()

    @Slot(object)
    def set_asked(self, asked: Asked) -> None:
        self.question.setText(write(asked))
        self.ask_now()
        self.question.setFocus()

    @Slot(str)
    def set_text(self, text: str) -> None:
        self.question.setText(text)
        self.ask_now()

    @Slot()
    def _typed(self) -> None:
        self._debounce.start()

    @Slot(str)
    def _changed(self, text: str) -> None:
        asked = self.question.asked()
        self.chips.show_filters(asked)
        if self.mode.isEnabled():
            self._own_mode = self.mode.currentIndex()
        # The box has the last word, and the list says what that is.
        self.mode.setEnabled(asked.mode is None)
        with QSignalBlocker(self.mode):
            self.mode.setCurrentIndex(self._own_mode if asked.mode is None else self.mode.findData(asked.mode))

    @Slot()
    def ask_now(self) -> None:
        """What stands in the box, at once."""
        self._debounce.stop()
        asked = self.question.asked()
        self._similar = None
        self._again = False
        # Qt hands an enumeration of texts back as a text.
        mode = asked.mode or Mode(self.mode.currentData())
        self._query = Query(asked.text, self._limit, mode, asked.filters)
        if not asked.text:
            self._remember.stop()
            self._clear()
            self._answers.setCurrentIndex(self._answers.count() - 1)
            self.emptied.emit()
            return
        self._answers.setCurrentWidget(self.splitter)
        self._fresh = True
        self._remember.start()
        self.asked.emit(self._query)

    def _clear(self) -> None:
        self.model.show(())
        self.preview.clear()
        self.message.clear()
        self.warning.clear()

    @Slot()
    def _entered(self) -> None:
        """Enter asks what was not asked yet; once answered it opens the best answer."""
        if self._debounce.isActive():
            self.ask_now()
        elif self.model.rowCount() and not self._fresh:
            self._remember_question()
            self._to_answers()
            self.results.open_selected()

    @Slot(object)
    def _find_similar(self, to: Hit | str) -> None:
        self._debounce.stop()
        self._again = False
        self._similar = to
        self._fresh = True
        self._answers.setCurrentWidget(self.splitter)
        self.wants_similar.emit(to, self._limit)

    @Slot()
    def _find_pasted(self) -> None:
        self._find_similar(QGuiApplication.clipboard().text())

    # Answers

    @Slot()
    def ask_again(self) -> None:
        """The same once more, because there may be other answers now; nothing is seen of it but these."""
        if self._query.text and not self._similar and not self._debounce.isActive():
            self._again = True
            self._latest = None
            self.asked.emit(self._query)

    @Slot()
    def finish(self) -> None:
        """No further update follows."""
        latest, self._latest = self._latest, None
        if self._again and latest is not None:
            self._again = False
            if [place_of(hit) for hit in latest.hits] != [place_of(hit) for hit in self.model.hits]:
                self._show(latest)

    @Slot(object)
    def show_update(self, update: SearchUpdate) -> None:
        if self._again:
            self._latest = update
            return
        self._show(update)
        # Once for each question: that it was read again moves answers, and says nothing new.
        if update.stage is Stage.RECALL:
            self._announce()

    def _show(self, update: SearchUpdate) -> None:
        """RECALL replaces what is shown; RERANKED moves it, and leaves the selection where it is."""
        selected = self.results.current_row()
        chosen = place_of(selected.hit) if selected and not self._fresh else None
        if self._fresh:
            self.model.show(update.hits)
        else:
            self.model.reorder(update.hits)
        self._fresh = False
        self._say(update)
        self._choose(chosen)
        for hit in self.model.unknown:
            self.wants_look.emit(hit)
        if not self.model.rowCount():
            self.preview.clear()

    def _choose(self, chosen: tuple[str, str, int, int] | None) -> None:
        """Whoever has not left the box reads the best answer; whoever has keeps what was chosen."""
        if not self.model.rowCount():
            return
        places = [place_of(hit) for hit in self.model.hits]
        keeps = chosen in places and not self.question.hasFocus()
        self.results.choose(places.index(chosen) if keeps and chosen else 0)

    def _say(self, update: SearchUpdate) -> None:
        count = len(update.hits)
        if not count:
            self.message.setText(self.tr("Nothing found."))
        elif self._similar:
            to = self._similar
            name = self.tr("the copied code") if isinstance(to, str) else to.symbol or to.path
            self.message.setText(self.tr("%n like {0}", "", count).format(name))
        else:
            read = self.tr(", read again") if update.stage is Stage.RERANKED else ""
            self.message.setText(self.tr("%n answer(s)", "", count) + f" · {update.elapsed_ms:.0f} ms{read}")
        said = [update.notice] if update.notice else []
        if count and update.confidence is not None and update.confidence < UNLIKELY:
            said.append(self.tr("Probably nothing here answers this."))
        self.warning.setText("  ".join(said))

    @Slot(object)
    def show_failure(self, failure: Failure) -> None:
        """A question that cannot be answered says so where its answers would stand."""
        self._clear()
        self.warning.setText(failure.words)
        self._announce()

    def _announce(self) -> None:
        """What was found, or not, for whoever hears the window and does not see it."""
        words = " ".join(filter(None, (self.message.text(), self.warning.text())))
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self.message, words))

    @Slot(object, object)
    def anchor(self, hit: Hit, anchor: Anchor) -> None:
        """What became of a hit on disk."""
        self.model.anchor(hit, anchor)
        row = self.results.current_row()
        if row and place_of(row.hit) == place_of(hit) and anchor.state is not Freshness.GONE:
            words = frozenset() if self._similar else frozenset(view_question(self._query.text).terms)
            self.preview.show_hit(hit, anchor, words)

    @Slot()
    def look_again(self) -> None:
        """Whether what is shown still stands on disk."""
        for hit in self.model.hits:
            self.wants_look.emit(hit)

    @Slot(QModelIndex, QModelIndex)
    def _select(self, current: QModelIndex, before: QModelIndex) -> None:
        if current.isValid():
            row = self.model.row(current.row())
            # One that nobody has looked at is looked at anyway.
            if row.anchor is not None:
                self.wants_look.emit(row.hit)
        else:
            self.preview.clear()

    @Slot()
    def _to_answers(self) -> None:
        if not self.model.rowCount():
            return
        if not self.results.currentIndex().isValid():
            self.results.choose(0)
        self.results.setFocus()

    @Slot(object)
    def _open(self, row: Row) -> None:
        self._remember_question()
        self.opens.emit(row)

    @Slot()
    def _remember_question(self) -> None:
        self._remember.stop()
        self.past.history.ask(self.question.text())


def _label(name: str) -> QLabel:
    label = QLabel()
    label.setObjectName(name)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(name == "warning")
    # A long name must not make the window wider.
    label.setMinimumWidth(1)
    return label


def _timer(parent: QWidget, ms: int, slot: object) -> QTimer:
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(ms)
    timer.timeout.connect(slot)
    return timer
