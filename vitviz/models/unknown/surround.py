"""What lies around the numbered layers of a network of unknown naming: patches, positions, class token, norms, head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from vitviz.errors import SourceError
from vitviz.models.unknown.embedding import patch_of, patch_size_of
from vitviz.models.unknown.naming import CLASS, HEAD, REGISTER, natural, part_of, says, shared, words
from vitviz.models.unknown.units import Unit, listed

_IGNORED = {
    "mask_token": "only used in pretraining", "decoder": "only used in pretraining", "num_batches_tracked": "a counter",
    "position_ids": "follows from the sizes", "position_index": "follows from the sizes", "total_ops": "a counter",
    "total_params": "a counter",
}  # fmt: skip


@dataclass(slots=True, eq=False)
class Surround:
    """The tensors around the layers by role.

    Attributes:
        patch: of patch embedding: (D, C, p, p), or (D, C p p) where linear.
        patch_size, channels: of it.
        norm_in, norm_out: LayerNorms before and after the projection of the patches.
        embed_norm: LayerNorm of the sequence before the layers.
        position: (N, D), None where the file has none.
        class_token: (D,); registers: (R, D).
        final_norm, head_norm: before and after the pool.
        head: linears from D to the classes, in order.
        ignored: (key, reason).
        places: role -> key, for the report.
    """

    patch: Unit
    patch_size: tuple[int, int]
    channels: int
    norm_in: Unit | None = None
    norm_out: Unit | None = None
    embed_norm: Unit | None = None
    position: Tensor | None = None
    class_token: Tensor | None = None
    registers: Tensor | None = None
    final_norm: Unit | None = None
    head_norm: Unit | None = None
    head: list[Unit] = field(default_factory=list)
    ignored: list[tuple[str, str]] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)

    @property
    def is_linear(self) -> bool:
        """Whether the patches are flattened."""
        return self.patch.weight.dim() == 2


def surround_of(units: Sequence[Unit], width: int, trunk_order: int, stated_channels: int | None = None) -> Surround:
    """The roles of all units outside the layers; SourceError where there is no patch embedding or one too many.

    Args:
        units: all that lie outside the trunk.
        width: of a token (D).
        trunk_order: place in the file of the first layer.
        stated_channels: of the picture, where a config says so.
    """
    left = list(units)
    ignored: list[tuple[str, str]] = []
    for part, reason in _IGNORED.items():
        gone = [unit for unit in left if part in unit.name]
        ignored += [(key, reason) for unit in gone for key in unit.keys]
        left = [unit for unit in left if unit not in gone]
    pooling = [u for u in left if u.weight.dim() == 2 and part_of(u.name) and u.shape[-1] == width]
    if pooling:
        raise SourceError(f"it attends outside its layers as well, as a pool by attention does: {listed(pooling)}")
    position = _taken(left, _position(left, width))
    class_token = _taken(left, _class_token(left, width))
    registers = _taken(left, next((u for u in left if _is_tokens(u, width) and says(u.name, REGISTER)), None))
    patch = _taken(left, patch_of(left, width, trunk_order, stated_channels))
    if patch is None:
        raise SourceError(f"it has no patch embedding: outside its layers it holds {listed(units) or 'nothing'}")
    found = Surround(patch, *patch_size_of(patch, stated_channels), ignored=ignored)
    found.position = None if position is None else _as_positions(position, width)
    found.class_token = None if class_token is None else class_token.weight.reshape(width)
    found.registers = None if registers is None else registers.weight.reshape(-1, width)
    named = {"patches": patch, "position": position, "class token": class_token, "registers": registers}
    _head(found, left, width)
    _norms(found, left, width)
    named |= {"last norm": found.final_norm or found.head_norm, "head": found.head[-1] if found.head else None}
    found.places = {role: unit.keys[0] for role, unit in named.items() if unit is not None}
    for unit in left:
        if unit.weight.dim() != 2:
            raise SourceError(f"it holds tensors outside its layers whose role is not known: {listed(left)}")
        found.ignored += [(key, "no role was found for it") for key in unit.keys]
    return found


def _taken(left: list[Unit], unit: Unit | None) -> Unit | None:
    if unit is not None:
        left.remove(unit)
    return unit


def _is_tokens(unit: Unit, width: int) -> bool:
    return unit.bias is None and unit.shape[-1:] == (width,) and unit.weight.numel() % width == 0


def _position(left: Sequence[Unit], width: int) -> Unit | None:
    fits = [u for u in left if _is_tokens(u, width) and u.weight.numel() > width and u.weight.dim() in (2, 3)]
    fits = [u for u in fits if u.weight.dim() == 2 or 1 in u.shape[:2]]
    fits += [u for u in left if u.weight.dim() == 4 and u.shape[:2] == (1, width)]
    named = [u for u in fits if any(w.startswith(("pos", "wpe")) or w in ("pe", "positional") for w in words(u.name))]
    if len(named) > 1:
        raise SourceError(f"it has several position embeddings: {listed(named)}")
    unnamed = [u for u in fits if u.weight.dim() == 3 and not says(u.name, REGISTER)]
    return named[0] if named else unnamed[0] if len(unnamed) == 1 else None


def _as_positions(unit: Unit, width: int) -> Tensor:
    weight = unit.weight
    return weight.flatten(2)[0].mT if weight.dim() == 4 else weight.reshape(-1, width)


def _class_token(left: Sequence[Unit], width: int) -> Unit | None:
    fits = [u for u in left if u.bias is None and u.weight.numel() == width and u.weight.dim() <= 3]
    fits = [u for u in fits if not says(u.name, REGISTER)]
    named = [u for u in fits if says(u.name, CLASS) and not any(w.startswith(("dist", "mask")) for w in words(u.name))]
    if len(named) == 1:
        return named[0]
    shaped = [u for u in fits if u.weight.dim() == 3]
    return shaped[0] if len(shaped) == 1 and len(fits) == 1 else None


def _head(found: Surround, left: list[Unit], width: int) -> None:
    """The chain of linears from D to the classes; of several last ones the one named head."""
    rest = [u for u in left if u.weight.dim() == 2]
    rest.sort(key=lambda u: (-bool(says(u.name, HEAD)), natural(u.name)))
    now = width
    while True:
        fits = [u for u in rest if u.shape[1] == now] or [u for u in rest if u.raw and u.shape[0] == now]
        # Another head of as many classes (distillation) has a name of its own and ends the chain as well.
        if found.head:
            fits = [u for u in fits if shared(u.name, found.head[-1].name) or u.raw]
        if not fits:
            return
        unit = fits[0]
        left.remove(unit)
        rest.remove(unit)
        found.head.append(unit if unit.shape[1] == now else unit.turned())
        now = found.head[-1].shape[0]


def _norms(found: Surround, left: list[Unit], width: int) -> None:
    norms = [u for u in left if u.is_norm]
    last = found.head[-1].name if found.head else ""
    free: list[Unit] = []
    for unit in norms:
        near = shared(unit.name, found.patch.name)
        early = natural(unit.name) < natural(found.patch.name)
        of_patch = (
            near and near >= shared(unit.name, last) and (any("patch" in w for w in words(unit.name)) or near > 1)
        )
        if unit.shape[0] != width or (of_patch and early and found.is_linear and width == found.patch.shape[1]):
            if not of_patch or not found.is_linear or unit.shape[0] != found.patch.shape[1] or found.norm_in:
                raise SourceError(f"it has a norm of another width outside its layers: {listed([unit])}")
            found.norm_in = unit
        elif of_patch and found.norm_out is None:
            found.norm_out = unit
        elif (
            any(w in ("pre", "embed", "embedding", "embeddings", "emb") for w in words(unit.name))
            and not found.embed_norm
        ):
            found.embed_norm = unit
        else:
            free.append(unit)
    # A norm named after the head is that of the pooled token: of a mean it matters.
    named = [u for u in free if says(u.name, ("head", "fc", "clf", "classifier", "pool"))]
    if len(named) == 1 and not shared(named[0].name, last):
        found.head_norm = named[0]
        free.remove(named[0])
    free.sort(key=lambda u: (shared(u.name, last), natural(u.name)))
    if len(free) > 2:
        raise SourceError(f"it has {len(free)} norms after its layers: {listed(free)}")
    if free and found.head_norm is None and last and shared(free[-1].name, last):
        found.head_norm = free.pop()
    if len(free) == 2 and found.head_norm is None:
        found.final_norm, found.head_norm = free
    elif len(free) == 1:
        found.final_norm = free[0]
    elif free:
        raise SourceError(f"it has {len(norms)} norms around its layers, too many to place: {listed(norms)}")
    for unit in norms:
        left.remove(unit)
