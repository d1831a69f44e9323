"""Views that come back: the session of a file, and the view of an exported figure that is dropped on the window."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QByteArray, QObject, QTimer, Signal, Slot

from vitviz.errors import FileError
from vitviz.images import Image
from vitviz.models.wish import ModelWish
from vitviz.render.studies.study import Study, StudyPlan
from vitviz.ui import files
from vitviz.ui.fetching import ask_fetch
from vitviz.ui.fitting import fit_to_screen
from vitviz.ui.jobs import Progress
from vitviz.ui.linking import Links
from vitviz.ui.messages import show_error
from vitviz.ui.opening import Opened
from vitviz.ui.panes import MOST
from vitviz.ui.recipes import View, picture_of, views_of
from vitviz.ui.sessions import SUFFIX, PaneView, Session, named, read_session, session_of, write_session
from vitviz.ui.store import State

if TYPE_CHECKING:
    from vitviz.render.reading import AnyRecipe
    from vitviz.ui.pane_column import PaneColumn
    from vitviz.ui.window import MainWindow

KIND = "restore"


@dataclass(frozen=True, slots=True)
class _Awaited:
    """What a pane shows once its model is there; `picture` is the sha256 of the picture then."""

    pane: PaneView
    picture: str | None
    figure: View | None = None


class Restorer(QObject):
    """Takes the window's session, and puts one back.

    `told(str)` with a word for the status bar, `restored()` when all panes show what they should.
    """

    told = Signal(str)
    restored = Signal()

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._waiting: dict[PaneColumn, _Awaited] = {}
        self._back = 0  # panes that show what they should
        self._lost = False  # whether another does not, and will not
        self._links: Links | None = None
        self._figure = False  # which knows of no links; a session does
        self._notes: list[str] = []
        self._left: list[str] = []
        self._study: Study[Any] | None = None
        window.worker.finished.connect(self._finished)
        window.worker.failed.connect(self._failed)
        window.panes.opened.connect(self._opened)
        window.panes.removed.connect(self._lose)
        for column in window.panes:
            self._watch(column)
        window.panes.added.connect(self._watch)

    def _watch(self, column: PaneColumn) -> None:
        # What is awaited comes before the waiting ends; another wish, Cancel or a failure ends it without.
        column.opener.waiting_changed.connect(lambda: column.opener.is_waiting or self._lose(column))

    @Slot(object)
    def _lose(self, column: PaneColumn) -> None:
        """Await nothing more of a pane; the others are put back."""
        if self._waiting.pop(column, None) is None:
            return
        self._lost = True
        if not self._waiting:
            self._end()

    def session(self) -> Session | None:
        """The window as it is now; None as long as nothing is shown."""
        return session_of(self._window)

    def ask_save(self) -> None:
        """Choose where the session goes."""
        session = self.session()
        if session is None:
            return
        path, filters = self._window.settings.export_folder / f"session{SUFFIX}", [f"Sessions (*{SUFFIX})"]
        then = partial(self.save, session=session)
        files.ask_save(self._window, path, filters, title="Save session", then=then, named=named)

    def save(self, path: Path, session: Session | None = None) -> None:
        """Write the session, in the worker."""
        session = session or self.session()
        if session is None:
            return
        target, saved = named(path), session

        def work(progress: Progress) -> str:
            write_session(target, saved)
            return f"Written: {target}"

        self._window.worker.submit(KIND, work, supersede=False)

    def ask_open(self) -> None:
        """Choose a session, or an exported figure."""
        dialog = files.ask_open(self._window, "picture", folder="", then=lambda paths: self.open(paths[0]))
        dialog.setWindowTitle("Open session or figure")
        dialog.setNameFilters([f"Sessions and figures (*{SUFFIX} *.json *.png)", files.ALL_FILTER])

    def open(self, path: Path) -> None:
        """Put back what a session, an exported figure or a recipe says; all reading is done in the worker."""
        shown = self._window.pane.opened
        recent = [Path(name) for name in self._window.settings.value.recent_pictures]
        image, device = None if shown is None else shown.image, self._window.sources.run.now["device"]

        def work(progress: Progress) -> object:
            if path.name.endswith(SUFFIX):
                return read_session(path)
            from vitviz.render.reading import read_recipe

            try:
                recipe = read_recipe(path)
            except FileError:
                if path.suffix != ".json":
                    raise
                return read_session(path)
            return recipe, picture_of(recipe, image, recent), views_of(recipe, device)

        self._window.worker.submit(KIND, work)

    @Slot(int, str, object)
    def _finished(self, number: int, kind: str, result: Any) -> None:
        if kind != KIND:
            return
        if isinstance(result, str):
            self.told.emit(result)
        elif isinstance(result, Session):
            self.apply(result)
        else:
            self._restore(*result)

    @Slot(int, str, object)
    def _failed(self, number: int, kind: str, error: Exception) -> None:
        if kind == KIND:
            show_error(self._window, error)

    def _restore(self, recipe: AnyRecipe, picture: Path | Image | None, views: list[View]) -> None:
        """Show a recipe: a figure's view in the current pane, a study's panel, a comparison in as many panes."""
        panes, plan = self._window.panes, getattr(recipe, "plan", None)
        sha256 = None if recipe.picture is None else recipe.picture["sha256"]
        study = plan.study if isinstance(plan, StudyPlan) else None
        wishes = [self._as_shown(view) for view in views[:MOST]]
        left = [f"The window has room for {MOST} of its {len(views)} models."] if len(views) > MOST else []

        def begin() -> None:
            if len(views) > 1:
                self._make_room(len(wishes))
                columns = panes.columns
            else:
                columns = [panes.current_column]
            filled = {
                column: _Awaited(PaneView(wish, view.state(column.store.state), view.sha256), sha256, view)
                for column, wish, view in zip(columns, wishes, views, strict=False)
            }
            links = replace(self._window.linking.links, scale=getattr(recipe, "scale", None) == "figure")
            self._begin(filled, picture, links if len(views) > 1 else None, left, study)

        ask_fetch(self._window, wishes, begin)

    def _as_shown(self, view: View) -> ModelWish:
        """The wish of a model; as it stands in a pane where one shows these very weights."""
        wish = view.model
        for column in self._window.panes:
            shown = column.pane.opened
            if shown is None or view.sha256 is None or shown.model.sha256 != view.sha256:
                continue
            now = replace(shown.wish.model, device=wish.device)
            if replace(now, source=wish.source, labels=None) == wish:
                return shown.wish.model
        return wish

    def _make_room(self, count: int) -> None:
        panes = self._window.panes
        while len(panes) > count:
            panes.close_column(panes.columns[-1])
        while len(panes) < count:
            panes.add()

    def apply(self, session: Session) -> None:
        """Show a session: as many panes, each with its model and its state."""
        if session.picture is not None and not session.picture.is_file():
            gone = f"The picture of this session is no longer at {session.picture}"
            show_error(self._window, FileError(f"{gone}: put it back, then open the session again."))
            return
        ask_fetch(self._window, [pane.model for pane in session.panes], lambda: self._apply(session))

    def _apply(self, session: Session) -> None:
        w, panes = self._window, self._window.panes
        w.set_theme(session.theme)
        if session.geometry:
            w.restoreGeometry(QByteArray.fromBase64(session.geometry.encode()))
            fit_to_screen(w)
        if session.layout:
            w.docks.restore(base64.b64decode(session.layout))
        self._make_room(len(session.panes))
        panes.set_current(panes.columns[session.current])
        awaited = [_Awaited(pane, session.sha256) for pane in session.panes]
        self._begin(dict(zip(panes.columns, awaited, strict=True)), session.picture, session.links)

    def _begin(
        self,
        awaited: dict[PaneColumn, _Awaited],
        picture: Path | Image | None,
        links: Links | None = None,
        left: Sequence[str] = (),
        study: Study[Any] | None = None,
    ) -> None:
        if self._waiting:
            self._relink()  # what was being put back is no longer awaited
        self._study = study
        self._waiting = dict(awaited)
        self._links, self._notes, self._left = links, [], list(left)
        self._back, self._lost = 0, False
        self._figure = any(each.figure is not None for each in awaited.values())
        # Until all panes have their own state none is copied from another.
        self._window.linking.update(cursor=False, layer="own", head=False, colours=False) if links else None
        for column, each in awaited.items():
            column.opener.open(picture=picture, model=each.pane.model)

    @Slot(object)
    def _opened(self, opened: Opened) -> None:
        for column, awaited in list(self._waiting.items()):
            view, sha256 = awaited.pane, awaited.picture
            # The device that it was saved with may be gone; the model is the same on another one.
            if column.pane.opened is not opened or replace(opened.wish.model, device=view.model.device) != view.model:
                continue
            del self._waiting[column]
            self._back += 1
            if sha256 is not None and opened.image.sha256 != sha256:
                self._notes.append(f"{opened.image.name} is another picture now than when this was saved.")
            if view.sha256 != opened.model.sha256:
                self._notes.append(f"The weights of {view.model.source} are other ones now than when this was saved.")
            named = {f.name: getattr(view.state, f.name) for f in fields(State) if f.name not in ("hover", "style")}
            if awaited.figure is not None and awaited.figure.chosen is not None:
                named["query"] = awaited.figure.query(opened.trace)
            column.store.update(**named, hover=None)
            column.store.update(**{f.name: getattr(view.state.style, f.name) for f in fields(view.state.style)})
            if not self._waiting:
                self._end()

    def _relink(self) -> str:
        """Link the panes again as far as they agree; says which links are off now."""
        linking, wanted = self._window.linking, self._links
        if wanted is None:
            return ""
        links = linking.agreeing(wanted) if self._figure else wanted
        linking.put_back(links)
        off = [f.name for f in fields(links) if getattr(links, f.name) != getattr(wanted, f.name)]
        return f" Its panes differ: no longer linked are {', '.join(off)}." if off else ""

    def _end(self) -> None:
        unlinked = self._relink()
        if not self._back:
            return
        differing = [*dict.fromkeys(self._notes), "The maps may differ."] if self._notes else []
        if words := [*self._left, *differing]:
            show_error(self._window, FileError(" ".join(words)))
        if self._study is not None:
            self._window.show_study(self._study)
        # After what the window has to say of the picture, which the user did not open as one.
        back = "The view is back but for what was given up." if self._lost else "The view is back."
        QTimer.singleShot(0, self, lambda: self.told.emit(f"{back}{unlinked}"))
        self.restored.emit()
