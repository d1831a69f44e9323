"""Wrappers, prefixes, several networks in one file, what is left out, and the plain values beside the weights."""

import pytest
import torch
from torch import nn

from vitviz.errors import SourceError
from vitviz.models.reading.containers import read_checkpoint
from vitviz.models.reading.unwrapping import PREFIXES, WRAPPERS, unwrap

NAMES = ("cls_token", "pos_embed", "patch_embed.proj.weight", "blocks.0.attn.qkv.weight", "norm.weight", "head.weight")


def weights(value=0.0, prefix="", names=NAMES):
    return {prefix + name: torch.full((2,), value + n) for n, name in enumerate(names)}


def networks(tree, **options):
    found = unwrap(tree, "w.pt", **options)
    return {network.name: network.tensors for network in found.networks}


def only(tree):
    found = unwrap(tree, "w.pt")
    assert len(found.networks) == 1
    return found.networks[0]


class TestWrappers:
    @pytest.mark.parametrize("wrapper", WRAPPERS)
    def test_each_is_taken_off_and_named(self, wrapper):
        network = only({wrapper: weights(), "epoch": 3})
        assert network.name == wrapper and list(network.tensors) == list(NAMES)

    def test_a_state_dict_itself_has_no_name(self):
        assert only(weights()).name == ""

    def test_wrappers_in_wrappers(self):
        assert list(only({"model_ema": {"module": weights()}}).tensors) == list(NAMES)
        assert list(only({"model": {"state_dict": {"model": weights()}}, "epoch": 1}).tensors) == list(NAMES)

    def test_any_other_name_serves_too(self):
        assert only({"my_vit": weights(), "epoch": 3}).name == "my_vit"

    def test_few_tensors_serve_where_there_are_no_more(self):
        assert list(only({"a": torch.zeros(2)}).tensors) == ["a"]
        assert list(only({"model": {"a": torch.zeros(2)}, "epoch": 2}).tensors) == ["a"]

    def test_a_few_tensors_beside_the_weights_are_no_network(self):
        network = only({"model": weights(), "mean": torch.zeros(3), "std": torch.ones(3)})
        assert network.name == "model"

    @pytest.mark.parametrize(
        "tree",
        [{}, [], (), None, 3, "x", torch.zeros(3), {"epoch": 3}, [weights()], {"model": [torch.zeros(2)]}, {1: 2}],
        ids=str,
    )  # fmt: skip
    def test_without_tensors_by_name_there_is_nothing(self, tree):
        with pytest.raises(SourceError, match=r"w.pt holds .* no tensors by name: save the model's state_dict"):
            unwrap(tree, "w.pt")

    def test_too_many_tensors_are_refused(self):
        with pytest.raises(SourceError, match="more than 20000 tensors"):
            unwrap(dict.fromkeys(map(str, range(20_001)), torch.zeros(1)), "w.pt")


class TestSeveral:
    def test_averaged_weights_go_before_raw_ones(self):
        tree = {"model": weights(1), "optimizer": {"state": {}}, "model_ema": weights(2)}
        found = unwrap(tree, "w.pt")
        assert [network.name for network in found.networks] == ["model_ema", "model"]
        assert any("'model_ema' is used; the others are 'model'" in note for note in found.notes)

    def test_the_teacher_goes_before_the_student(self):
        tree = {"student": weights(1, "module.backbone."), "teacher": weights(2, "backbone.")}
        found = networks(tree)
        assert list(found) == ["teacher", "student"]
        assert found["teacher"]["cls_token"][0] == 2 and found["student"]["cls_token"][0] == 1

    @pytest.mark.parametrize("outer", ["", "module."])
    @pytest.mark.parametrize(
        "pair",
        [
            ("teacher.", "student."),
            ("ema_model.", "model."),
            ("base_encoder.", "momentum_encoder."),
            ("ema.", "model."),
        ],
    )
    def test_two_side_by_side_in_one_dict_are_told_apart(self, pair, outer):
        tree = {"state_dict": {**weights(1, outer + pair[1]), **weights(2, outer + pair[0])}}
        found = networks(tree)
        assert list(found) == [f"state_dict.{name[:-1]}" for name in pair]
        assert [tensors["cls_token"][0].item() for tensors in found.values()] == [2, 1]

    def test_two_halves_of_one_network_stay_together(self):
        halves = {**weights(1, "encoder.", NAMES), **weights(2, "target_encoder.", [f"x.{n}" for n in range(6)])}
        assert len(only(halves).tensors) == 12

    def test_one_dict_under_two_names_is_one_network(self):
        same = weights(1)
        assert list(networks({"state_dict": same, "model_ema": same, "model": weights(2)})) == ["model_ema", "model"]

    def test_the_user_chooses_by_name(self):
        tree = {"model": weights(1), "model_ema": weights(2)}
        assert list(networks(tree, network="model")) == ["model", "model_ema"]
        with pytest.raises(SourceError, match=r"no network 'teacher': it holds 'model_ema', 'model', so name one"):
            unwrap(tree, "w.pt", network="teacher")
        with pytest.raises(SourceError, match="no network 'teacher'"):
            unwrap(weights(), "w.pt", network="teacher")
        assert list(networks(weights(), network="")) == [""]


class TestPrefixes:
    @pytest.mark.parametrize("prefix", PREFIXES)
    def test_each_is_taken_off_and_noted(self, prefix):
        network = only(weights(prefix=prefix))
        assert list(network.tensors) == list(NAMES)
        assert any(prefix.split(".")[0] in note for note in network.notes)

    @pytest.mark.parametrize("prefix", ["module._orig_mod.", "model.backbone.", "model.model.module.encoder.vit."])
    def test_they_are_taken_off_repeatedly(self, prefix):
        assert list(only(weights(prefix=prefix)).tensors) == list(NAMES)

    def test_a_head_outside_the_prefix_does_not_hinder(self):
        body = weights(prefix="backbone.", names=NAMES[:-1])
        network = only({**body, "classifier.weight": torch.zeros(2), "classifier.bias": torch.zeros(2)})
        assert list(network.tensors) == [*NAMES[:-1], "classifier.weight", "classifier.bias"]

    def test_a_prefix_that_only_some_share_stays(self):
        tree = {**weights(prefix="encoder."), "embeddings.cls_token": torch.zeros(2)}
        assert list(only(tree).tensors) == list(tree)

    def test_no_two_names_become_one(self):
        tree = {**weights(prefix="model."), "head.weight": torch.zeros(2)}
        assert list(only(tree).tensors) == list(tree)

    def test_a_compiled_averaged_model(self):
        averaged = torch.optim.swa_utils.AveragedModel(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)))
        assert list(only(averaged.state_dict()).tensors) == ["0.weight", "0.bias", "1.weight", "1.bias"]


class TestLeftOut:
    def noted(self, extra, prefix=""):
        network = only({**weights(prefix=prefix), **dict.fromkeys(extra, torch.zeros(2))})
        assert list(network.tensors) == list(NAMES)
        return " ".join(network.notes)

    def test_decoders_of_masked_autoencoders(self):
        extra = ["mask_token", "decoder_embed.weight", "decoder_blocks.0.norm1.weight", "decoder_pos_embed"]
        assert "4 tensors of a decoder (MAE, SimMIM) were left out" in self.noted(extra)
        extra = ["encoder.mask_token", "decoder.0.weight", "decoder.0.bias"]
        notes = self.noted(extra, prefix="encoder.")
        assert "3 tensors of a decoder" in notes and "'encoder.' was taken off" in notes

    def test_a_mask_token_without_a_decoder_stays(self):
        assert "mask_token" in only({**weights(), "mask_token": torch.zeros(2)}).tensors

    def test_projection_heads_and_losses(self):
        notes = self.noted(["head.mlp.0.weight", "head.last_layer.weight_g"], prefix="backbone.")
        assert "DINO's projection head" in notes
        assert "projection head" in self.noted(["dino_head.mlp.0.weight", "ibot_head.mlp.0.weight"])
        assert "training loss" in self.noted(["criterion.weight"], prefix="model.")

    def test_state_of_the_optimiser(self):
        tree = {
            "model": weights(),
            "optimizer": {"state": {0: weights()}, "param_groups": []},
            "lr_scheduler": {"a": 1},
        }
        found = unwrap({**tree, "optimizer_states": [weights()], "scaler": {}}, "w.pt")
        assert [network.name for network in found.networks] == ["model"] and not found.config
        assert sum("serves training only" in note for note in found.notes) == 4


class TestValues:
    def test_plain_values_beside_the_weights(self):
        extra = {
            "epoch": 7, "best_acc": torch.tensor(0.5), "classes": ["cat", "dog"], "class_to_idx": {"cat": 0},
            "hyper_parameters": {"num_heads": 3, "layers": (1, 2)}, "nothing": None, "flag": True,
        }  # fmt: skip
        expected = {**extra, "best_acc": 0.5, "hyper_parameters": {"num_heads": 3, "layers": [1, 2]}}
        assert unwrap({"model": weights(), **extra}, "w.pt").config == expected

    def test_twenty_thousand_labels_fit(self):
        labels = {n: f"class {n}" for n in range(21_843)}
        assert len(unwrap({"model": weights(), "id2label": labels}, "w.pt").config["id2label"]) == 21_843

    def test_what_is_too_large_is_left_out_and_said(self):
        found = unwrap({"model": weights(), "epoch": 1, "losses": list(range(200_000)), "text": "x" * 10**6}, "w.pt")
        assert found.config == {"epoch": 1} and any("too many" in note for note in found.notes)

    def test_what_has_no_end_is_cut(self):
        endless = {}
        endless["a"] = endless
        assert isinstance(unwrap({"model": weights(), "args": endless}, "w.pt").config["args"], dict)


def test_a_file_with_both_from_disk(tmp_path):
    torch.save({"student": weights(1), "teacher": weights(2), "epoch": 5}, tmp_path / "w.pth")
    checkpoint = read_checkpoint(tmp_path / "w.pth", network="student")
    assert [network.name for network in checkpoint.networks] == ["student", "teacher"]
    assert checkpoint.config == {"epoch": 5}
