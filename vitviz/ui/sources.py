"""The ways to another picture or model: dialogs, drops, the clipboard, names, sizes, devices."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QMimeData, QObject, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

from vitviz.errors import UnknownArchitectureError, ViewWantedError, VitvizError
from vitviz.images import Image
from vitviz.models.names import architectures, demos, pretrained
from vitviz.models.wish import ModelWish
from vitviz.ui import files, qimages, samples
from vitviz.ui.corrections import CorrectionDialog, Corrections, Known
from vitviz.ui.messages import show_error
from vitviz.ui.name_dialog import NameDialog
from vitviz.ui.network_dialog import NetworkDialog
from vitviz.ui.opening import NetworkWantedError, Opened, Wish
from vitviz.ui.pane_column import PaneColumn
from vitviz.ui.panes import Panes
from vitviz.ui.settings import Settings
from vitviz.ui.view_dialog import ViewDialog


class Sources(QObject):
    """Turns what the user does into wishes for the opener, and its failures into words; keeps the recents."""

    def __init__(self, window: QWidget, opener: Panes, settings: Settings, start: Wish) -> None:
        super().__init__(window)
        self._window, self._opener, self._settings = window, opener, settings
        self.run = opener.loaded.run
        self.run.begin(start.model, start.given, settings.value)
        self._start = replace(start, model=self.run.on(start.model))
        self._shown: Opened | None = None
        self._said: tuple[PaneColumn, ModelWish, Corrections] | None = None  # the last corrections, until they hold
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
        wish = self.run.on(ModelWish(source, architecture, pretrained))
        picture = samples.pictures()[0] if self._opener.wish.picture is None else None
        self._opener.open(model=wish, picture=picture)

    def change_model(self, **fields: Any) -> None:
        """The same model with another size, crop, device or precision."""
        self._opener.open(model=replace(self._opener.wish.model, **fields))

    def set_run(self, **fields: str) -> None:
        """Choose the device or the precision, now and for the next run."""
        self._settings.update(**fields)
        self.run.choose(**fields)
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
            elif path.suffix.lower() in (".pdf", ".svg") and path.is_file():
                self._tell(
                    f"{path.name} is no picture that vitviz reads. If it is a figure of vitviz, what it shows is said "
                    f"by its recipe {path.name}.json, which is not beside it: put it there and drop either of them."
                )
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
        held: QMimeData | None = QGuiApplication.clipboard().mimeData()  # none where nothing was ever copied
        if held is not None and self.drop(held):
            return
        try:
            pixels = qimages.from_clipboard()
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
        """Choose a model of timm's, or of the hub, by name."""
        NameDialog(
            self._window,
            "Open model by name",
            'Search timm\'s models by words such as "dinov2 small" or "swin 384px". Any other name of timm\'s, or a '
            "repository of the hub (owner/name), may be typed too. Weights are fetched once and kept.",
            demos() + pretrained(),
            lambda name, trained: self.open_source(name, pretrained=trained),
            weights=True,
        ).open()

    def ask_corrections(self) -> None:
        """Say otherwise what was found or assumed about the shown model."""
        self._ask_corrections()

    def _ask_corrections(self, said: Corrections | None = None, trouble: str = "") -> None:
        # One that waits for its first model has none to speak of.
        columns = (self._opener.current_column, *self._opener.columns)
        column = next((each for each in columns if each.pane.opened is not None), None)
        if column is None or (shown := column.pane.opened) is None:
            return
        known = Known.of(shown.model, [layer.num_heads for layer in shown.trace.layers])
        # Whatever is opened while the dialog is there, it speaks of this model, in this pane.
        CorrectionDialog(self._window, known, partial(self._correct, column, shown.wish.model), said, trouble).open()

    def _correct(self, column: PaneColumn, model: ModelWish, said: Corrections | None) -> None:
        names = [field.name for field in fields(Corrections)]
        if said is None:
            changed: dict[str, Any] = dict.fromkeys(names) | {"network": model.network}
        else:
            changed = {name: value for name in names if (value := getattr(said, name)) is not None}
        if not changed:
            return
        if column not in self._opener.columns:
            self._tell("The pane of this model was closed: open the model again to correct it.")
            return
        corrected = replace(model, **changed)
        column.opener.open(model=corrected)
        self._said = None if said is None else (column, corrected, said)

    def _say_again(self, wish: Wish, error: Exception) -> bool:
        """Ask again with what was said, where corrections are what could not be."""
        if self._said is None or self._said[1] != wish.model or not isinstance(error, VitvizError):
            return False
        column, _, said = self._said
        self._said = None
        self._opener.set_current(column)
        if self._opener.current_column is not column or column.pane.opened is None:
            return False
        self._ask_corrections(said, str(error))
        return True

    @Slot(object)
    def _opened(self, opened: Opened) -> None:
        self._shown = opened
        wish = opened.wish
        if self._said is not None and self._said[1] == wish.model:
            self._said = None
        if isinstance(wish.picture, Path):
            self._settings.add_recent("pictures", str(wish.picture))
        if wish.model.architecture is None and wish.model.pretrained:
            self._settings.add_recent("models", wish.model.source)

    @Slot(object, object)
    def _failed(self, wish: Wish, error: Exception) -> None:
        model, asking = wish.model, self._opener.current_column.opener

        def answer(**said: Any) -> None:
            asking.open(picture=wish.picture, model=replace(model, **said))

        if isinstance(error, NetworkWantedError):
            dialog: NetworkDialog | NameDialog | ViewDialog = NetworkDialog(
                self._window, Path(model.source).name, error.names, lambda name: answer(network=name)
            )
        elif isinstance(error, ViewWantedError) and model.image_size is None:
            dialog = ViewDialog(self._window, Path(model.source).name, error, lambda size: answer(image_size=size))
        elif isinstance(error, UnknownArchitectureError) and model.architecture is None:
            dialog = NameDialog(
                self._window,
                "Architecture of the weights",
                f"{error}\n\nWhich of timm's architectures are these weights of?",
                architectures(),
                lambda name, _: answer(architecture=name),
                weights=False,
            )
        else:
            if not self._say_again(wish, error):
                show_error(self._window, error)
                self._opener.close_empty()
            return
        dialog.rejected.connect(self._opener.close_empty)
        dialog.open()

    def _tell(self, sentence: str) -> None:
        show_error(self._window, VitvizError(sentence))
