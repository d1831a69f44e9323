"""A study: a figure of one model that is no map, what it shows as one frozen value; and what it is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

import numpy as np

from vitviz.render.figure import Figure
from vitviz.render.page import Page

if TYPE_CHECKING:
    from vitviz.attention.trace import Trace
    from vitviz.images import Image
    from vitviz.models.model import Model

Found = TypeVar("Found")
Needs = Literal["model", "picture", "trace"]
StudyFormat = Literal["png", "svg", "pdf", "npz", "safetensors", "gif", "apng"]
_SCREEN_DPI = 180  # of animations, which no paper prints and whose frames cost time and bytes
_STILL: tuple[StudyFormat, ...] = ("png", "svg", "pdf", "npz", "safetensors")
_MOVING: tuple[StudyFormat, ...] = ("gif", "apng")


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """What a study is made of: a model, and for some of them a picture, or its trace through the model as well."""

    model: Model
    image: Image | None = None
    trace: Trace | None = None


class Study(ABC, Generic[Found]):
    """What a figure shows that is no map; its subclasses are frozen dataclasses whose fields stand in the recipe.

    Attributes:
        name: what it is, in recipes and files.
        needs: what of its subject it is made of.
        figure: how it is laid out where nobody says otherwise.
        moves: whether it has several steps, which can be an animation.
    """

    name: ClassVar[str]
    needs: ClassVar[Needs] = "model"
    figure: ClassVar[Figure]
    moves: ClassVar[bool] = False

    @abstractmethod
    def found(self, subject: Subject) -> Found:
        """What is to be drawn, the same each time; a VitvizError where the model has nothing of the kind."""

    @abstractmethod
    def page(self, found: Found, subject: Subject, figure: Figure) -> Page:
        """It drawn."""

    @abstractmethod
    def arrays(self, found: Found) -> dict[str, np.ndarray]:
        """Its numbers by name."""

    @abstractmethod
    def about(self, found: Found) -> dict[str, Any]:
        """What the numbers are (units, axes, limits), as JSON values."""

    @abstractmethod
    def stem(self, subject: Subject) -> str:
        """The name of its file, without ending: as for maps, what is shown comes last."""

    def title(self, found: Found) -> str:
        """What it shows in a sentence, for readers that can't see it."""
        return self.name

    def frames(self, found: Found) -> tuple[Study[Found], ...]:
        """Its steps as studies of their own."""
        return (self,)

    @classmethod
    def formats(cls) -> tuple[StudyFormat, ...]:
        """The kinds of file that it can be."""
        return (*_STILL, *_MOVING) if cls.moves else _STILL


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """One file of a study to be made; with the hashes of weights and picture it is the recipe of that file.

    Attributes:
        seconds: for each frame of an animation.
    """

    study: Study[Any]
    figure: Figure
    format: StudyFormat = "png"
    seconds: float = 0.6

    def __post_init__(self) -> None:
        if self.format not in self.study.formats():
            raise ValueError(f"A figure of {self.study.name} can't be written as {self.format}.")
        if not 0.02 <= self.seconds <= 60:
            raise ValueError(f"A frame of {self.seconds:g} seconds was asked for; from 0.02 to 60 is possible.")


def plan_of(study: Study[Any], kind: StudyFormat) -> StudyPlan:
    """A file of a study laid out in its own way."""
    figure = replace(study.figure, dpi=_SCREEN_DPI) if kind in _MOVING else study.figure
    return StudyPlan(study, figure, kind)
