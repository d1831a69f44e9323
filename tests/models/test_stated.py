"""What configs say of the network that sees the picture, not of another one in the same config."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "foreign"))
from formats import checkpoint_of

from vitviz.models import stated
from vitviz.models.foreign.huggingface_config import read_settings

PAIR = {
    "model_type": "vision-encoder-decoder",
    "decoder": {"model_type": "trocr", "num_attention_heads": 16, "hidden_act": "relu"},
    "encoder": {"model_type": "deit", "num_attention_heads": 12, "hidden_act": "gelu"},
}


def heads(**config):
    found = stated.said(checkpoint_of({}, config=config)[0], stated.HEADS, int)
    return found and found[0]


@pytest.mark.parametrize(
    "config",
    [
        PAIR,
        {"num_heads": 32, "vision_config": {"num_attention_heads": 12}},
        {"text_config": {"num_heads": 16}, "vision_config": {"num_attention_heads": 12}},
        {"args": {"text": {"num_heads": 16}, "visual": {"num_heads": 12}}},
        {"other": {"num_heads": 16}, "imageEncoder": {"num_heads": 12}},
        {"num_heads": 12},
    ],
)
def test_heads_are_those_of_the_network_that_sees(config):
    assert heads(**config) == 12


def test_heads_of_a_decoder_or_a_text_tower_alone_are_no_source():
    assert heads(decoder={"num_heads": 16}, text_config={"num_heads": 8}, args={"language_model": {"heads": 4}}) is None


def test_settings_of_an_encoder_before_a_decoder_are_the_encoders():
    settings = read_settings(checkpoint_of({}, folder=PAIR)[0])
    assert (settings.kind, settings.heads, settings.activation) == ("deit", 12, "gelu")


def test_names_of_classes_are_the_whole_networks():
    filled_in = {"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}
    config = {"vision_config": filled_in, "id2label": {"0": "a", "1": "b", "2": "c"}}
    assert stated.labels(checkpoint_of({}, folder=config)[0], 3) == ("a", "b", "c")
