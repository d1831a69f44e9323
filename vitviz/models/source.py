"""What the user named as a model: demo, file, folder or a name of timm's."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vitviz import resources
from vitviz.errors import SourceError
from vitviz.models.reading import SUFFIXES, read_config

DEMOS = ("demo", "demo-swin")
_WEIGHTS = ("model.safetensors", "pytorch_model.bin", "pytorch_model.pth", "model.pth")
# Arguments that a config may hand to the architecture; anything else in a folder is refused, not passed on.
_MODEL_ARGS = (
    "img_size patch_size in_chans num_classes global_pool embed_dim depth depths num_heads mlp_ratio qkv_bias "
    "proj_bias qk_norm init_values class_token pos_embed no_embed_class reg_tokens pre_norm final_norm "
    "fc_norm dynamic_img_size dynamic_img_pad window_size head_dim strict_img_size act_layer norm_layer "
    "use_rel_pos_bias use_shared_rel_pos_bias use_abs_pos_emb use_rot_pos_emb use_post_norm num_prefix_tokens "
    "swiglu_mlp scale_mlp scale_norm rope_type rope_temperature ref_feat_shape attn_type head_hidden_size "
    "num_reg_tokens gated_attn"
)
# What only matters while a model is trained.
_TRAINING_ARGS = ("drop_rate", "drop_path_rate", "attn_drop_rate", "proj_drop_rate", "pos_drop_rate", "patch_drop_rate")


@dataclass(frozen=True, slots=True)
class Source:
    """Where an architecture and its weights come from.

    `weights` is None where they come from the hub, under the pretrained tag in `architecture`.
    """

    name: str
    kind: str
    architecture: str
    weights: Path | None = None
    model_args: dict[str, Any] = field(default_factory=dict)
    pretrained_cfg: dict[str, Any] = field(default_factory=dict)
    labels: tuple[str, ...] = ()


def resolve(source: str | Path, *, architecture: str | None = None) -> Source:
    """Find out what `source` names; SourceError says what was looked for where it is nothing.

    Args:
        source: "demo", "demo-swin", a file, a folder as the hub stores timm models, or a timm name.
        architecture: timm's name of the architecture, which a bare file needs.
    """
    text = str(source)
    if text in DEMOS:
        return _folder(resources.path(f"demo/{text}"), name=text, kind="demo", architecture=architecture)
    path = Path(text).expanduser()
    if path.is_dir():
        return _folder(path, name=path.resolve().name, kind="folder", architecture=architecture)
    if path.exists():
        if (path.parent / "config.json").is_file() and path.name in _WEIGHTS and architecture is None:
            return _folder(path.parent, name=path.parent.name, kind="folder", architecture=None, weights=path)
        if architecture is None:
            raise SourceError(
                f"{path.name} holds weights but not the name of its architecture: "
                "give timm's name as architecture=, or open a folder with a config.json beside the weights."
            )
        return Source(path.name, "file", _known(architecture), path)
    name = text.removeprefix("timm/").removeprefix("hf-hub:timm/")
    if path.suffix in SUFFIXES or "\\" in text or text.startswith((".", "~", "/")) or name.count("/"):
        raise SourceError(f"There is no file or folder {text!r}: check the path, or name a model such as 'demo'.")
    return Source(name, "hub", _known(name))


def _folder(path: Path, *, name: str, kind: str, architecture: str | None, weights: Path | None = None) -> Source:
    config_path = path / "config.json"
    if not config_path.is_file():
        raise SourceError(f"The folder {path} has no config.json: open its weights file with architecture= instead.")
    config = read_config(config_path)
    if weights is None:
        weights = next((path / w for w in _WEIGHTS if (path / w).is_file()), None)
    if weights is None:
        raise SourceError(f"The folder {path} has a config.json but none of {', '.join(_WEIGHTS)}.")
    found = architecture or config.get("architecture")
    if not isinstance(found, str):
        raise SourceError(
            f"{config_path} names no timm architecture: give one as architecture=, for example 'vit_base_patch16_224'."
        )
    model_args = config.get("model_args") or {}
    pretrained_cfg = config.get("pretrained_cfg", config)
    if not isinstance(model_args, dict) or not isinstance(pretrained_cfg, dict):
        raise SourceError(f"{config_path}: model_args and pretrained_cfg must be JSON objects.")
    model_args = {key: value for key, value in model_args.items() if key not in _TRAINING_ARGS}
    if unknown := set(model_args) - set(_MODEL_ARGS.split()):
        raise SourceError(f"{config_path}: unknown model_args {', '.join(sorted(unknown))}.")
    pretrained_cfg = {**pretrained_cfg, "num_classes": config.get("num_classes", pretrained_cfg.get("num_classes", 0))}
    labels = config.get("label_names") or pretrained_cfg.get("label_names") or ()
    if not isinstance(labels, list | tuple) or not all(isinstance(label, str) for label in labels):
        raise SourceError(f"{config_path}: label_names must be a list of strings.")
    return Source(name, kind, _known(found), weights, model_args, pretrained_cfg, tuple(labels))


def _known(name: str) -> str:
    """The name itself if timm knows it, tag and all; else SourceError with the nearest names."""
    import difflib

    import timm

    base, _, tag = name.partition(".")
    if not timm.is_model(base):
        near = difflib.get_close_matches(base, timm.list_models(), n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(near)}?" if near else "see 'vitviz models' for the names."
        raise SourceError(f"There is no file, folder or timm model called {name!r}: {hint}")
    if tag and name not in timm.list_models(f"{base}.*", pretrained=True):
        tags = [n.partition(".")[2] for n in timm.list_models(f"{base}.*", pretrained=True)]
        raise SourceError(f"timm has no weights {tag!r} for {base}: it has {', '.join(tags) or 'none'}.")
    return name
