"""The class that is asked about: by number, by name, by a part of it, and what is said where it is none."""

from dataclasses import replace

import pytest

import vitviz
from vitviz.attention.classes import class_named
from vitviz.errors import AttentionError


@pytest.fixture(scope="module")
def seen(tiny_vit, picture):
    return replace(vitviz.trace(tiny_vit, picture), labels=("Tabby Cat", "Tiger Cat", "Dogsled", "Fish", "Fishing Rod"))


def many(seen):
    """The same with more classes than are listed."""
    logits = seen.logits.repeat(6)
    return replace(seen, logits=logits, labels=tuple(f"thing {i}" for i in range(25)) + tuple("abcde"))


@pytest.mark.parametrize(("text", "index"), [("3", 3), ("fish", 3), ("DOG", 2), ("tabby", 0), ("fishing", 4)])
def test_a_number_a_whole_name_and_a_part_that_one_class_alone_has(seen, text, index):
    assert class_named(seen, text) == index


def test_few_classes_are_all_listed(seen):
    with pytest.raises(AttentionError, match="no class 'horse': it knows Tabby Cat, Tiger Cat, Dogsled, Fish, Fish"):
        class_named(seen, "horse")


def test_of_many_the_nearest_are_listed(seen):
    with pytest.raises(AttentionError, match=r"no class 'thing 244': the nearest are .*thing 24.*from 0 to 29"):
        class_named(many(seen), "thing 244")
    with pytest.raises(AttentionError, match="no class 'zebra': give a part of a name, or a number from 0 to 29"):
        class_named(many(seen), "zebra")


def test_what_several_have_in_their_names_is_said(seen):
    with pytest.raises(AttentionError, match=r"'cat' is in the names of 2 classes .Tabby Cat, Tiger Cat"):
        class_named(seen, "cat")


def test_classes_without_names_have_numbers(seen):
    with pytest.raises(AttentionError, match="its classes have no names; give a number from 0 to 4"):
        class_named(replace(seen, labels=()), "cat")
