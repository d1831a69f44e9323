"""What the model says about the picture, and what is known about the model."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QScrollArea,
    QTableWidget,
    QTableWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from vitviz.ui.labels import plain_label
from vitviz.ui.opening import Opened
from vitviz.ui.pane import Pane
from vitviz.ui.top_classes import TopClasses

_TOP = 5
# What the dialog behind Correct… has a field for; the heads only where all layers have as many.
_CORRECTED = ("heads", "mean and std", "mean", "std", "preprocessing", "norm epsilon", "view", "image size")


class ModelPanel(QWidget):
    """Prediction, cost and report of the shown model; `correct_asked()` when some of it is to be said otherwise."""

    correct_asked = Signal()

    def __init__(self, pane: Pane, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.name = plain_label(wrap=True)
        self.name.setObjectName("model-name")
        self.warning = plain_label("", wrap=True)
        self.warning.setObjectName("model-warning")
        self.warning.hide()
        self.guesses = plain_label("", wrap=True)
        self.guesses.setObjectName("model-guesses")
        self.guesses.hide()
        self.top = TopClasses(self)
        self.top.hide()
        self.report = QTableWidget(0, 2, self)
        self.report.setTabKeyNavigation(False)  # Tab leads on, the arrows go through the rows
        self.report.setHorizontalHeaderLabels(["Report", ""])
        self.report.horizontalHeader().hide()
        self.report.verticalHeader().hide()
        self.report.setShowGrid(False)
        self.report.setWordWrap(True)
        self.report.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.report.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.report.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        self.report.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.report.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.report.setAccessibleName("Report about the model")
        copy = QToolButton()
        copy.setText("Copy report")
        copy.clicked.connect(self._copy)
        correct = QToolButton()
        correct.setText("Correct…")
        correct.setToolTip("Say otherwise what was found or assumed: network, sizes, heads, mean and std, labels")
        correct.clicked.connect(self.correct_asked)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(correct)
        buttons.addWidget(copy)
        # One bar for all of it: the report is as high as its rows.
        self.report.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.report.verticalHeader().sectionResized.connect(self._fit)
        self.report.currentCellChanged.connect(self._follow)
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 0, 0)
        for widget in (self.name, self.warning, self.guesses, self.top, self.report):
            column.addWidget(widget)
        column.addStretch(1)
        self.area = QScrollArea()
        self.area.setFrameShape(QScrollArea.Shape.NoFrame)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setWidgetResizable(True)
        self.area.setWidget(inner)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.area, 1)
        layout.addLayout(buttons)
        pane.traced.connect(self._traced)

    @Slot(object)
    def _traced(self, opened: Opened) -> None:
        from vitviz.attention.proving import proof_text

        model, trace = opened.model, opened.trace
        self.name.setText(model.name)
        self.warning.setVisible(model.random)
        self.warning.setText("Random weights: the maps mean nothing but their shapes.")
        heads = sorted({layer.num_heads for layer in trace.layers})
        words = model.report.guess_words
        self.guesses.setVisible(bool(words))
        ways = _ways([finding.topic for finding in model.report.guesses], len(heads) == 1)
        self.guesses.setText(f"To be checked: {words}. {ways}")
        if changes := trace.top_changes(_TOP):
            self.top.show_changes(changes, trace.ablation.words)
        else:
            self.top.show_classes(trace.top_k(_TOP))
        self.top.show()
        guesses = model.report.guesses
        # What may be wrong comes first, or it would be below the fold.
        findings = [*guesses, *(finding for finding in model.report if finding not in guesses)]
        rows = [(finding.topic, str(finding)) for finding in findings]
        rows.append(("layers", f"{len(trace.layers)}, heads {', '.join(map(str, heads))}"))
        if trace.ablation:
            rows.append(("altered", trace.ablation.words))
        rows.append(("this pass", f"{trace.seconds * 1000:.0f} ms, keeps {trace.bytes / 1e6:.1f} MB for looking"))
        if (proof := proof_text(trace)) is not None:
            rows.append(("proof", proof))
        rows += [("picture", note) for note in opened.image.notes]
        rows += [("not shown", gap) for gap in trace.gaps]
        self.report.setRowCount(len(rows))
        for row, (topic, text) in enumerate(rows):
            for column, words in enumerate((topic, text)):
                item = QTableWidgetItem(words)
                item.setTextAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
                if row < len(guesses) and column == 0:
                    bold = item.font()
                    bold.setBold(True)
                    item.setFont(bold)
                self.report.setItem(row, column, item)
        self._fit()
        self._text = f"{model.name}\n" + "\n".join(f"{topic}: {text}" for topic, text in rows)

    def text(self) -> str:
        """The report as it is copied."""
        return getattr(self, "_text", "")

    @Slot()
    def _fit(self) -> None:
        self.report.setFixedHeight(self.report.verticalHeader().length() + 2 * self.report.frameWidth())

    @Slot()
    def _follow(self) -> None:
        box = self.report.visualItemRect(self.report.currentItem()) if self.report.currentItem() else None
        inner: QWidget | None = self.area.widget()
        if box is not None and inner is not None:
            for corner in (box.bottomLeft(), box.topLeft()):
                place = self.report.viewport().mapTo(inner, corner)
                self.area.ensureVisible(place.x(), place.y(), 0, 4)

    @Slot()
    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text())


def _ways(topics: list[str], same_heads: bool) -> str:
    """How each of these is said otherwise, in sentences."""
    dialog = [t for t in dict.fromkeys(topics) if t in _CORRECTED and (t != "heads" or same_heads)]
    others = [t for t in dict.fromkeys(topics) if t not in dialog and t != "crop"]
    ways = [f"Correct… below changes {', '.join(dialog)}."] if dialog else []
    ways += ["Model > Crop changes the crop."] if "crop" in topics else []
    if others:
        ways.append(f"No field sets {', '.join(others)}: a config in or beside the file, or the architecture, does.")
    return " ".join(ways)
