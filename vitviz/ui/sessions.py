"""The whole window as one frozen value, and as a JSON file: validated, size-capped, never run."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from vitviz.atomic import write_bytes
from vitviz.attention.methods import METHODS
from vitviz.errors import FileError, in_one_line
from vitviz.models.wish import ModelWish
from vitviz.ordinary import read_ordinary
from vitviz.render.codec import from_json, to_json
from vitviz.render.style import color_table
from vitviz.ui.linking import Links
from vitviz.ui.panes import MOST
from vitviz.ui.store import State

if TYPE_CHECKING:
    from vitviz.ui.window import MainWindow

FORMAT, VERSION = "vitviz session", 1
MAX_BYTES = 2**20
SUFFIX = ".vitviz.json"


@dataclass(frozen=True, slots=True)
class PaneView:
    """What one pane shows: its model and its state. `sha256` is of the weights, None where they were random."""

    model: ModelWish
    state: State
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """The window: picture, panes, links, layout.

    Attributes:
        picture: path of the picture, None for one that was pasted or the demo's first.
        sha256: of the picture.
        panes: from left to right.
        current: which of them.
        geometry, layout: of the window and its docks, as Qt gives them, in base64; empty leaves them as they are.
    """

    panes: tuple[PaneView, ...]
    picture: Path | None = None
    sha256: str | None = None
    current: int = 0
    links: Links = field(default_factory=Links)
    geometry: str = ""
    layout: str = ""
    theme: Literal["system", "light", "dark"] = "system"

    def __post_init__(self) -> None:
        if not 1 <= len(self.panes) <= MOST or not 0 <= self.current < len(self.panes):
            raise ValueError(f"a session has 1 to {MOST} panes, one of which is current")


def session_of(window: MainWindow) -> Session | None:
    """The window as it is now; None as long as nothing is shown."""
    panes = window.panes
    views = []
    for column in panes:
        opened = column.pane.opened
        if opened is None:
            return None
        state = replace(column.store.state, hover=None)
        views.append(PaneView(opened.wish.model, state, opened.model.sha256))
    image = panes.current_column.pane.opened.image  # type: ignore[union-attr]
    return Session(
        panes=tuple(views),
        picture=image.path.resolve() if image.path else None,
        sha256=image.sha256,
        current=panes.columns.index(panes.current_column),
        links=window.linking.links,
        geometry=base64.b64encode(bytes(window.saveGeometry().data())).decode("ascii"),
        layout=base64.b64encode(window.docks.save()).decode("ascii"),
        theme=cast(Any, window.settings.value.theme),
    )


def named(path: Path) -> Path:
    """Where a session goes that is to be called so: what lacks of its suffix is added, and no part of it twice."""
    if path.name.lower().endswith(".json"):
        return path
    stem = path.name.removesuffix(".vitviz")
    return path.with_name((stem or path.name) + SUFFIX)


def encode(session: Session) -> bytes:
    """The session as JSON."""
    content = {"format": FORMAT, "version": VERSION, **to_json(session)}
    # In ASCII, so that a name that is no Unicode can be written as well.
    return json.dumps(content, indent=1, allow_nan=False).encode()


def write_session(path: Path, session: Session) -> None:
    """Write it whole or not at all; FileError says why not."""
    write_bytes(path, encode(session))


def read_session(path: Path) -> Session:
    """A session as `write_session` wrote it; FileError for anything else."""
    return decode(read_ordinary(path, MAX_BYTES, "session"), path.name)


def decode(data: bytes, name: str) -> Session:
    """The session in some bytes; FileError, with `name`, where they are none."""
    try:
        content = json.loads(data)
        if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
            raise ValueError(f"its format is not {FORMAT!r}")
        if content.pop("version", None) != VERSION:
            raise ValueError("it is of another version")
        session = from_json(Session, content)
        for pane in session.panes:
            color_table(pane.state.style.colormap)
            if pane.state.method not in METHODS:
                raise ValueError(f"no view has the method {pane.state.method!r}")
        for text in (session.geometry, session.layout):
            base64.b64decode(text, validate=True)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise FileError(
            f"{name} is no session of vitviz ({in_one_line(error, 200)}): open a file that File > Save session wrote, "
            "an exported figure, or the .json that was written beside one."
        ) from error
    return session
