"""vitviz: look inside vision transformers.

The public API is resolved lazily: `import vitviz` imports neither torch nor Qt.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

_WHERE = {
    "read_image": "vitviz.images",
    "Image": "vitviz.images",
    "logit_lens": "vitviz.attention.lens",
    "load_model": "vitviz.models.loading",
    "Model": "vitviz.models.model",
    "trace": "vitviz.attention.trace",
    "Trace": "vitviz.attention.trace",
    "attention_distance": "vitviz.attention.statistics",
    "attention_entropy": "vitviz.attention.statistics",
    "attention_map": "vitviz.attention.maps",
    "feature_components": "vitviz.attention.token_features",
    "feature_similarity": "vitviz.attention.token_features",
    "token_norms": "vitviz.attention.token_features",
    "head_maps": "vitviz.attention.maps",
    "head_ablation": "vitviz.attention.ablation",
    "faithfulness": "vitviz.attention.faithfulness",
    "Ablation": "vitviz.attention.values",
    "Map": "vitviz.attention.values",
    "Selection": "vitviz.attention.values",
    "Place": "vitviz.attention.values",
    "relevance": "vitviz.attention.relevance",
    "rollout": "vitviz.attention.rollout",
    "RolloutOptions": "vitviz.attention.values",
    "relative_position_bias": "vitviz.embeddings.relative_bias",
    "save_figure": "vitviz.render.saving",
    "save_model": "vitviz.models.saving",
    "show": "vitviz.ui.showing",
    "overlay": "vitviz.render.overlay",
    "patch_filters": "vitviz.embeddings.filters",
    "position_similarity": "vitviz.embeddings.positions",
    "Figure": "vitviz.render.figure",
    "Style": "vitviz.render.style",
    "VitvizError": "vitviz.errors",
}
__all__ = [
    "Ablation",
    "Figure",
    "Image",
    "Map",
    "Model",
    "Place",
    "RolloutOptions",
    "Selection",
    "Style",
    "Trace",
    "VitvizError",
    "__version__",
    "attention_distance",
    "attention_entropy",
    "attention_map",
    "faithfulness",
    "feature_components",
    "feature_similarity",
    "head_ablation",
    "head_maps",
    "load_model",
    "logit_lens",
    "overlay",
    "patch_filters",
    "position_similarity",
    "read_image",
    "relative_position_bias",
    "relevance",
    "rollout",
    "save_figure",
    "save_model",
    "show",
    "token_norms",
    "trace",
]

if TYPE_CHECKING:
    from vitviz.attention.ablation import head_ablation
    from vitviz.attention.faithfulness import faithfulness
    from vitviz.attention.lens import logit_lens
    from vitviz.attention.maps import attention_map, head_maps
    from vitviz.attention.relevance import relevance
    from vitviz.attention.rollout import rollout
    from vitviz.attention.statistics import attention_distance, attention_entropy
    from vitviz.attention.token_features import feature_components, feature_similarity, token_norms
    from vitviz.attention.trace import Trace, trace
    from vitviz.attention.values import Ablation, Map, Place, RolloutOptions, Selection
    from vitviz.embeddings.filters import patch_filters
    from vitviz.embeddings.positions import position_similarity
    from vitviz.embeddings.relative_bias import relative_position_bias
    from vitviz.errors import VitvizError
    from vitviz.images import Image, read_image
    from vitviz.models.loading import load_model
    from vitviz.models.model import Model
    from vitviz.models.saving import save_model
    from vitviz.render.figure import Figure
    from vitviz.render.overlay import overlay
    from vitviz.render.saving import save_figure
    from vitviz.render.style import Style

    # Said and not imported: whoever imports this package would import the window by it.
    def show(trace: Trace, *, block: bool | None = None) -> Any:
        """Open the window on what was traced; see vitviz.ui.showing."""


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'vitviz' has no attribute {name!r}")
    value = getattr(import_module(_WHERE[name]), name)
    globals()[name] = value
    if name not in ("VitvizError", "Place", "Selection", "Style", "Figure"):
        import_module("vitviz.render.notebook").attach()
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
