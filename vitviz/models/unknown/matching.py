"""Weights of unknown names -> a plain vision transformer, by the structure that every one of them has.

Numbered layers that repeat, in each of them q, k, v, a way back, an MLP and two norms; around them a patch embedding,
positions, perhaps a class token, a norm and a head. Written for what people's own code and lucidrains' vit-pytorch,
torch's nn.MultiheadAttention and nn.TransformerEncoder leave. What no tensor tells is assumed, and said in a finding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from vitviz.errors import SourceError, UnknownArchitectureError
from vitviz.models import stated
from vitviz.models.checkpoint import Checkpoint, Network, Recognition
from vitviz.models.report import Finding
from vitviz.models.unknown.assembly import BASE, fits_timm, plain_tensors, timm_args, timm_tensors
from vitviz.models.unknown.blocks import Layers, layers_of
from vitviz.models.unknown.choices import ENCODER, LUCIDRAINS, Choices
from vitviz.models.unknown.plain_vit import PlainConfig, PlainViT
from vitviz.models.unknown.projections import FUSED, NoBlockError, tells_order
from vitviz.models.unknown.surround import Surround, surround_of
from vitviz.models.unknown.units import Trunk, Unit, listed, trunks, units_of


def match_structure(network: Network, checkpoint: Checkpoint, *, num_heads: int | None = None) -> Recognition:
    """The network that these weights are of, whatever their names.

    Args:
        network: the weights; those of a safetensors file may come in any order.
        checkpoint: the file they lay in, for its config, folder and attributes.
        num_heads: as the user says it, above everything else.

    Raises:
        SourceError: the weights are of no plain vision transformer; the message says what was found and what lacks.
    """
    file = checkpoint.path.name
    tensors = {key: value for key, value in network.tensors.items() if value.is_floating_point() and value.dim()}
    units = units_of(tensors)
    trunk, layers = _found_layers(units, file)
    around = _found_around(units, trunk, layers, checkpoint)
    naming = _naming(tensors, layers)
    choices = Choices(layers, around, naming, checkpoint, num_heads)
    config = choices.config()
    module = _checked(config, plain_tensors(layers, around), file)
    result = Recognition(
        format=naming,
        tensors=plain_tensors(layers, around),
        preprocessing={
            "input_size": (config.channels, *config.image_size),
            "mean": config.mean,
            "std": config.std,
            "interpolation": config.interpolation,
            "crop_pct": config.crop_pct,
        },
        labels=stated.labels(checkpoint, config.classes),
        findings=[*_structure(trunk, layers, around, naming), *choices.findings],
    )
    if fits_timm(config):
        result.architecture, result.model_args = BASE, timm_args(config)
        result.tensors = timm_tensors(result.tensors, config)
    else:
        # Memory without values: every one of them comes from the file, as the check of all names and shapes made sure.
        result.module = module.to_empty(device="cpu")
    return result


def _checked(config: PlainConfig, tensors: Mapping[str, Tensor], file: str) -> PlainViT:
    """The network without memory; SourceError where a tensor is missing, left over or of another shape."""
    with torch.device("meta"):
        module = PlainViT(config)
    wanted = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in tensors.items()}
    wrong = sorted(name for name in wanted.keys() | given.keys() if wanted.get(name) != given.get(name))
    if wrong:
        first = wrong[0]
        raise UnknownArchitectureError(
            f"{file} is of no plain vision transformer: {len(wrong)} of its tensors don't fit, such as {first}, "
            f"which should be {wanted.get(first, 'absent')} and is {given.get(first, 'absent')}."
        )
    return module


def _found_around(units: Sequence[Unit], trunk: Trunk, layers: Layers, checkpoint: Checkpoint) -> Surround:
    outside = [unit for unit in units if not trunk.keys.intersection(unit.keys)]
    first = min(unit.order for layer in trunk.layers for unit in layer.values())
    channels = stated.said(checkpoint, stated.CHANNELS, int)
    try:
        return surround_of(outside, layers.width, first, channels[0] if channels and channels[0] > 0 else None)
    except SourceError as error:
        count = len(trunk.layers)
        raise UnknownArchitectureError(f"{checkpoint.path.name} has {count} attention layers, but {error}.") from error


def _structure(trunk: Trunk, layers: Layers, around: Surround, naming: str) -> list[Finding]:
    """What was found and converted, before anything is chosen."""
    places = ", ".join(f"{role} {place}" for role, place in {**layers.places, **around.places}.items())
    findings = [
        Finding(
            "structure", f"{naming}: {len(trunk.layers)} layers {trunk.name} with {layers.qkv}; {places}", "inferred"
        )
    ]
    if layers.qkv == FUSED and not tells_order(place := layers.places["q, k, v"]):
        text = f"the rows of {place} taken as q, then k, then v, as nearly all have them: no name tells"
        findings.append(Finding("qkv order", f"{text}; a wrong order spoils every map and prediction", "assumed"))
    findings += [Finding("converted", note, "converted") for note in layers.notes]
    for reason in sorted({reason for _, reason in around.ignored}):
        keys = [key for key, why in around.ignored if why == reason]
        findings.append(Finding("ignored", f"{len(keys)} tensors ({', '.join(keys[:4])}): {reason}", "warning"))
    return findings


def _found_layers(units: Sequence[Unit], name: str) -> tuple[Trunk, Layers]:
    """The first trunk whose layers have all roles; SourceError with what lacks where there is none."""
    reasons: list[str] = []
    for trunk in trunks(units):
        try:
            return trunk, layers_of(trunk)
        except NoBlockError as reason:
            reasons.append(f"{len(trunk.layers)} numbered layers {trunk.name} were found, but {reason}")
    held = f"{len(units)} weights: {listed(units)}"
    if reasons:
        raise SourceError(f"{name} is of no plain vision transformer: {reasons[0]}.")
    words = "".join(unit.name for unit in units)
    if not any(character.isdigit() for unit in units for character in unit.name) or not _has_paths(units):
        raise SourceError(
            f"{name} holds tensors without layer names, so that no numbered layers with q, k and v can be found. "
            f"It holds {held}. Save the model's own state_dict."
        )
    patches = any(unit.weight.dim() == 4 for unit in units) or "patch" in words
    if not patches and not any(unit.is_norm for unit in units):
        raise SourceError(
            f"{name} has no patch embedding and no attention: this is only a classifier head or another small network, "
            f"with {held}. Open the file of the vision transformer that it was used with."
        )
    raise SourceError(
        f"{name} has no numbered layers with q, k and v: it is of no vision transformer. It holds {held}."
    )


def _has_paths(units: Sequence[Unit]) -> bool:
    """Whether names say in which module a tensor lay."""
    return any("." in key for unit in units for key in unit.keys)


def _naming(tensors: Mapping[str, Tensor], layers: Layers) -> str:
    """Whose naming it is, in words for the report."""
    keys = list(tensors)

    def any_has(part: str) -> bool:
        return any(part in key for key in keys)

    if any_has("to_qkv") and (any_has("patch_to_embedding") or any_has("to_patch_embedding")):
        generation = 0 if any_has("fn.fn.to_qkv") else 1 if any_has("fn.to_qkv") else 2
        return f"{LUCIDRAINS} {generation}"
    if any_has("self_attn.in_proj_weight") and any_has("linear1.weight") and any_has("norm1.weight"):
        return ENCODER
    if any_has("in_proj_weight"):
        return "own code with nn.MultiheadAttention"
    return f"own code, {layers.qkv}"
