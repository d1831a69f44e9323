"""The number of heads from weights, and the order in which sources are believed."""

import dataclasses

import pytest
import torch

from vitviz.errors import SourceError
from vitviz.models.architectures import Match
from vitviz.models.heads import HeadEstimate, estimate_heads, resolve_heads


def layers(tensors, qkv, out):
    """(q, k, v, out) of each layer whose fused matrix is named so."""
    tensors = tensors.get("model", tensors)
    return [(*w.chunk(3), tensors[key.replace(qkv, out)]) for key, w in tensors.items() if key.endswith(qkv)]


@pytest.mark.parametrize(
    ("file", "qkv", "out", "heads"),
    (
        ("cifar10_mha/vit.pt", "in_proj_weight", "out_proj.weight", 4),
        ("mnist_mha/vit_mnist_best.pth", "in_proj_weight", "out_proj.weight", 4),
        ("mnist_lucidrains/vit_mnist_gpu.pt", "to_qkv.weight", "to_out.0.weight", 4),
        ("own_shapes/vit_shapes64.pth", "qkv.weight", "proj.weight", 3),
    ),
)
def test_trained_files_tell_their_heads(shared, file, qkv, out, heads):
    tensors = torch.load(shared / "checkpoints" / file, weights_only=True, map_location="cpu")
    found = estimate_heads(layers(tensors, qkv, out))
    assert found.heads == heads and found.certainty == "likely" and found.t >= 4
    assert found.ranking[0][0] == heads and found.ranking[1][0] % heads == 0


@pytest.mark.parametrize("name", ("swin", "swinv2"))
def test_each_stage_of_a_trained_swin_tells_its_heads(shared, name):
    tensors = torch.load(shared / f"checkpoints/own_shapes/{name}_shapes64.pth", weights_only=True, map_location="cpu")[
        "model"
    ]
    for stage, heads in enumerate((2, 4, 8)):
        part = {key: value for key, value in tensors.items() if key.startswith(f"layers.{stage}.")}
        assert estimate_heads(layers(part, "qkv.weight", "proj.weight")).heads == heads


def test_statistic_equals_its_definition_written_out():
    torch.manual_seed(0)
    matrices = [torch.randn(24, 16) for _ in range(3)] + [torch.randn(16, 24)]
    ranked = {heads: score for heads, score, _ in estimate_heads([tuple(matrices)]).ranking}

    def contrast(matrix, heads, shift):
        unit = torch.nn.functional.normalize(matrix.double(), dim=1)
        inside, outside, everything = [], [], []
        for i in range(24):
            for j in range(24):
                if i != j:
                    same = (i + shift) // (24 // heads) % heads == (j + shift) // (24 // heads) % heads
                    value = abs(float(unit[i] @ unit[j]))
                    everything.append(value)
                    (inside if same else outside).append(value)
        spread = torch.tensor(everything, dtype=torch.float64).std()
        return float((sum(inside) / len(inside) - sum(outside) / len(outside)) / spread)

    for heads in (2, 3, 4, 6):
        rows = [*matrices[:3], matrices[3].T]
        expected = sum(contrast(m, heads, 0) - contrast(m, heads, 24 // heads // 2) for m in rows) / 4
        assert ranked[heads] == pytest.approx(expected, abs=1e-9)


def test_random_weights_abstain():
    torch.manual_seed(1)
    found = estimate_heads([tuple(torch.randn(64, 64) for _ in range(4)) for _ in range(4)])
    assert found.heads is None and found.certainty == "abstains" and found.t < 2.5


def test_what_can_not_be_computed_abstains():
    assert estimate_heads([]).heads is None
    assert estimate_heads([tuple(torch.zeros(32, 32) for _ in range(4))]).heads is None
    assert estimate_heads([tuple(torch.empty(32, 32, device="meta") for _ in range(4))]).heads is None
    assert estimate_heads([tuple(torch.full((32, 32), torch.nan) for _ in range(4))]).heads is None
    assert estimate_heads([tuple(torch.randn(7, 7) for _ in range(4))]).heads is None


def test_half_precision_tells_the_same(shared):
    tensors = torch.load(shared / "checkpoints/cifar10_mha/vit.pt", weights_only=True, map_location="cpu")
    half = {key: value.half() for key, value in tensors.items()}
    assert estimate_heads(layers(half, "in_proj_weight", "out_proj.weight")).heads == 4


MATCH = Match("without head", ("a", "b"), (12,), "GELU", 1e-6, (), None, (), "1", "1")
LIKELY = HeadEstimate(6, 7.0, "likely")
ABSTAINS = HeadEstimate(None, 0.3, "abstains")


def unasked():
    raise AssertionError("the weights are asked though something before them tells")


def test_sources_are_believed_in_their_order():
    said = resolve_heads((8, "num_heads in the file"), [MATCH], unasked, 768)
    registered = resolve_heads(None, [MATCH], unasked, 768)
    estimated = resolve_heads(None, [], lambda: LIKELY, 768)
    usual = resolve_heads(None, [], lambda: ABSTAINS, 768)
    assert [c.heads for c in (said, registered, estimated, usual)] == [8, 12, 6, 12]
    assert [c.certainty for c in (said, registered, estimated, usual)] == ["found", "inferred", "inferred", "assumed"]
    assert "num_heads in the file" in said.source and "timm's a" in registered.source
    assert "t = 7.0" in estimated.source and "usual 64" in usual.source


def test_architectures_that_disagree_leave_it_to_the_weights():
    open_match = dataclasses.replace(MATCH, heads=(), disagree=("heads",))
    assert resolve_heads(None, [open_match], lambda: LIKELY, 768).heads == 6


def test_weak_estimates_are_assumptions_that_say_what_a_wrong_number_does():
    choice = resolve_heads(None, [], lambda: HeadEstimate(4, 3.0, "weak"), 128)
    assert choice.heads == 4 and choice.certainty == "assumed" and "spoils every map" in choice.source


def test_narrow_networks_without_evidence_ask_with_the_commonest_number():
    choice = resolve_heads(None, [], lambda: ABSTAINS, 64)
    assert choice.heads == 4 and choice.certainty == "assumed" and "set num_heads" in choice.source
    assert resolve_heads(None, [], lambda: ABSTAINS, 27).heads == 3


def test_number_that_does_not_divide_is_refused_with_those_that_do():
    with pytest.raises(SourceError, match=r"5 heads .* don't divide the width 64 .* 1, 2, 4, 8"):
        resolve_heads((5, "as asked for"), [], unasked, 64)
