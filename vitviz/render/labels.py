"""Names of classes that were given for a model, as far as a figure is of them: its recipe names no file of labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from vitviz.attention.values import Map
from vitviz.models.model import Model
from vitviz.render.codec import LONGEST_TEXT, from_json

Labels = tuple[tuple[int, str], ...]


def labels_of(model: Model, maps: Iterable[Map]) -> Labels:
    """Number and name of each class that maps explain; none where the names are the model's own, which come again."""
    targets = sorted({m.selection.target for m in maps} - {None}) if model.labels_given else ()  # type: ignore[type-var]
    named = ((target, model.label(target)) for target in targets if target is not None)
    return tuple((target, name) for target, name in named if len(name) <= LONGEST_TEXT and "\0" not in name)


def labels_in(content: Mapping[str, Any]) -> Labels:
    """Those of a recipe, checked; ValueError where they are no pairs of number and name."""
    return from_json(_Told, {"labels": content.get("labels", [])}).labels


def with_labels(model: Model, labels: Labels) -> Model:
    """A model that calls classes as a recipe does; as it is where names were given for it now."""
    if not labels or model.labels_given:
        return model
    count = getattr(model.module, "num_classes", len(model.labels))
    names = {i: model.label(i) for i in range(count)}
    names |= {index: name for index, name in labels if index in names}
    return replace(model, labels=tuple(names.values()), labels_given=True)


def labels_differ(content: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether two recipes tell other names of classes."""
    before, after = ([each.get("labels") for each in (told, *told.get("models", ()))] for told in (content, now))
    return before != after


@dataclass(frozen=True, slots=True)
class _Told:
    labels: Labels
