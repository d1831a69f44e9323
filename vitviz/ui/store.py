"""What the user has chosen, as one frozen value, and the store that tells the window when it changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from PySide6.QtCore import QObject, Signal

from vitviz.attention.methods import METHODS
from vitviz.attention.values import Ablation, Direction, Head, Method, Place, Query, RolloutOptions, Selection
from vitviz.render.style import Style

_HISTORY = 200


@dataclass(frozen=True, slots=True)
class State:
    """The wish of one pane.

    Attributes:
        layer: index of the layer, negative counts from the last.
        head: index of the head, or "mean", "max", "min".
        query: the pinned place or named token; None is the token that the output is made from.
        hover: the place under the mouse, which is the query as long as nothing is pinned.
        direction: "from" the query or "to" it.
        style: how maps are drawn.
        ablation: the heads that are to be switched off in the model.
        method: how the map is made.
        target: index of the class that is explained; None is the most probable one.
        options: how rollout is made.
    """

    layer: int = -1
    head: Head = "mean"
    query: Query | None = None
    hover: Place | None = None
    direction: Direction = "from"
    style: Style = field(default_factory=Style)
    ablation: Ablation = field(default_factory=Ablation)
    method: Method = "attention"
    target: int | None = None
    options: RolloutOptions = field(default_factory=RolloutOptions)

    @property
    def effective_query(self) -> Query | None:
        """The pinned query, else the place under the mouse, else None."""
        return self.query if self.query is not None else self.hover

    @property
    def selection(self) -> Selection:
        """What the map is to be of."""
        if self.method == "attention":
            return Selection(self.layer, self.head, self.effective_query, self.direction)
        if self.method == "rollout":
            return self.rollout
        return Selection(method=self.method, target=self.target)

    @property
    def rollout(self) -> Selection:
        """The rollout of the query, whatever the method is."""
        return Selection(query=self.effective_query, method="rollout", options=self.options)


@dataclass(frozen=True, slots=True)
class Reality:
    """What a trace offers: the number of heads of each layer, the named tokens, the titles of layers in stages, the
    number of classes."""

    heads: tuple[int, ...] = ()
    tokens: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()
    classes: int = 0


def resolve(wish: State, reality: Reality) -> State:
    """The nearest legal state: a new model may have fewer layers, fewer heads or no class token."""
    if not reality.heads:
        return wish
    count = len(reality.heads)
    layer = wish.layer + count if wish.layer < 0 else wish.layer
    layer = min(max(layer, 0), count - 1)
    head = wish.head if isinstance(wish.head, str) else min(max(wish.head, 0), reality.heads[layer] - 1)
    query = None if isinstance(wish.query, str) and wish.query not in reality.tokens else wish.query
    ablation = wish.ablation.within(reality.heads)
    method = wish.method if reality.classes >= 2 or not METHODS[wish.method].of_class else "attention"
    target = wish.target if wish.target is not None and wish.target < reality.classes else None
    options = _options_within(wish.options, count)
    return replace(
        wish, layer=layer, head=head, query=query, ablation=ablation, method=method, target=target, options=options
    )


def _options_within(options: RolloutOptions, count: int) -> RolloutOptions:
    """Rollout between layers that there are, the last of them not below the first."""
    last = options.last_layer
    if last is not None:
        last = min(max(last, 0), count - 1)
    first = min(max(options.first_layer, 0), count - 1 if last is None else last)
    return replace(options, first_layer=first, last_layer=last)


class Store(QObject):
    """Holds a State, keeps it legal, and remembers earlier ones.

    `changed(old, new)` is emitted after every real change; setting what is already there emits nothing.
    """

    changed = Signal(object, object)

    def __init__(self, state: State | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state = state or State()
        self._reality = Reality()
        self._past: list[State] = []
        self._last_fields: frozenset[str] = frozenset()
        self._held = False

    @property
    def state(self) -> State:
        """What is chosen now."""
        return self._state

    @property
    def reality(self) -> Reality:
        """What the shown trace offers."""
        return self._reality

    def update(self, **fields: Any) -> None:
        """Change some fields of the state; fields of Style and RolloutOptions may be given by their own names."""
        if self._held:
            fields.pop("hover", None)
            if not fields:
                return
        style = {k: fields.pop(k) for k in list(fields) if k in Style.__dataclass_fields__}
        if style:
            fields["style"] = replace(self._state.style, **style)
        options = {k: fields.pop(k) for k in list(fields) if k in RolloutOptions.__dataclass_fields__}
        if options:
            fields["options"] = replace(self._state.options, **options)
        new = resolve(replace(self._state, **fields), self._reality)
        changed = frozenset(style or options or fields)
        # The mouse is no step to undo, and a slider that is dragged is one.
        if "hover" not in fields and new != self._state:
            if changed != self._last_fields or not (style or options):
                self._past = [*self._past[-_HISTORY:], replace(self._state, hover=None)]
            self._last_fields = changed
        self._set(new)

    def hold(self, on: bool) -> None:
        """Keep the place under the mouse as it is, wherever the mouse goes, until this is off again."""
        self._held = on

    def revise(self, change: Callable[[State], State]) -> None:
        """Change the state, and all states that undo may bring back, where they are no longer true."""
        self._past = [change(state) for state in self._past]
        self._set(change(self._state))

    def face(self, reality: Reality) -> None:
        """Another trace is shown: keep what is still legal of the state."""
        self._reality = reality
        self._set(resolve(self._state, reality))

    def undo(self) -> bool:
        """Go back to the state before the last change; False where there is none."""
        while self._past:
            earlier = resolve(replace(self._past.pop(), hover=self._state.hover), self._reality)
            if earlier != self._state:
                self._last_fields = frozenset()
                self._set(earlier)
                return True
        return False

    def _set(self, new: State) -> None:
        old, self._state = self._state, new
        if new != old:
            self.changed.emit(old, new)
