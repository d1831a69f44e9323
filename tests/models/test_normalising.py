"""Mean and std of pictures are taken from where they are said to be of pictures, and from nowhere else."""

import sys
from pathlib import Path

import pytest
import timm
import torch

sys.path.insert(0, str(Path(__file__).parent / "foreign"))
from formats import checkpoint_of

from vitviz.models.loading import load_model
from vitviz.models.normalising import statistics

LISTS = {"mean": [0.1, 0.2, 0.3], "std": [0.3, 0.2, 0.1]}
ALONE = {"mean": 0.4, "std": 0.25}


def found(channels=3, folder=None, **config):
    said = statistics(checkpoint_of({}, config=config, folder=folder)[0], channels)
    return said and (said.mean, said.std)


@pytest.mark.parametrize(
    ("config", "channels"),
    [
        (LISTS, 3),
        ({"args": LISTS}, 3),
        ({"data": {"val_transform": LISTS}}, 3),
        ({"noise": {"mean": 0.0, "std": 0.1}, "args": LISTS}, 3),
        ({"args": {"mean": (0.5,), "std": (0.5, 0.5, 0.5)}, "image": LISTS}, 3),
    ],
)
def test_lists_as_long_as_there_are_channels_count_wherever_they_lie(config, channels):
    assert found(channels, **config) == ((0.1, 0.2, 0.3), (0.3, 0.2, 0.1))


@pytest.mark.parametrize(
    "parent", ["normalize", "normalise", "preprocessing", "transform", "data", "imageStats", "pixels"]
)
def test_one_number_for_all_channels_counts_where_a_name_speaks_of_pictures(parent):
    assert found(**{parent: ALONE}) == ((0.4,) * 3, (0.25,) * 3)
    assert found(args={parent: ALONE}) == ((0.4,) * 3, (0.25,) * 3)


def test_one_number_counts_anywhere_for_one_channel():
    assert found(1, **ALONE) == found(1, args=ALONE) == ((0.4,), (0.25,))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "parent",
    [
        "val_acc",
        "val",
        "metrics",
        "loss",
        "image_loss",
        "augmentation",
        "noise",
        "decoder",
        "text_config",
        "weight_init",
    ],
)
def test_those_of_measures_noise_and_other_networks_are_no_source(parent, channels):
    values = [LISTS["mean"][:channels], LISTS["std"][:channels]]
    assert found(channels, **{parent: ALONE}) is None
    assert found(channels, run={parent: dict(zip(("mean", "std"), values, strict=True))}) is None


@pytest.mark.parametrize(
    "config",
    [
        {"transformer": ALONE},
        ALONE,
        {"mean": [0.1, 0.2, 0.3], "image": {"std": [0.1, 0.2, 0.3]}},
        {"mean": [0.5, 0.5], "std": [0.5, 0.5]},
        {"mean": [0.5, 0.5, -2.0], "std": [0.5, 0.5, 0.5]},
        {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.0]},
        {"mean": [0.5, 0.5, 300.0], "std": [0.5, 0.5, 0.5]},
        {"mean": [0.5, 0.5, float("nan")], "std": [0.5, 0.5, 0.5]},
        {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "do_normalize": False},
    ],
)
def test_what_is_of_no_picture_apart_of_other_channels_or_implausible_is_no_source(config):
    assert found(**config) is None


def test_those_of_values_up_to_255_are_divided_and_their_place_is_said():
    said = statistics(
        checkpoint_of({}, folder={"preprocessor": {"image_mean": [51.0] * 3, "image_std": [1] * 3}})[0], 3
    )
    assert said.mean == (0.2,) * 3 and said.std == (1 / 255,) * 3
    assert said.mean_said == "51, 51, 51 of 255, from image_mean in preprocessor_config.json"


@pytest.mark.parametrize("beside", [{"val_acc": {"mean": 0.87, "std": 0.02}}, {"noise": {"mean": 0.0, "std": 0.1}}])
def test_a_checkpoint_with_a_measure_beside_its_weights_keeps_the_better_guess(beside, tmp_path):
    network = timm.create_model("vit_tiny_patch16_224", num_classes=3)
    torch.save({"model": network.state_dict()}, tmp_path / "bare.pth")
    torch.save({"model": network.state_dict(), **beside}, tmp_path / "w.pth")
    bare, model = load_model(tmp_path / "bare.pth"), load_model(tmp_path / "w.pth")
    assert (model.preprocessing.mean, model.preprocessing.std) == (bare.preprocessing.mean, bare.preprocessing.std)
    assert "preprocessing" in model.report.guess_words and model.report.guess_words == bare.report.guess_words
