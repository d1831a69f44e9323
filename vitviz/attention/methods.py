"""What the methods are called and what they take, for everything that offers a choice of them. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line reads this table, and must not wait for numpy
    from vitviz.attention.values import Map, Method


@dataclass(frozen=True, slots=True)
class About:
    """One method.

    Attributes:
        title: as it stands in a menu.
        unit: what its numbers are.
        tip: one sentence on what it shows, with its source.
        of_class: whether it explains the logit of a class, and so needs a target.
        of_head: whether it is of one layer and head.
        of_query: whether it asks what a chosen token looks at.
        of_features: whether it is of what tokens are, which none looks at, and not of attention.
    """

    title: str
    unit: str
    tip: str
    of_class: bool = True
    of_head: bool = False
    of_query: bool = False
    of_features: bool = False


METHODS: dict[Method, About] = {
    "attention": About(
        "Attention", "attention weight", "One row or column of one layer, of one head or fused", False, True, True
    ),
    "rollout": About(
        "Rollout", "rollout share",
        "Attention multiplied through all layers, with the residual (Abnar and Zuidema 2020)", False, False, True,
    ),
    "relevance": About(
        "Relevance", "relevance", "Attention weighted by its gradient, through all layers (Chefer, Gur, Wolf 2021)"
    ),
    "gradient rollout": About(
        "Gradient rollout", "rollout share", "Rollout of attention times its gradient, clamped at 0"
    ),
    "attention grad-cam": About(
        "Attention Grad-CAM", "relevance", "The last layer's heads weighted by their mean gradient"
    ),
    "token grad-cam": About(
        "Token Grad-CAM", "relevance", "Grad-CAM on the tokens of the last block (Selvaraju et al. 2017)",
        of_features=True,
    ),
}  # fmt: skip


# What no selection asks for: maps of the tokens themselves, which `token_norms` and `feature_similarity` make.
TOKENS: dict[Method, About] = {
    "token norm": About(
        "Norm of the tokens", "Euclidean norm", "How long each token is (Darcet et al. 2023)",
        of_class=False, of_features=True,
    ),
    "token similarity": About(
        "Likeness of the tokens", "cosine similarity", "How alike each token is to a chosen one (Amir et al. 2021)",
        of_class=False, of_query=True, of_features=True,
    ),
}  # fmt: skip


def about(shown: Map) -> About:
    """The method of a map, or what it is of the tokens."""
    method = shown.selection.method
    return TOKENS[method] if method in TOKENS else METHODS[method]
