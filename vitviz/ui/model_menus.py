"""The menus of how a model runs: device, precision and crop, with what the shown model has ticked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QMenu

from vitviz.ui.actions import choices

if TYPE_CHECKING:
    from vitviz.ui.window import MainWindow

AUTOMATIC = ("Automatic", "auto")
PRECISIONS = (("float32", "float32"), ("bfloat16", "bfloat16"), ("float16", "float16"))
OWN = "As the model asks"
CROPS = (
    (OWN, ""),
    ("Centre of the picture", "center"),
    ("Whole picture, squashed", "squash"),
    ("Whole picture, with a border", "border"),
)


class ModelMenus:
    """Ticks follow the model of the current pane. What is chosen is ticked once it is shown: it may fail, or be
    cancelled."""

    def __init__(self, window: MainWindow, menu: QMenu) -> None:
        self._window = window
        self.device_menu, precision, crop = (menu.addMenu(f"&{name}") for name in ("Device", "Precision", "Crop"))
        self.devices: QActionGroup | None = None
        self.precisions = choices(window, precision, PRECISIONS, "", self._choose_precision)
        self.crops = choices(window, crop, CROPS, "", self._choose_crop)
        self.fill_devices([AUTOMATIC, ("CPU", "cpu")])
        window.pane.traced.connect(self.follow)  # of the pane that becomes current, too

    def fill_devices(self, devices: Sequence[tuple[str, str]]) -> None:
        """Offer these devices as (title, name)."""
        if self.devices is not None:
            self.devices.deleteLater()
        self.device_menu.clear()
        self.devices = choices(self._window, self.device_menu, devices, "", self._choose_device)
        self.follow()

    def follow(self, *_: object) -> None:
        """Tick what the shown model has; what the next one is to have where there is none."""
        opened, value = self._window.pane.opened, self._window.settings.value
        device, precision, crop, own = value.device, value.precision, "", ""
        if opened is not None:
            asked, model = opened.wish.model, opened.model
            device = "auto" if asked.device == "auto" else model.device.name
            precision, crop = model.precision, asked.crop or ""
            own = "" if crop else {name: title for title, name in CROPS}.get(model.preprocessing.crop_mode, "")
        for group, held in ((self.devices, device), (self.precisions, precision), (self.crops, crop)):
            for choice in group.actions() if group is not None else ():
                choice.setChecked(choice.data() == held)
        self.crops.actions()[0].setText(f"{OWN}: {own[0].lower()}{own[1:]}" if own else OWN)

    def _choose_device(self, name: str, *_: object) -> None:
        self._window.sources.set_run(device=name)
        self.follow()

    def _choose_precision(self, name: str, *_: object) -> None:
        self._window.sources.set_run(precision=name)
        self.follow()

    def _choose_crop(self, name: str, *_: object) -> None:
        self._window.sources.change_model(crop=name or None)
        self.follow()
