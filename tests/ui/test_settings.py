"""Settings come back as they were, and no file can keep the program from starting."""

import json
import os
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vitviz.ui.settings import RECENT_LIMIT, SIZE_LIMIT, Preferences, Settings, read_preferences, settings_path

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
FIELDS = sorted(Preferences.__dataclass_fields__)


def write(text):
    settings_path().write_bytes(text if isinstance(text, bytes) else text.encode())


def test_path_lies_in_the_folder_of_the_environment(config_dir):
    assert settings_path() == config_dir / "settings.json"


def test_path_without_environment_is_the_platforms(monkeypatch):
    monkeypatch.delenv("VITVIZ_CONFIG_DIR")
    assert settings_path().parts[-2:] == ("vitviz", "settings.json")
    assert settings_path().is_absolute()


def test_no_file_means_defaults_and_no_problem(qapp):
    fresh = Settings()
    assert fresh.value == Preferences()
    assert fresh.problems == []


def test_every_field_survives_the_disk(qapp):
    chosen = {
        "recent_pictures": ("/a/猫.png", "b.jpg"),
        "recent_models": ("demo", "vit_base_patch16_224.augreg2_in21k_ft_in1k"),
        "picture_folder": "/pictures",
        "model_folder": "/models",
        "export_folder": "/figures",
        "export_plan": "{}",
        "colormap": "inferno",
        "opacity": 0.25,
        "interpolation": "bilinear",
        "device": "cuda:1",
        "precision": "bfloat16",
        "theme": "dark",
        "geometry": bytes(range(256)),
        "dock_state": b"\0state",
    }
    assert sorted(chosen) == FIELDS
    first = Settings()
    first.update(**chosen)
    assert first.flush()
    second = Settings()
    assert second.value == first.value == Preferences(**chosen)
    assert second.problems == []


def test_change_is_told_once_and_only_when_it_is_one(qtbot):
    preferences, seen = Settings(), []
    preferences.changed.connect(lambda old, new: seen.append((old.opacity, new.opacity)))
    preferences.update(opacity=0.1)
    preferences.update(opacity=0.1)
    assert seen == [(0.6, 0.1)]
    preferences.flush()


def test_changes_are_saved_once_they_rest(qtbot, monkeypatch):
    monkeypatch.setattr("vitviz.ui.settings.SAVE_DELAY", 50)
    writes = []
    monkeypatch.setattr("vitviz.ui.settings.write_bytes", lambda _path, data: writes.append(json.loads(data)))
    preferences = Settings()
    for step in range(10):
        preferences.update(opacity=step / 10)
    assert writes == []
    qtbot.waitUntil(lambda: bool(writes))
    qtbot.wait(100)
    assert [each["opacity"] for each in writes] == [0.9]


def test_flush_without_change_writes_nothing(qapp):
    Settings().flush()
    assert not settings_path().exists()


def test_recent_is_newest_first_without_doubles_and_limited(qapp):
    preferences = Settings()
    for number in [*range(20), 18]:
        preferences.add_recent("pictures", f"{number}.png")
    assert preferences.value.recent_pictures[:3] == ("18.png", "19.png", "17.png")
    assert len(preferences.value.recent_pictures) == RECENT_LIMIT
    preferences.flush()


def test_two_windows_keep_what_the_other_one_changed(qapp):
    first = Settings()
    first.update(picture_folder="/pictures")
    assert first.flush()
    second = Settings()
    second.update(theme="dark", opacity=0.2)
    assert second.flush()
    first.update(device="cpu", opacity=0.9, geometry=b"first")
    assert first.flush()
    kept = Preferences(picture_folder="/pictures", theme="dark", device="cpu", opacity=0.9, geometry=b"first")
    assert read_preferences(first.path) == (kept, [])
    second.update(precision="bfloat16")
    assert second.flush()
    assert read_preferences(first.path) == (replace(kept, precision="bfloat16"), [])


def test_recents_of_two_windows_are_those_of_both_with_the_own_ones_first(qapp):
    first = Settings()
    for number in range(RECENT_LIMIT):
        first.add_recent("pictures", f"{number}.png")
    first.flush()
    second = Settings()
    for name in ("b.png", "3.png"):
        second.add_recent("pictures", name)
    second.add_recent("models", "demo-swin")
    second.flush()
    for name in ("a.png", "5.png"):
        first.add_recent("pictures", name)
    first.flush()
    value = read_preferences(first.path)[0]
    assert value.recent_pictures[:6] == ("5.png", "a.png", "3.png", "b.png", "11.png", "10.png")
    assert len(value.recent_pictures) == RECENT_LIMIT and value.recent_models == ("demo-swin",)


@given(st.lists(st.sampled_from("abcdef"), max_size=6), st.lists(st.sampled_from("abcdefgh"), max_size=6))
def test_recents_of_one_window_are_written_as_they_are(qapp, tmp_path_factory, before, after):
    one = Settings(tmp_path_factory.mktemp("recents") / "settings.json")
    for names in (before, after):
        for name in names:
            one.add_recent("models", name)
        assert one.flush()
        assert read_preferences(one.path)[0] == one.value


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"opacity": 7}'])
def test_file_that_was_damaged_meanwhile_is_written_whole_again(qapp, content):
    one = Settings()
    one.update(opacity=0.2, colormap="magma")
    one.flush()
    write(content)
    one.update(theme="dark")
    assert one.flush()
    assert read_preferences(one.path) == (Preferences(opacity=0.2, colormap="magma", theme="dark"), [])


def test_what_was_forgotten_meanwhile_is_not_written_again(qapp):
    one = Settings()
    one.update(opacity=0.2, theme="dark")
    one.flush()
    Settings().reset()
    one.update(colormap="magma")
    assert one.flush()
    assert read_preferences(one.path) == (Preferences(colormap="magma"), [])


def test_one_bad_field_does_not_cost_the_others(qapp):
    write(json.dumps({"opacity": 7, "colormap": "magma", "theme": "pink", "evil": "x", "recent_models": ["demo"]}))
    preferences = Settings()
    assert preferences.value == Preferences(colormap="magma", recent_models=("demo",))
    assert [each.split()[0] for each in preferences.problems] == ["'opacity'", "'theme'", "'evil'"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"opacity": NaN}',
        b'{"opacity": ' + b"9" * 10_000 + b"}",
        b"[" * 200_000,
        b'{"colormap": "' + b"x" * SIZE_LIMIT + b'"}',
        b"\x80\x04cos\nsystem\n(S'x'\ntR.",
    ],
)
def test_foreign_file_is_ignored_with_a_note(qapp, content):
    write(content)
    preferences = Settings()
    assert preferences.value == Preferences()
    assert len(preferences.problems) == 1


@pytest.mark.parametrize("make", [os.mkdir, getattr(os, "mkfifo", os.mkdir)])
def test_folder_or_pipe_in_its_place_is_ignored_with_a_note(qapp, make):
    make(settings_path())
    assert len(Settings().problems) == 1


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(), JSON))
def test_reading_never_raises_and_yields_what_can_be_saved(tmp_path, content):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(content))
    value, _ = read_preferences(path)
    assert isinstance(value, Preferences)
    assert 0 <= value.opacity <= 1
    path.unlink()
    saved = Settings(path)
    saved.update(**{name: getattr(value, name) for name in FIELDS})
    assert saved.flush()
    assert read_preferences(path) == (value, [])


@pytest.mark.parametrize("fields", [{"opacity": 2}, {"opacity": True}, {"theme": "pink"}, {"colormap": "a b"}])
def test_illegal_change_is_refused(qapp, fields):
    preferences = Settings()
    with pytest.raises(ValueError, match="expected"):
        preferences.update(**fields)
    assert preferences.value == Preferences()


def test_failure_to_save_is_a_note(qapp, config_dir):
    (config_dir / "file").write_bytes(b"")
    preferences = Settings(config_dir / "file" / "settings.json")
    preferences.update(opacity=0.5)
    assert not preferences.flush()
    assert "not saved" in preferences.problems[-1]


def test_folder_is_made_on_the_first_save(qapp, config_dir):
    preferences = Settings(config_dir / "new" / "er" / "settings.json")
    preferences.update(opacity=0.5)
    assert preferences.flush()
    assert read_preferences(preferences.path)[0].opacity == 0.5


def test_reset_forgets_here_and_on_the_disk(qtbot):
    preferences = Settings()
    preferences.update(opacity=0.5, geometry=b"abc")
    preferences.flush()
    with qtbot.waitSignal(preferences.changed):
        preferences.reset()
    assert preferences.value == Preferences()
    assert not settings_path().exists()
    assert preferences.flush()
    assert not settings_path().exists()
