"""What the user named as a model: demo, file, folder, a name of timm's or a repository of the hub."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from vitviz import resources
from vitviz.checks import short
from vitviz.errors import SourceError
from vitviz.models import saved
from vitviz.models.names import DEMOS
from vitviz.models.reading.folders import MAX_JSON, SUFFIXES
from vitviz.models.report import Finding

if TYPE_CHECKING:
    from torch import nn

    from vitviz.models.unknown.plain_vit import PlainConfig

_WEIGHTS = ("model.", "pytorch_model.")
# Arguments that a config may hand to the architecture; anything else in a folder is refused, not passed on.
_MODEL_ARGS = (
    "img_size patch_size in_chans num_classes global_pool embed_dim depth depths num_heads mlp_ratio qkv_bias "
    "proj_bias qk_norm init_values class_token pos_embed no_embed_class reg_tokens pre_norm final_norm "
    "fc_norm dynamic_img_size dynamic_img_pad window_size head_dim strict_img_size act_layer norm_layer "
    "use_rel_pos_bias use_shared_rel_pos_bias use_abs_pos_emb use_rot_pos_emb use_post_norm num_prefix_tokens "
    "swiglu_mlp scale_mlp scale_norm rope_type rope_temperature ref_feat_shape attn_type head_hidden_size "
    "num_reg_tokens gated_attn pool_include_prefix pretrained_window_sizes always_partition strict_img_size "
    "attn_head_dim num_norm use_mean_pooling rope_mixed_mode rotate_half qkv_fused use_fc_norm"
)
# What only matters while a model is trained.
_TRAINING_ARGS = ("drop_rate", "drop_path_rate", "attn_drop_rate", "proj_drop_rate", "pos_drop_rate", "patch_drop_rate")


@dataclass(frozen=True, slots=True)
class Source:
    """Where an architecture and its weights come from.

    Attributes:
        kind: "demo", "file", "folder", "name" (one of timm's, its weights on the hub), "repository" (of the hub) or
            "network in memory".
        architecture: timm's name, with the tag of its weights for a name; "" where the weights have to tell.
        path: the file or folder with the weights, None where they come from the hub.
        model_args, pretrained_cfg, labels: what a folder's config says.
        norm_eps: of all norms, or of each by name, where a folder that vitviz saved says it.
        plain: the network of such a folder where it is none of timm's.
        findings: what of it was a guess when it was saved.
    """

    name: str
    kind: str
    architecture: str = ""
    path: Path | None = None
    model_args: dict[str, Any] = field(default_factory=dict)
    pretrained_cfg: dict[str, Any] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    norm_eps: float | dict[str, float] | None = None
    plain: PlainConfig | None = None
    findings: tuple[Finding, ...] = ()


def resolve(source: str | Path | nn.Module, *, architecture: str | None = None) -> Source:
    """Find out what `source` names; SourceError says what was looked for where it is nothing.

    Args:
        source: "demo", "demo-swin", a file, a folder, a name of timm's, a repository of the hub
            ("hf-hub:owner/name" or "owner/name"), or a network in memory.
        architecture: timm's name of the architecture, where the user says it.
    """
    said = _known(architecture) if architecture else ""
    if callable(getattr(source, "state_dict", None)):
        from vitviz.models.in_memory import file_of

        path = file_of(cast(Any, source))
        return Source(path.stem, "network in memory", said, path)
    if not isinstance(source, str | os.PathLike):
        raise SourceError(f"The model is {short(source)}: give a name, a file, a folder, or a network as torch has it.")
    text = str(source)
    if text in DEMOS:
        return of_folder(resources.path(f"demo/{text}"), text, "demo", said)
    path = Path(text).expanduser()
    if path.is_dir():
        return of_folder(path, path.resolve().name, "folder", said)
    if path.exists():
        beside = path.name.startswith(_WEIGHTS) and (path.parent / "config.json").is_file()
        if beside and not said and (_architecture_in(path.parent) or saved.said_in(read_config(_config(path.parent)))):
            return replace(of_folder(path.parent, path.parent.resolve().name, "folder", ""), path=path)
        return Source(path.name, "file", said, path)
    name = text.removeprefix("hf-hub:").removeprefix("timm/")
    if path.suffix in SUFFIXES or "\\" in text or text.startswith((".", "~", "/")) or name.count("/") > 1:
        raise SourceError(f"There is no file or folder {text!r}: check the path, or name a model such as 'demo'.")
    if "/" in name:
        return Source(name, "repository", said)
    return Source(name, "name", _known(name))


def of_folder(path: Path, name: str, kind: str, architecture: str) -> Source:
    """The source that a folder is: timm's config says all; without one the weights have to tell."""
    found = architecture or _architecture_in(path)
    config_path = _config(path)
    config = read_config(config_path) if config_path.is_file() else {}
    ours = saved.said_in(config)
    if not found:
        plain = saved.plain_config(ours, config_path)
        labels = _labels_in(config, config_path) if plain is not None else ()
        guesses = saved.findings(ours, config_path) if plain is not None else ()
        return Source(name, kind, "", path, labels=labels, plain=plain, findings=guesses)
    model_args = config.get("model_args") or {}
    pretrained_cfg = config.get("pretrained_cfg", config)
    if not isinstance(model_args, dict) or not isinstance(pretrained_cfg, dict):
        raise SourceError(f"{config_path}: model_args and pretrained_cfg must be JSON objects.")
    model_args = {key: value for key, value in model_args.items() if key not in _TRAINING_ARGS}
    if unknown := set(model_args) - set(_MODEL_ARGS.split()):
        raise SourceError(f"{config_path}: unknown model_args {', '.join(sorted(unknown))}.")
    labels = _labels_in({**pretrained_cfg, **config}, config_path)
    model_args |= saved.layers(ours, config_path)
    eps = None if architecture else saved.norm_eps(ours, config_path)
    # An architecture that is said anew makes nothing of what was guessed of another.
    guesses = () if architecture else saved.findings(ours, config_path)
    return Source(name, kind, _known(found), path, model_args, pretrained_cfg, labels, eps, findings=guesses)


def _labels_in(config: dict[str, Any], path: Path) -> tuple[str, ...]:
    labels = config.get("label_names") or ()
    if not isinstance(labels, list | tuple) or not all(isinstance(label, str) for label in labels):
        raise SourceError(f"{path}: label_names must be a list of strings.")
    return tuple(labels)


def _config(folder: Path) -> Path:
    return folder / "config.json"


def _architecture_in(folder: Path) -> str:
    """The architecture that the folder's config.json names as timm does, "" where it names none."""
    path = _config(folder)
    found = read_config(path).get("architecture") if path.is_file() else None
    return found if isinstance(found, str) else ""


def read_config(path: Path) -> dict[str, Any]:
    """The JSON object of a config file; SourceError where it is none, or too large."""
    try:
        if path.stat().st_size > MAX_JSON:
            raise SourceError(f"{path.name} is larger than {MAX_JSON} bytes, too large for a config.")
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{path} can't be read as JSON ({error}).") from error
    if not isinstance(config, dict):
        raise SourceError(f"{path.name} holds a {type(config).__name__}, not a JSON object.")
    return config


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
