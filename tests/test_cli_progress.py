"""What a long command says meanwhile: on a terminal one line that is drawn over, in a log whole lines or nothing."""

import io
import sys

import pytest
from cli_cases import ARCHITECTURE, call, write_picture

from vitviz import cli
from vitviz.cli import progress


class Terminal(io.StringIO):
    """A terminal for stdout and stderr alike."""

    encoding = "utf-8"

    def isatty(self):
        return True

    def screen(self):
        """The lines that stand there in the end."""
        lines, at = [""], 0
        for letter in self.getvalue():
            if letter == "\n":
                lines.append("")
                at = 0
            elif letter == "\r":
                at = 0
            else:
                lines[-1] = lines[-1][:at].ljust(at) + letter + lines[-1][at + 1 :]
                at += 1
        return [line.rstrip() for line in lines]


@pytest.fixture
def terminal(monkeypatch):
    """Called in the test, where pytest no longer puts streams of its own in the place."""

    def on(columns=61, stream=None):
        made = stream or Terminal()
        monkeypatch.setattr(sys, "stderr", made)
        monkeypatch.setattr(sys, "stdout", made)
        monkeypatch.setattr("tqdm.std._screen_shape_wrapper", lambda: lambda _: (columns - 1, 23))
        monkeypatch.delenv("TERM", raising=False)
        return made

    return on


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    folder = tmp_path_factory.mktemp("album")
    for i in range(5):
        write_picture(folder / f"{i}.png", size=(40, 60), seed=i)
    (folder / "3b.png").write_bytes(b"nothing")
    return folder


def test_bar_of_pictures_has_rate_and_time_and_stays(terminal):
    seen = terminal()
    with progress.Pictures(8) as shown:
        for _ in range(4):
            shown.update()
        shown.refresh()
        half = seen.screen()[-1]
        shown.failed = 2
        shown.reach(1.0, "")
    assert half.startswith(" 50 % █") and " 4/8 pictures · " in half and "/s · 00:00 left" in half
    last = [line for line in seen.screen() if line]
    assert len(last) == 1 and len(last[0]) <= 60
    assert last[0].startswith("100 % █") and " 8/8 pictures · 2 failed · " in last[0] and last[0].endswith("in 00:00")


def test_narrow_terminal_still_holds_the_end_of_the_line(terminal):
    seen = terminal(50)
    with progress.Pictures(2000) as shown:
        shown.start_t -= 60.0
        shown.failed = 12
        shown.reach(1.0, "")
    (line,) = [line for line in seen.screen() if line]
    assert len(line) <= 49 and line.endswith("· in 01:00")


def test_what_was_done_before_says_nothing_about_the_rate(terminal):
    terminal()
    with progress.Pictures(100) as shown:
        for _ in range(90):
            shown.pass_over()
        shown.start_t -= 20.0
        shown.update(5)
        assert "95/100" in str(shown) and "4.0 s each · 00:20 left" in str(shown)


def test_paths_on_the_same_terminal_stand_whole_above_the_bar(terminal):
    seen = terminal()
    with progress.Pictures(3) as shown:
        for i in range(3):
            shown.update()
            shown.print(f"figures/{i}.png")
    lines = seen.screen()
    assert lines[:3] == [f"figures/{i}.png" for i in range(3)] and lines[3].startswith("100 %") and lines[4:] == [""]


def test_steps_show_what_is_done_and_leave_nothing(terminal):
    seen = terminal()
    with progress.Steps() as told:
        told(None, "Asking")
        assert seen.screen()[-1] == "  0 %              Asking"
        told(0.5, "Layer 3\nof 6")
        assert seen.screen()[-1].split() == ["50", "%", "██████", "Layer", "3", "of", "6"]
        told._since -= 30.0
        told(0.75, "Layer 4")
        assert " 00:30 left · Layer 4" in seen.screen()[-1]
        told(0.1, "Another part")
        assert seen.screen()[-1].endswith("10 % █▏           Another part")
    assert seen.screen() == [""]


@pytest.mark.parametrize("where", ["file", "dumb terminal"])
def test_log_has_whole_lines_now_and_then(where, terminal, monkeypatch):
    seen = terminal(stream=io.StringIO() if where == "file" else None)
    if where != "file":
        monkeypatch.setenv("TERM", "dumb")
    with progress.Steps() as told:
        told(0.5, "Layer 3")
    with progress.Pictures(3) as shown:
        shown.update()
        shown.print("figures/1.png")
    assert seen.getvalue() == "figures/1.png\n"
    seen.seek(0)
    seen.truncate()
    monkeypatch.setattr(progress, "_PAUSE", 1e-9)
    with progress.Steps() as told:
        told(0.5, "Layer 3")
    with progress.Pictures(3) as shown:
        shown.update()
        shown.failed = 1
        shown.reach(1.0, "")
    assert "\r" not in seen.getvalue() and seen.getvalue().endswith("\n")
    first, second, third = seen.getvalue().splitlines()
    assert first == "vitviz: 50 %, Layer 3"
    assert second.startswith("vitviz: 1/3 pictures · ") and second.endswith("left")
    assert third.startswith("vitviz: 3/3 pictures · 1 failed · ")


def test_without_a_stderr_nothing_is_said(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with progress.Pictures(3) as shown, progress.Steps() as told:
        shown.update()
        shown.pass_over()
        told(0.5, "Layer 3")


@pytest.mark.parametrize("again", [False, True], ids=["new", "done before"])
def test_export_of_a_folder_on_a_terminal(again, album, files, tmp_path, terminal):
    for _ in range(1 + again):
        seen = terminal()
        assert call("export", (album, files[1]), "--out", str(tmp_path)) == 1
    *paths, bar, problem, summary, nothing = seen.screen()
    early = f"vitviz: One failed, the others go on: {problem.removeprefix('vitviz: ')}"
    assert sum(len(line) > 40 and early.startswith(line) for line in paths) == 1
    paths = [line for line in paths if "go on" not in line]
    wanted = [] if again else sorted(str(path) for path in tmp_path.glob("*.png"))
    assert paths == wanted and nothing == ""
    assert "6/6 pictures · 1 failed" in bar and problem.startswith("vitviz: 3b.png")
    done = "0 pictures exported, 5 were done before" if again else "5 pictures exported"
    assert summary == f"vitviz: {done}, 1 failed."


@pytest.mark.parametrize("command", ["statistics", "dataset"])
def test_tables_over_a_folder_have_the_same_bar_and_logs_none(command, album, files, tmp_path, terminal):
    seen = terminal()
    out = tmp_path / ("heads.csv" if command == "statistics" else "heads.parquet")
    assert call(command, (album, files[1]), "--out", str(out)) == 1
    early, bar, *rest = [line for line in seen.screen() if line]
    assert early.startswith("vitviz: One failed, the others go on: 3b.png")
    assert "6/6 pictures · 1 failed" in bar and str(out) in rest
    log = terminal(stream=io.StringIO())
    assert call(command, (album, files[1]), "--out", str(out)) == 1
    assert "\r" not in log.getvalue() and log.getvalue().count("100 %") == log.getvalue().count("/6") == 0


def test_interrupted_command_says_so_below_its_bar(album, files, terminal, monkeypatch):
    from vitviz.attention import tables

    seen = terminal()

    def interrupted(model, pictures, *, progress, failed):
        progress(0.5, "one.png")
        raise KeyboardInterrupt

    monkeypatch.setattr(tables, "statistics_over", interrupted)
    named = ["--model", str(files[1]), "--architecture", ARCHITECTURE]
    assert cli.main(["statistics", str(album), *named]) == 130
    bar, said, nothing = seen.screen()
    assert " 3/6 pictures" in bar and (said, nothing) == ("vitviz: Interrupted.", "")
