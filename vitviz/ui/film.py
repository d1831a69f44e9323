"""A picture of the size that there is room for, or several that are shown one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QPixmap, QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from vitviz.ui.qimages import pixmap_of


class Film(QLabel):
    """Pixels one to one where there is room for them, else smaller. `at` is the frame that is shown."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self.at = 0
        self.frames: list[QPixmap] = []
        self._clock = QTimer(self)
        self._clock.timeout.connect(self._turn)

    def say(self, text: str) -> None:
        """Words in place of a picture."""
        self.stop()
        self.frames = []
        self.setText(text)

    def show_pixels(self, pixels: np.ndarray) -> None:
        """One picture, (H, W, 3) uint8."""
        self.stop()
        self.frames = [pixmap_of(pixels)]
        self._draw()

    def play(self, frames: Sequence[np.ndarray], seconds: float) -> None:
        """Frames of one size, each for so many seconds, over and over."""
        self.frames, self.at = [pixmap_of(frame) for frame in frames], 0
        self._draw()
        self._clock.start(max(20, round(seconds * 1000)))

    def stop(self) -> None:
        """Stay at what is shown."""
        self._clock.stop()
        self.at = 0

    @property
    def playing(self) -> bool:
        """Whether frames follow each other."""
        return self._clock.isActive()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._draw()

    def _draw(self) -> None:
        if self.frames:
            self.setPixmap(self._in_room(self.frames[self.at]))

    def _in_room(self, frame: QPixmap) -> QPixmap:
        room = self.size()
        if frame.width() <= room.width() and frame.height() <= room.height():
            return frame
        return frame.scaled(room, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation)

    @Slot()
    def _turn(self) -> None:
        self.at = (self.at + 1) % max(1, len(self.frames))
        self._draw()
