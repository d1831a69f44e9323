"""Colours follow the system, live, unless the user says otherwise."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QApplication

from vitviz.ui.theme import Theme, palette


def lightness(role):
    return QApplication.palette().color(role).lightness()


@pytest.fixture
def theme(qapp):
    theme = Theme()
    yield theme
    theme.set_mode("system")


@pytest.fixture
def turn_system(theme, monkeypatch):
    """Make the system report a scheme, as a desktop does when the user turns it."""

    def turn(scheme):
        monkeypatch.setattr(theme, "_system_scheme", lambda: scheme)
        QApplication.styleHints().colorSchemeChanged.emit(scheme)

    return turn


def test_style_is_fusion(theme):
    assert QApplication.style().objectName() == "fusion"


def test_dark_and_light_reach_the_widgets_and_the_canvas(qtbot, theme):
    for mode, dark in (("dark", True), ("light", False)):
        with qtbot.waitSignal(theme.changed):
            theme.set_mode(mode)
        assert theme.mode() == mode
        assert theme.is_dark() is dark
        assert (lightness(QPalette.ColorRole.Window) < 128) is dark
        assert (lightness(QPalette.ColorRole.WindowText) > 128) is dark
        assert (theme.canvas_background().lightness() < theme.canvas_foreground().lightness()) is dark


def test_system_mode_restores_the_systems_palette(theme):
    before = lightness(QPalette.ColorRole.Window)
    theme.set_mode("dark")
    assert lightness(QPalette.ColorRole.Window) != before
    theme.set_mode("system")
    assert lightness(QPalette.ColorRole.Window) == before


def test_system_that_turns_is_followed_live(qtbot, theme, turn_system):
    for scheme, dark in ((Qt.ColorScheme.Dark, True), (Qt.ColorScheme.Light, False)):
        with qtbot.waitSignal(theme.changed):
            turn_system(scheme)
        assert theme.is_dark() is dark


def test_system_that_turns_is_ignored_where_the_user_chose(qtbot, theme, turn_system):
    theme.set_mode("light")
    with qtbot.assertNotEmitted(theme.changed):
        turn_system(Qt.ColorScheme.Dark)
    assert not theme.is_dark()


def test_same_mode_again_is_no_change(qtbot, theme):
    with qtbot.assertNotEmitted(theme.changed):
        theme.set_mode("system")


def test_unknown_mode_is_refused(theme):
    with pytest.raises(ValueError, match="expected one of"):
        theme.set_mode("pink")
    assert theme.mode() == "system"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(
    ("text", "background"),
    [
        ("WindowText", "Window"),
        ("Text", "Base"),
        ("Text", "AlternateBase"),
        ("ButtonText", "Button"),
        ("ToolTipText", "ToolTipBase"),
        ("Link", "Base"),
        ("HighlightedText", "Highlight"),
    ],
)
def test_text_is_legible(dark, text, background):
    colors = palette(dark=dark)
    assert contrast(*(colors.color(getattr(QPalette.ColorRole, role)) for role in (text, background))) >= 4.5


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_canvas_text_is_legible(theme, mode):
    theme.set_mode(mode)
    assert contrast(theme.canvas_foreground(), theme.canvas_background()) >= 7


def contrast(one, other):
    """Contrast ratio of two colours, WCAG 2.2, 1.4.3."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(color):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color.getRgbF()[:3]]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
