"""The models in memory, shared by all panes: bounded in bytes, the one that was wished longest ago unloaded first."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitviz.render.cost_table import bytes_text
from vitviz.ui.run_options import RunOptions

if TYPE_CHECKING:
    from vitviz.models.model import Model
    from vitviz.models.wish import ModelWish

MOST_BYTES = 4 * 10**9
_PICTURE_SIDE = ("crop", "mean", "std")  # what a wish says of the picture and not of the network
Stamp = tuple[tuple[str, int, int], ...]  # of files: name, time of the last change, size


class Loaded:
    """Used by the worker alone, but for `text` and for `run`, what models are opened with.

    A model that a pane shows stays whatever its size.
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        self.most, self.run = most, RunOptions()
        self.shown: Callable[[], Iterable[Model]] = lambda: ()
        self._models: OrderedDict[ModelWish, Model] = OrderedDict()
        self._stamps: dict[ModelWish, Stamp] = {}

    def get(self, wish: ModelWish, load: Callable[[], Model], *, current: bool = False) -> Model:
        """The model of a wish: the one in memory, one of the same network with another view, or what `load` gives.

        With `current` a file that has changed since it was read is read again.
        """
        network, changed = _network(wish), current and self._let_go_of_changed(wish)
        found = self._models.get(wish)
        if found is None:
            twin = next((model for other, model in self._models.items() if _network(other) == network), None)
            stamp = stamp_of(Path(wish.source))  # before it is read: what is written meanwhile counts as a change
            found = load() if twin is None else _with_view(twin, wish)
            if twin is None:
                self._stamps[network] = stamp
        if changed:
            found.report.add("memory", "the file has changed since it was opened, and was read again")
        self.put(wish, found)
        return found

    def _let_go_of_changed(self, wish: ModelWish) -> bool:
        """Forget what was read of a file that is another one now; panes that show it keep it."""
        network = _network(wish)
        known, now = self._stamps.get(network, ()), stamp_of(Path(wish.source))
        if not known or not now or known == now:
            return False
        for other in [each for each in self._models if _network(each) == network]:
            del self._models[other]
        return True

    def put(self, wish: ModelWish, model: Model) -> None:
        """Keep a model, as the newest; the oldest go where there are too many bytes."""
        self._models[wish] = model
        self._models.move_to_end(wish)
        for other in list(self._models)[:-1]:
            if self.bytes <= self.most:
                break
            if not self._is_shown(self._models[other]):
                del self._models[other]

    def drop(self) -> int:
        """Unload every model that no pane shows; how many went."""
        gone = [wish for wish, model in self._models.items() if not self._is_shown(model)]
        for wish in gone:
            del self._models[wish]
        return len(gone)

    def _is_shown(self, model: Model) -> bool:
        return any(_module(each) is _module(model) for each in self.shown())

    @property
    def bytes(self) -> int:
        """Memory of the weights, those of a shared network once."""
        modules = {id(_module(model)): _module(model) for model in list(self._models.values())}
        return sum(_bytes(module) for module in modules.values())

    def text(self) -> str:
        """ "2 models in memory, 690 MB of at most 4.00 GB"."""
        count = len({id(_module(model)) for model in list(self._models.values())})
        models = "1 model" if count == 1 else f"{count} models"
        return f"{models} in memory, {bytes_text(self.bytes)} of at most {bytes_text(self.most)}"


def stamp_of(path: Path) -> Stamp:
    """What tells whether a file, or the files of a folder, were written since; nothing where there is none."""
    try:
        found = [path, *(Path(entry) for entry in os.scandir(path))] if path.is_dir() else [path]
        return tuple(sorted((each.name, (s := each.stat()).st_mtime_ns, s.st_size) for each in found))
    except (OSError, ValueError):
        return ()


def _network(wish: ModelWish) -> ModelWish:
    return replace(wish, crop=None, mean=None, std=None)


def _module(model: Model) -> Any:
    return getattr(model, "module", model)


def _bytes(module: Any) -> int:
    if not hasattr(module, "parameters"):
        return 0
    return sum(t.numel() * t.element_size() for t in (*module.parameters(), *module.buffers()))


def _with_view(model: Model, wish: ModelWish) -> Model:
    """The same network with another crop, mean or std."""
    from vitviz.models.preprocessing import preprocessing_of
    from vitviz.models.report import Report

    asked = {name: getattr(wish, name) for name in _PICTURE_SIDE}
    preprocessing = preprocessing_of(model.module, **asked)
    report = Report([f for f in model.report if f.topic not in ("preprocessing", "mean and std")])
    numbers = [", ".join(f"{v:.4g}" for v in values) for values in (preprocessing.mean, preprocessing.std)]
    report.add(
        "preprocessing",
        f"{preprocessing.crop_mode} crop of {preprocessing.crop_pct:g}, {preprocessing.interpolation}, "
        f"mean {numbers[0]}, std {numbers[1]}",
    )
    report.add("memory", "shares its weights with a model that was open")
    return replace(model, preprocessing=preprocessing, report=report, options={**model.options, **asked})
