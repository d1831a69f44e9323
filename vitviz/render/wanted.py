"""What a recipe of any kind asks for, checked: its picture, its models, the run that it was made in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vitviz.errors import VitvizError
from vitviz.images import Image
from vitviz.models.model import Model
from vitviz.models.names import DEMOS
from vitviz.models.wish import ModelWish
from vitviz.ordinary import is_there
from vitviz.render.codec import from_json
from vitviz.render.product import Product

# What a file may not say: where to run, and a file of this machine to be read.
_OWN = ("device", "labels")


@dataclass(frozen=True, slots=True)
class WantedModel:
    """A model that a recipe names: how it is loaded, and the sha256 of its weights (None: random ones)."""

    wish: ModelWish
    sha256: str | None

    def check(self, model: Model) -> None:
        """VitvizError where the weights of a model are other ones."""
        if model.sha256 != self.sha256:
            raise VitvizError(f"The weights of {model.source} are not those of the recipe: the hashes differ.")


@dataclass(frozen=True, slots=True, eq=False)
class Recipe(ABC):
    """A recipe that was read.

    Attributes:
        content: the whole of it.
        path: the file that was read.
        models: what has to be loaded, in order.
    """

    content: dict[str, Any]
    path: Path
    models: tuple[WantedModel, ...]

    @property
    def picture(self) -> dict[str, Any] | None:
        """path (None where it is not told), name, size, sha256; None where no picture has part in the file."""
        picture = self.content["picture"]
        return None if picture is None else dict(picture)

    @abstractmethod
    def produce(self, image: Image | None, models: Sequence[Model]) -> Product:
        """Make its file again, from its picture, where it has one, and its models."""


def model_in(path: Path, given: Any) -> WantedModel:
    """What a recipe says of a model; a file that is named alone is looked for beside the recipe, too.

    Raises TypeError, KeyError or ValueError for anything else.
    """
    model = of(given, dict)
    options, source = of(model.get("options", {}), dict), of(model["source"], str)
    if unknown := [name for name in _OWN if name in options]:
        raise ValueError(f"the option {unknown[0]} of a model is none of a recipe's")
    wish = from_json(ModelWish, {"source": source, **options})
    beside = path.parent / source
    if source not in DEMOS and "/" not in source and not is_there(Path(source)) and is_there(beside):
        wish = replace(wish, source=str(beside))
    return WantedModel(wish, of(model.get("sha256"), str, type(None)))


def check_common(content: dict[str, Any]) -> None:
    """TypeError or ValueError where picture, versions or run are not what they are to be."""
    picture = of(content["picture"], dict, type(None))
    if picture is not None:
        of(picture["sha256"], str), of(picture["name"], str), of(picture["path"], str, type(None))
    for part in ("versions", "run", "made"):
        of(content.get(part, {}), dict)


def of(value: Any, *kinds: type) -> Any:
    """A value of one of these types; TypeError for any other."""
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise TypeError(f"{repr(value)[:60]} is no {kinds[0].__name__}")
    return value
