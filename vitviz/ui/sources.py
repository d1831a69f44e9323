"""The ways to another picture or model: dialogs, drops, the clipboard, names, sizes, devices."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QMimeData, QObject, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

from vitviz.errors import UnknownArchitectureError, VitvizError
from vitviz.images import Image
from vitviz.ui import files, samples
from vitviz.ui.dialogs import NameDialog, SizeDialog, Sizes
from vitviz.ui.messages import show_error
from vitviz.ui.opening import ModelWish, Opened, Wish
from vitviz.ui.panes import Panes
from vitviz.ui.settings import Settings


class Sources(QObject):
    """Turns what the user does into wishes for the opener, and its failures into words; keeps the recents."""

    def __init__(self, window: QWidget, opener: Panes, settings: Settings, start: Wish) -> None:
        super().__init__(window)
        self._window, self._opener, self._settings = window, opener, settings
        value = settings.value
        device = value.device if start.model.device == "auto" else start.model.device
        precision = value.precision if start.model.precision == "float32" else start.model.precision
        self._start = replace(start, model=replace(start.model, device=device, precision=precision))
        self._shown: Opened | None = None
        opener.opened.connect(self._opened)
        opener.failed.connect(self._failed)

    @Slot()
    def begin(self) -> None:
        """Open what the program was started with, the demo where that was nothing."""
        if self._shown is None and self._opener.wish.picture is None:
            self._opener.open(picture=self._start.picture or samples.pictures()[0], model=self._start.model)

    def open_picture(self, picture: Path | Image) -> None:
        """Show another picture through the same model, the demo where none could be opened yet."""
        self._opener.open(picture=picture)

    def open_source(self, source: str, *, architecture: str | None = None, pretrained: bool = True) -> None:
        """Look at the same picture through another model."""
        value = self._settings.value
        wish = ModelWish(source, architecture, pretrained, device=value.device, precision=value.precision)
        picture = samples.pictures()[0] if self._opener.wish.picture is None else None
        self._opener.open(model=wish, picture=picture)

    def change_model(self, **fields: Any) -> None:
        """The same model with another size, crop, device or precision."""
        self._opener.open(model=replace(self._opener.wish.model, **fields))

    def set_run(self, **fields: str) -> None:
        """Choose the device or the precision, now and for the next run."""
        self._settings.update(**fields)
        self.change_model(**fields)

    def open_paths(self, paths: list[Path]) -> None:
        """Open a picture, a checkpoint, a folder, or one of each."""
        for path in paths[:2]:
            kind = files.kind_of(path)
            if kind == "picture":
                self._settings.update(picture_folder=str(path.parent))
                self.open_picture(path)
            elif kind in ("checkpoint", "folder"):
                self._settings.update(model_folder=str(path.parent))
                self.open_source(str(path))
            else:
                self._tell(
                    f"{path.name} is neither a picture nor a checkpoint that vitviz knows: open a PNG, JPEG, WebP, "
                    "BMP, TIFF or GIF picture, a .safetensors or .pth file, or a model folder."
                )

    def drop(self, mime: QMimeData) -> bool:
        """Open the files that were dropped; False where there are none."""
        paths = files.dropped_paths(mime)
        self.open_paths(paths)
        return bool(paths)

    def paste(self) -> None:
        """Open the picture, or the file, that is on the clipboard."""
        if self.drop(QGuiApplication.clipboard().mimeData()):
            return
        try:
            pixels = files.image_from_clipboard()
            if pixels is None:
                raise VitvizError("There is no picture on the clipboard: copy one and paste again.")
            self.open_picture(Image.from_array(pixels, name="pasted picture"))
        except VitvizError as error:
            show_error(self._window, error)

    def ask_picture(self) -> None:
        """Choose a picture file."""
        files.ask_open(self._window, "picture", folder=self._settings.value.picture_folder, then=self.open_paths)

    def ask_model(self) -> None:
        """Choose a checkpoint file."""
        files.ask_open(self._window, "checkpoint", folder=self._settings.value.model_folder, then=self.open_paths)

    def ask_folder(self) -> None:
        """Choose a model folder."""
        files.ask_open(self._window, "folder", folder=self._settings.value.model_folder, then=self.open_paths)

    def ask_name(self) -> None:
        """Choose a model of timm's by name."""
        NameDialog(
            self._window,
            "Open a model by name",
            "A model of timm's, with its tag where one is wanted. Its weights come from the model hub, once.",
            _timm_names(),
            lambda name, pretrained: self.open_source(name, pretrained=pretrained),
            weights=True,
        ).open()

    def ask_size(self) -> None:
        """Choose another size of view and patches, or another number of heads."""
        if self._shown is None:
            return
        patch = self._shown.model.patch_size
        heads = {layer.num_heads for layer in self._shown.trace.layers}
        shown = Sizes(
            self._shown.model.preprocessing.input_size,
            patch[0] if patch else None,
            heads.pop() if len(heads) == 1 else None,
        )
        SizeDialog(self._window, shown, self._resize).open()

    def _resize(self, chosen: Sizes) -> None:
        if chosen == Sizes():
            self.change_model(image_size=None, patch_size=None, num_heads=None)
            return
        self.change_model(**{k: v for k, v in asdict(chosen).items() if v is not None})

    @Slot(object)
    def _opened(self, opened: Opened) -> None:
        self._shown = opened
        wish = opened.wish
        if isinstance(wish.picture, Path):
            self._settings.add_recent("pictures", str(wish.picture))
        if wish.model.architecture is None and wish.model.pretrained:
            self._settings.add_recent("models", wish.model.source)

    @Slot(object, object)
    def _failed(self, wish: Wish, error: Exception) -> None:
        source = wish.model.source
        unnamed = isinstance(error, UnknownArchitectureError) and wish.model.architecture is None
        if not unnamed or not Path(source).exists():
            show_error(self._window, error)
            return
        NameDialog(
            self._window,
            "Architecture of the checkpoint",
            f"{error}\n\nWhich of timm's architectures are these weights of?",
            _timm_names(),
            lambda name, _: self.open_source(source, architecture=name),
            weights=False,
        ).open()

    def _tell(self, sentence: str) -> None:
        show_error(self._window, VitvizError(sentence))


def _timm_names() -> list[str]:
    # Only when the worker has brought timm in already: a dialog must not wait for the import.
    timm = sys.modules.get("timm")
    if timm is None or not hasattr(timm, "list_models"):
        return []
    return sorted({*timm.list_models(pretrained=True), *timm.list_models()})
