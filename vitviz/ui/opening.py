"""What is to be shown -> what is shown: picture and model are read, and the model run, in the worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot

from vitviz.errors import VitvizError
from vitviz.images import Image, View, read_image
from vitviz.models.wish import ModelWish
from vitviz.render.overlay import Canvas
from vitviz.ui import engine
from vitviz.ui.fallback import Step, attempt, steps
from vitviz.ui.jobs import Progress, Worker
from vitviz.ui.loaded import Loaded, Stamp, stamp_of
from vitviz.ui.newest import Newest

if TYPE_CHECKING:
    from vitviz.attention.trace import Trace
    from vitviz.models.model import Model

KIND = "open"
LARGEST = 800  # drawn pixels along the longer side; files are drawn at the picture's own size


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be shown: a picture (a path, or one that was pasted), a model, and models beside it to begin with.

    `given` names what was said of device and precision, which wins over the settings even where it is the usual.
    """

    picture: Path | Image | None = None
    model: ModelWish = field(default_factory=ModelWish)
    beside: tuple[ModelWish, ...] = ()
    given: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """What came of a wish: picture, model, the trace of one through the other, the devices as (title, name), and a
    note where something was given up: memory ran out, or a device of an earlier run is gone."""

    wish: Wish
    image: Image
    model: Model
    trace: Trace
    devices: tuple[tuple[str, str], ...] = ()
    note: str = ""


class NetworkWantedError(VitvizError):
    """A file holds several networks, and the wish does not say which; `names` has the default first."""

    def __init__(self, source: str, names: tuple[str, ...]) -> None:
        super().__init__(f"{source} holds {len(names)} networks: {', '.join(map(repr, names))}; choose one of them.")
        self.names = names


class Opener(QObject):
    """Turns wishes into `Opened`, the newest wish first.

    `opened(Opened)` when all of a wish is there; `failed(Wish, exception)` when some of it could not be had: what was
    shown before stays. `pictured(Image, pixels)` with the first picture, reduced for the screen, while its model is
    still being opened, `waiting_changed()` when `awaited` may be another. A model that is being loaded is not loaded
    again when only the picture changes meanwhile.
    """

    opened = Signal(object)
    pictured = Signal(object, object)
    failed = Signal(object, object)
    waiting_changed = Signal()

    def __init__(
        self, worker: Worker, parent: QObject | None = None, *, number: int = 0, loaded: Loaded | None = None
    ) -> None:
        super().__init__(parent)
        self._job, self._early = Newest(worker, f"{KIND} {number}", self), Newest(worker, f"picture {number}", self)
        self._wish = Wish()
        self._shown: Wish | None = None
        self.loaded = loaded or Loaded()
        self._tight: dict[ModelWish, int] = {}  # where memory ran out: the step that held
        self._image: tuple[Path | Image, Image, Stamp] | None = None
        self._waiting = False
        self._current = False  # whether the model is to be as it is on the disk now
        self._job.finished.connect(self._finished)
        self._job.failed.connect(self._failed)
        self._job.cancelled.connect(self._cancelled)
        self._early.finished.connect(self._looked)

    @property
    def wish(self) -> Wish:
        """The newest wish, be it fulfilled or not."""
        return self._wish

    @property
    def awaited(self) -> ModelWish | None:
        """The model that is being opened where another one is still shown; None where there is nothing to wait for."""
        other = self._shown is not None and self._shown.model != self._wish.model
        return self._wish.model if self._waiting and other else None

    @property
    def is_waiting(self) -> bool:
        """Whether a wish is being worked on."""
        return self._waiting

    def _wait(self, on: bool) -> None:
        self._waiting = on
        self._current = self._current and on
        self.waiting_changed.emit()

    def open(self, *, picture: Path | Image | None = None, model: ModelWish | None = None) -> None:
        """Ask for another picture, another model, or both; what is not named stays as it was wished last."""
        wish = self._wish
        if picture is not None:
            wish = replace(wish, picture=picture)
        if model is not None:
            wish = replace(wish, model=model)
        self._wish = wish
        if self._shown is None and picture is not None:
            self._early.submit(lambda progress: self._look(wish))
        # Until it is shown, whatever other picture is wished meanwhile.
        self._current = current = self._current or model is not None
        self._job.submit(lambda progress: self._work(wish, progress, current))
        self._wait(True)

    def adopt(self, other: Opener, shown: Opened | None) -> None:
        """Begin where another opener stands: with what it has shown, and its picture and model in hand."""
        self._shown = None if shown is None else shown.wish
        self._wish = self._shown or Wish(other._wish.picture)
        self._tight, self._image = dict(other._tight), other._image

    def present(self, opened: Opened) -> None:
        """Show what was opened elsewhere, as if it had been wished here."""
        self._wish, self._shown = opened.wish, opened.wish
        self.loaded.put(opened.wish.model, opened.model)
        self._image = None if opened.wish.picture is None else (opened.wish.picture, opened.image, ())
        self.opened.emit(opened)

    def cancel(self) -> None:
        """Give up the running wish; what is shown stays."""
        self._wish = self._shown or Wish(self._wish.picture)
        self._job.cancel()
        self._wait(False)

    def _look(self, wish: Wish) -> tuple[Image, Any]:
        """Runs in the worker, before torch is there: the picture alone."""
        image = self._read(wish)
        height, width = image.size
        whole = View(image.size, image.size, (0.0, 0.0, width, height))
        return image, Canvas.for_screen(image, whole, LARGEST).picture()

    def _work(self, wish: Wish, progress: Progress, current: bool) -> Opened:
        """Runs in the worker; the only place where torch and timm come in."""
        image = self._read(wish)
        progress(None, "Starting torch and timm, once")
        engine.start()
        from vitviz.attention.trace import trace
        from vitviz.models.devices import available

        devices, wished = available(), wish.model
        wanted, gone = self.loaded.run.here(wished, devices)
        wish = replace(wish, model=wanted)

        def run(step: Step) -> tuple[Model, Trace]:
            model = self._load(step.wish, wished, progress, current)
            progress.check()
            return model, trace(model, image, progress=_part(progress, 0.6, 1.0), cancel=progress.cancelled)

        device = devices[0].name if wanted.device == "auto" else wanted.device
        every = steps(wanted, device, self.loaded.drop)
        (model, seen), held = attempt(every[self._tight.get(wanted, 0) :], run)
        if held is not every[0]:
            self._tight[wanted] = every.index(held)
        note = " ".join(filter(None, (gone, f"Memory ran out: {held.words}." if held.words else "")))
        return Opened(wish, image, model, seen, tuple((f"{d.name}: {d.title}", d.name) for d in devices), note)

    def _read(self, wish: Wish) -> Image:
        if isinstance(wish.picture, Image):
            return wish.picture
        if wish.picture is None:
            from vitviz.ui.samples import pictures

            return read_image(pictures()[0])
        stamp = stamp_of(wish.picture)  # before it is read
        if self._image is not None and self._image[0] == wish.picture and stamp in (self._image[2], ()):
            return self._image[1]
        image = read_image(wish.picture)
        self._image = (wish.picture, image, stamp)
        return image

    def _load(self, wish: ModelWish, wanted: ModelWish, progress: Progress, current: bool) -> Model:
        from vitviz.models.loading import load_model

        def ask(names: tuple[str, ...]) -> str:
            raise NetworkWantedError(Path(wish.source).name, names)

        return self.loaded.get(
            wish,
            lambda: load_model(
                wish.source,
                **wish.options,
                choose_network=ask,
                progress=_part(progress, 0.0, 0.6),
                # Another picture does not make this model less wanted.
                cancel=lambda: progress.cancelled() and self._wish.model != wanted,
            ),
            current=current,
        )

    @Slot(object)
    def _finished(self, result: Opened) -> None:
        self.loaded.run.follow(self._wish.model, result.wish.model)
        self._shown = self._wish = result.wish
        self._waiting = False
        self.opened.emit(result)
        self._wait(False)

    @Slot(object)
    def _looked(self, result: tuple[Image, Any]) -> None:
        if self._shown is None:
            self.pictured.emit(*result)

    @Slot(object)
    def _failed(self, error: Exception) -> None:
        failed, self._wish = self._wish, self._shown or Wish()
        self._wait(False)
        self.failed.emit(failed, error)

    @Slot()
    def _cancelled(self) -> None:
        self._wish = self._shown or Wish()
        self._wait(False)


def _part(progress: Progress, start: float, end: float) -> Callable[[float | None, str], None]:
    def report(fraction: float | None, text: str) -> None:
        progress(None if fraction is None else start + (end - start) * fraction, text)

    return report
