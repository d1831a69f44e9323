"""What config.json and preprocessor_config.json of a Hugging Face folder say, as far as it is plain and makes sense.

Where there is no config the attributes of a pickled module stand in for it: `num_heads`, `eps`, the activation's class;
the size of the view is what the user or the file says.
Names of the values as written by transformers 5.23.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import nn

from vitviz.models import stated
from vitviz.models.checkpoint import Checkpoint
from vitviz.models.foreign.conversion import Conversion

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
_LARGEST_IMAGE = 2048
# PIL's numbers of the resampling filters.
_FILTERS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}


@dataclass(frozen=True, slots=True)
class Settings:
    """The values of a config that no shape tells; None or empty where it does not say.

    Attributes:
        source: what says so, for the report.
        kind: the model type, such as "vit".
        values: the whole config of the image tower.
        image: height and width in pixels that the position embedding is for.
        preprocessing: as in Recognition.
    """

    source: str = "config.json"
    kind: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    heads: int | None = None
    epsilon: float | None = None
    activation: str | None = None
    activation_source: str = "config.json"
    image: tuple[int, int] | None = None
    labels: tuple[str, ...] = ()
    preprocessing: dict[str, Any] = field(default_factory=dict)

    def grid(self, patch: tuple[int, int]) -> tuple[int, int] | None:
        """Rows and columns of patches of the config's image."""
        if self.image is None:
            return None
        return self.image[0] // patch[0], self.image[1] // patch[1]


def read_settings(checkpoint: Checkpoint) -> Settings:
    """The config beside the file or, without one, inside it."""
    inside = checkpoint.config.get("config")
    for config in (checkpoint.folder, checkpoint.config, inside):
        if isinstance(config, Mapping) and isinstance(config.get("model_type"), str):
            break
    else:
        activation, view = stated.activation(checkpoint), stated.view(checkpoint)
        return Settings(
            source="the attributes of the pickled module",
            heads=whole(_agreed(checkpoint, "num_heads")),
            epsilon=_small(_agreed(checkpoint, "eps")),
            activation=None if activation is None else activation[0],
            activation_source="" if activation is None else activation[1],
            image=None if view is None else view[0],
            preprocessing=_preprocessing(checkpoint.folder.get("preprocessor")),
        )
    # CLIP and SigLIP with both towers keep the image tower's values under "vision_config", an encoder before a decoder
    # of text keeps them under "encoder".
    towers = (config.get(name) for name in ("vision_config", "encoder"))
    tower = next((tower for tower in towers if isinstance(tower, Mapping)), config)
    values = {str(k): v for k, v in tower.items()}
    named = values.get("hidden_act")
    return Settings(
        kind=str(values.get("model_type", config["model_type"])),
        values=values,
        heads=whole(values.get("num_attention_heads")),
        epsilon=_small(values.get("layer_norm_eps")),
        activation=stated.ACTIVATIONS.get(named) if isinstance(named, str) else None,
        image=_image(values.get("image_size")),
        labels=_labels(config.get("id2label")),
        preprocessing=_preprocessing(checkpoint.folder.get("preprocessor")),
    )


def apply_epsilon(conversion: Conversion, args: dict[str, Any], settings: Settings, usual: float) -> None:
    """Set the epsilon of the norms from the config, else to the one that the format's own code uses."""
    epsilon = settings.epsilon or usual
    args["norm_layer"] = partial(nn.LayerNorm, eps=epsilon)
    if settings.epsilon:
        conversion.note("norm epsilon", f"{epsilon:g}, from {settings.source}")
    else:
        conversion.note("norm epsilon", f"{epsilon:g}, {conversion.format}'s own", "assumed")


def apply_activation(conversion: Conversion, args: dict[str, Any], settings: Settings, usual: str) -> None:
    """Set the activation of the MLP from the config, else to the one that the format's own code uses."""
    activation = settings.activation or usual
    if "act_layer" not in args:
        args["act_layer"] = activation
    if settings.activation:
        conversion.note("activation", f"{activation}, from {settings.activation_source}")
    elif "hidden_act" in settings.values:
        unknown = str(settings.values["hidden_act"])[:40]
        conversion.note("activation", f"{activation}: config.json's {unknown!r} is not known here", "warning")
    else:
        conversion.note("activation", f"{activation}, {conversion.format}'s own", "assumed")


def refuse_activation(conversion: Conversion, settings: Settings, only: str = "gelu") -> None:
    """Warn where the config asks for another activation than the only one that timm's class has."""
    asked = settings.activation or settings.values.get("hidden_act")
    if asked not in (None, only):
        said = str(asked)[:40]
        conversion.note(
            "activation",
            f"{only}, though {settings.activation_source} says {said}: timm's class has no other",
            "warning",
        )
    else:
        conversion.note("activation", only, "found" if asked else "assumed")


def preprocessing_of(
    conversion: Conversion, settings: Settings, usual: tuple[tuple[float, ...], tuple[float, ...]], channels: int = 3
) -> dict[str, Any]:
    """The preprocessing of the folder, else the mean and std that the format's own weights have."""
    found = dict(settings.preprocessing)
    for name, values in zip(("mean", "std"), usual, strict=True):
        if len(found.get(name, ())) not in (0, channels):
            found.pop(name)
        if name not in found and channels == len(values):
            found[name] = values
    if settings.preprocessing:
        conversion.note("preprocessing", "from preprocessor_config.json")
    else:
        conversion.note("preprocessing", f"mean and std usual for {conversion.format}", "assumed")
    if "input_size" in found:
        found["input_size"] = (channels, *found["input_size"][1:])
    return found


def whole(value: Any) -> int | None:
    """A whole number from 1 to a million, or None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 10**6 else None


def wholes(value: Any) -> tuple[int, ...]:
    """A list of whole numbers from 1 on, or nothing."""
    if not isinstance(value, list | tuple) or not value or any(whole(v) is None for v in value):
        return ()
    return tuple(value)


def pair(value: Any) -> tuple[int, int] | None:
    """One number or two as (height, width), or None."""
    if whole(value) is not None:
        return value, value
    return (value[0], value[1]) if len(wholes(value)) == 2 else None


def _agreed(checkpoint: Checkpoint, name: str) -> Any:
    """The value of an attribute that all modules which have it agree on, or None."""
    values = [a[name] for a in checkpoint.attributes.values() if name in a]
    return values[0] if values and all(v == values[0] for v in values) else None


def _small(value: Any) -> float | None:
    return value if isinstance(value, float) and 0 < value < 1 else None


def _image(value: Any) -> tuple[int, int] | None:
    sides = pair(value)
    # timm builds masks and rotary tables for the whole image: a size out of all proportion would fill the memory.
    return sides if sides and max(sides) <= _LARGEST_IMAGE else None


def _labels(value: Any) -> tuple[str, ...]:
    if not isinstance(value, Mapping) or not all(str(k).isdecimal() and isinstance(v, str) for k, v in value.items()):
        return ()
    by_number = {int(k): v for k, v in value.items()}
    if sorted(by_number) != list(range(len(by_number))):
        return ()
    names = tuple(by_number[i] for i in range(len(by_number)))
    # transformers fills in "LABEL_0", ... where nobody gave names.
    return () if all(n == f"LABEL_{i}" for i, n in enumerate(names)) else names


def _preprocessing(config: Any) -> dict[str, Any]:
    if not isinstance(config, Mapping):
        return {}
    found: dict[str, Any] = {}
    for key, name in (("image_mean", "mean"), ("image_std", "std")):
        values = config.get(key)
        if isinstance(values, list | tuple) and values and all(_finite(v) for v in values):
            found[name] = tuple(float(v) for v in values)
    if any(v <= 0 for v in found.get("std", ())):
        found.pop("std")
    if config.get("do_normalize") is False:
        found |= {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
    resample = config.get("resample")
    if isinstance(resample, int) and resample in _FILTERS:
        found["interpolation"] = _FILTERS[resample]
    size, crop = config.get("size"), config.get("crop_size")
    cut = _sides(crop) if config.get("do_center_crop") else None
    resized = _sides(size)
    shortest = whole(size.get("shortest_edge")) if isinstance(size, Mapping) else None
    if cut:
        before = shortest or (resized[0] if resized else cut[0])
        found |= {"input_size": (3, *cut), "crop_pct": min(cut[0] / before, 1.0), "crop_mode": "center"}
    elif resized:
        # Both sides are named: the picture is squashed to them, nothing is cut off.
        found |= {"input_size": (3, *resized), "crop_pct": 1.0, "crop_mode": "squash"}
    elif shortest:
        found |= {"input_size": (3, shortest, shortest), "crop_pct": 1.0, "crop_mode": "center"}
    return found


def _sides(value: Any) -> tuple[int, int] | None:
    if isinstance(value, Mapping):
        return pair((value.get("height"), value.get("width")))
    return pair(value)


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
