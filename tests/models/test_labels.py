"""Labels come from text, lists and dictionaries either way round; anything else is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vitviz.errors import SourceError
from vitviz.models.labels import read_labels


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "cat\ndog\n\nbird\n"),
        ("a.json", json.dumps(["cat", "dog", "bird"])),
        ("a.json", json.dumps({"1": "dog", "0": "cat", "2": "bird"})),
        ("a.json", json.dumps({"dog": 1, "cat": 0, "bird": 2})),
    ],
)
def test_every_way_of_writing_them_gives_the_same(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    assert read_labels(tmp_path / name) == ("cat", "dog", "bird")
    assert read_labels(["cat", "dog", "bird"]) == ("cat", "dog", "bird")


@pytest.mark.parametrize("text", ["{", "3", "{}", '{"0": "a", "2": "b"}', '["a", 1]', "[" * 100_000])
def test_what_is_no_list_of_labels_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(SourceError, match="labels"):
        read_labels(tmp_path / "a.json")


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="can't be read"):
        read_labels(tmp_path / "none.txt")
