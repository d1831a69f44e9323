"""The demos are in the list of names with the facts of the networks themselves."""

import pytest

import vitviz
from vitviz.models.names import DEMOS, demos, pretrained, search


@pytest.mark.parametrize("named", demos(), ids=DEMOS)
def test_facts_are_those_of_the_network(named):
    model = vitviz.load_model(named.name, device="cpu")
    assert named.family == type(model.module).__name__
    assert named.parameters == sum(p.numel() for p in model.module.parameters())
    assert (named.size, named.classes) == (model.preprocessing.input_size, model.module.num_classes)


def test_demos_are_found_first_and_by_their_name():
    everything = demos() + pretrained()
    assert [each.name for each in search("", everything)[:2]] == list(DEMOS)
    assert search("demo-swin", everything)[0].name == "demo-swin"
