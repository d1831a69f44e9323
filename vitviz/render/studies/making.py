"""A study's plan + its subject -> the bytes of a file, with the recipe that makes them again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from vitviz.render import animation, numbers
from vitviz.render.codec import to_json
from vitviz.render.pdf import pdf_of
from vitviz.render.plan import NUMBERS, suffix_of
from vitviz.render.png import png
from vitviz.render.product import Product, published, text_of
from vitviz.render.raster import pixels_of
from vitviz.render.recipe import envelope
from vitviz.render.studies.study import StudyPlan, Subject
from vitviz.render.svg import svg_of


def produce_study(plan: StudyPlan, subject: Subject, found: Any = None) -> Product:
    """A file of a study and its recipe; nothing is written.

    Args:
        subject: with all that the study needs.
        found: what the study found of it, where that is there already.
    """
    found = plan.study.found(subject) if found is None else found
    recipe = recipe_of_study(plan, subject, found)
    data = _make(plan, subject, found, recipe)
    return Product.of(f"{plan.study.stem(subject)}{suffix_of(plan.format)}", data, recipe)


def recipe_of_study(plan: StudyPlan, subject: Subject, found: Any) -> dict[str, Any]:
    """Picture, model, study, figure, file, values and versions, as JSON values."""
    study, needs = plan.study, plan.study.needs
    arrays = {name: list(array.shape) for name, array in study.arrays(found).items()}
    what = {
        "study": {"name": study.name, **to_json(study)},
        "figure": to_json(plan.figure),
        "file": {"format": plan.format, "seconds": plan.seconds},
        "values": {**study.about(found), "arrays": arrays},
    }
    ablation = subject.trace.ablation if needs == "trace" and subject.trace is not None else None
    return envelope(what, subject.model, None if needs == "model" else subject.image, ablation)


def _make(plan: StudyPlan, subject: Subject, found: Any, recipe: dict[str, Any]) -> bytes:
    study, text = plan.study, text_of(recipe)
    if plan.format in NUMBERS:
        arrays = study.arrays(found)
        words = json.dumps({**study.about(found), "recipe": published(recipe)}, ensure_ascii=False, allow_nan=False)
        return numbers.npz(arrays, words) if plan.format == "npz" else numbers.safetensors(arrays, words)
    if plan.format == "gif":
        return animation.gif(_frames(plan, subject, found), plan.seconds)
    if plan.format == "apng":
        return animation.apng(_frames(plan, subject, found), plan.seconds, text)
    page = study.page(found, subject, plan.figure)
    if plan.format == "svg":
        return svg_of(page, study.title(found))
    if plan.format == "pdf":
        return pdf_of(page, study.title(found))
    return png(pixels_of(page), text, dpi=page.dpi)


def _frames(plan: StudyPlan, subject: Subject, found: Any) -> Iterator[np.ndarray]:
    steps = plan.study.frames(found)
    for i, each in enumerate(steps):
        pixels = pixels_of(each.page(found, subject, plan.figure))
        if i == 0:
            animation.checked(len(steps), pixels.shape[:2])
        yield pixels
