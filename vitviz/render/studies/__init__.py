"""Figures of one model that are no maps: each a frozen value that a recipe holds, found and drawn in one way."""

from __future__ import annotations

from typing import Any

from vitviz.render.studies.bias import BiasStudy
from vitviz.render.studies.cut import CutStudy
from vitviz.render.studies.filters import FilterStudy
from vitviz.render.studies.positions import PositionStudy
from vitviz.render.studies.reach import ReachStudy
from vitviz.render.studies.study import Study
from vitviz.render.studies.transfer import TransferStudy

STUDIES: dict[str, type[Study[Any]]] = {
    kind.name: kind for kind in (BiasStudy, CutStudy, FilterStudy, PositionStudy, ReachStudy, TransferStudy)
}
