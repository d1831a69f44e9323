"""How a network wants its pictures, and what it calls its classes, as timm's configs say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vitviz.errors import ModelError
from vitviz.images import Preprocessing
from vitviz.models.checkpoint import Recognition
from vitviz.models.report import Finding


def preprocessing_of(
    module: Any, crop: str | None = None, mean: Sequence[float] | None = None, std: Sequence[float] | None = None
) -> Preprocessing:
    """The preprocessing that timm's config of this module asks for, with what is given here instead of its own."""
    from timm.data import resolve_model_data_config

    config = resolve_model_data_config(module)
    built = getattr(getattr(module, "patch_embed", None), "img_size", None)
    if crop not in (None, "center", "squash", "border"):
        raise ModelError(f"The crop {crop!r} is unknown: use 'center', 'squash' or 'border'.")
    try:
        channels, height, width = config["input_size"]
        return Preprocessing(
            input_size=built if isinstance(built, tuple) and len(built) == 2 else (height, width),
            mean=tuple(mean) if mean is not None else tuple(config["mean"]),
            std=tuple(std) if std is not None else tuple(config["std"]),
            interpolation=config["interpolation"],
            crop_pct=config["crop_pct"] if crop is None else 1.0,
            crop_mode=crop or config.get("crop_mode") or "center",
            channels=channels,
        )
    except (TypeError, ValueError) as error:
        raise ModelError(f"The model's config asks for a preprocessing that can't be: {error}.") from error


def assume_crop(recognised: Recognition) -> None:
    """Nothing cut off a picture's shorter side where the weights are for another view than the architecture's own.

    The share that timm's config cuts to, such as 0.9, is that of the published weights, evaluated on their own view.
    """
    from timm.models import get_pretrained_cfg

    size, config = recognised.model_args.get("img_size"), get_pretrained_cfg(recognised.architecture)
    if size is None or config is None:
        return
    height, width = (size, size) if isinstance(size, int) else size
    if (height, width) != tuple(config.input_size[1:]):
        recognised.preprocessing["crop_pct"] = 1.0
        text = f"1, the whole shorter side: {height} x {width} px is not the size that {recognised.architecture} has"
        recognised.findings.append(Finding("crop", f"{text}, and the file does not say", "assumed"))


def imagenet_labels(classes: int) -> tuple[str, ...]:
    """timm's names of ImageNet's classes where there are so many of them, else none."""
    from timm.data import ImageNetInfo

    subset = {1000: "imagenet-1k", 21841: "imagenet-22k", 21843: "imagenet-21k-goog"}.get(classes)
    if subset is None:
        return ()
    info = ImageNetInfo(subset)
    return tuple(info.index_to_description(i).partition(",")[0] for i in range(info.num_classes()))
