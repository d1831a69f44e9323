"""The index of timm's architectures: exact where names are exact, honest where several share a signature."""

import importlib.util
import sys
from pathlib import Path

import pytest
import timm
import torch

from vitviz import resources
from vitviz.errors import FileError
from vitviz.models import architectures
from vitviz.models.architectures import lookup, read

SAMPLE = (
    "vit_tiny_patch16_224", "vit_base_patch16_siglip_224", "vit_small_patch14_reg4_dinov2",
    "deit3_small_patch16_224", "deit_tiny_distilled_patch16_224", "eva02_tiny_patch14_224", "beit_base_patch16_224",
    "swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256", "swinv2_cr_tiny_ns_224", "vit_relpos_small_patch16_224",
    "vit_small_r26_s32_224", "flexivit_small", "maxvit_rmlp_pico_rw_256",
)  # fmt: skip


def on_meta(name, **args):
    with torch.device("meta"):
        return timm.create_model(name, **args)


@pytest.fixture(scope="module")
def make():
    """The script that makes the index."""
    path = Path(resources.path("architectures")) / "make.py"
    if not path.exists():
        pytest.skip("installed without its sources")
    spec = importlib.util.spec_from_file_location("make_index", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", SAMPLE)
def test_index_holds_what_timm_builds(name, make):
    kept = read(resources.path(architectures.INDEX))["architectures"][name]
    made = make.facts(name)
    assert {**made, "signatures": list(made["signatures"])} == kept


@pytest.mark.parametrize("name", ("vit_tiny_patch16_224", "swinv2_tiny_window8_256", "eva02_tiny_patch14_224"))
def test_state_dict_of_an_architecture_is_found_exactly(name):
    first = lookup(on_meta(name).state_dict())[0]
    assert first.level == "exact" and name in first.names and first.certainty == "found"


def test_other_classes_match_without_head():
    first = lookup(on_meta("vit_small_patch16_224", num_classes=7).state_dict())[0]
    assert first.level == "without head" and "vit_small_patch16_224" in first.names and first.heads == (6,)
    assert first.certainty == "inferred"


def test_other_resolution_and_window_match_without_resolution():
    vit = lookup(on_meta("vit_small_patch16_224", num_classes=7, img_size=320).state_dict())
    swin = lookup(on_meta("swin_tiny_patch4_window7_224", num_classes=7, img_size=256, window_size=8).state_dict())
    assert [m.level for m in vit] == ["without head and resolution"] and vit[0].heads == (6,)
    assert swin[0].heads == (3, 6, 12, 24) and "swin_tiny_patch4_window7_224" in swin[0].names


def test_order_and_index_buffers_of_older_files_do_not_matter():
    tensors = dict(reversed(on_meta("swin_tiny_patch4_window7_224").state_dict().items()))
    tensors["layers.0.blocks.0.attn.relative_position_index"] = torch.empty(49, 49, device="meta")
    tensors["layers.0.blocks.1.attn_mask"] = torch.empty(64, 49, 49, device="meta")
    assert lookup(tensors)[0].level == "exact"


def test_the_one_case_where_architectures_disagree_on_heads_gives_none():
    first = lookup(on_meta("vit_base_patch16_gap_224", num_classes=3).state_dict())[0]
    assert {"vit_base_patch16_gap_224", "vit_base_patch16_siglip_gap_224"} <= set(first.names)
    assert first.heads == () and "heads" in first.disagree and "disagree on heads" in first.sentence


def test_clip_twins_disagree_on_activation_and_deit_twins_on_mean_and_std():
    clip = lookup(on_meta("vit_base_patch16_clip_224", num_classes=0).state_dict())[0]
    deit = lookup(on_meta("deit_tiny_patch16_224").state_dict())[0]
    assert "activation" in clip.disagree and clip.activation == "" and clip.heads == (12,)
    assert "mean and std" in deit.disagree and {"deit_tiny_patch16_224", "vit_tiny_patch16_224"} <= set(deit.names)
    means = {mean for mean, _, _ in deit.preprocessing}
    assert means == {(0.5, 0.5, 0.5), (0.485, 0.456, 0.406)}


def test_architectures_never_disagree_on_heads_when_all_keys_match():
    index = architectures._index()
    matches = [architectures._match("exact", names, index) for names in index.by_signature["exact"].values()]
    assert len(index.architectures) > 580
    assert all("heads" not in match.disagree for match in matches)
    # Those that call it otherwise, or attend without heads, are few.
    unsaid = {name for match in matches for name in match.names if not match.heads}
    assert all(name.startswith(("hiera", "mobilevitv2")) for name in unsaid)
    assert not any({"heads", "norm epsilon"} & set(match.disagree) for match in matches)


def test_what_no_architecture_has_matches_nothing():
    assert lookup({"blocks.0.attn.qkv.weight": torch.empty(96, 32, device="meta")}) == []
    assert lookup({}) == []


def test_another_timm_lowers_the_certainty_and_fails_nothing(monkeypatch):
    architectures._index.cache_clear()
    monkeypatch.setattr(timm, "__version__", "9.9.9")
    try:
        first = lookup(on_meta("vit_tiny_patch16_224").state_dict())[0]
        assert first.level == "exact" and first.certainty == "inferred" and "9.9.9" in first.sentence
    finally:
        architectures._index.cache_clear()


def test_damaged_index_is_one_clear_error(tmp_path):
    path = tmp_path / "index.json.gz"
    path.write_bytes(b"no gzip")
    with pytest.raises(FileError, match="install vitviz again"):
        read(path)


def test_check_compares_with_the_installed_timm(make, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["make.py", "--check", "--only", "test_vit*"])
    assert make.main() == 0
    assert " 0 differ" in capsys.readouterr().out
