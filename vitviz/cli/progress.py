"""What a command that takes a while says meanwhile: a bar on a terminal, elsewhere a line now and then.

All of it goes to stderr, so that another program can read the paths and tables on stdout.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

from tqdm import tqdm

_PAUSE = 30.0  # seconds before the first line where there is no terminal, and between two
_ROOMY = 59  # columns that take all there is to say
_SURE = 3.0  # seconds after which the speed so far says something about the rest


class _Bar(tqdm):  # type: ignore[misc]
    """A bar of tqdm's in our words; `words` fills the fields of its format."""

    monitor_interval = 0  # a thread that draws again what it drew

    def __init__(self, total: float, *, stays: bool, hidden: bool = False, **drawing: float) -> None:
        """Drawn over and over on a terminal that can do that; a carriage return in a log helps no one."""
        self.drawn = is_terminal(sys.stderr)
        form: dict[str, Any] = {"file": sys.stderr, "dynamic_ncols": True, "leave": stays, **drawing}
        if not self.drawn:
            form = {"file": _Lines(), "mininterval": _PAUSE, "delay": _PAUSE, "leave": False}
        hidden = hidden or sys.stderr is None
        super().__init__(total=total, disable=hidden, miniters=0, smoothing=0.1, **form)

    def words(self, found: Mapping[str, Any]) -> str:
        """tqdm's format of the line, without its bar where that is not drawn over."""
        raise NotImplementedError

    @property
    def format_dict(self) -> dict[str, Any]:
        """What tqdm draws from, with our format."""
        found = super().format_dict
        return {**found, "bar_format": self.words(found)}


class Pictures(_Bar):
    """A bar over so many pictures, with rate and time left, which stays; nothing for a single one.

    Attributes:
        failed: how many did.
    """

    def __init__(self, count: int) -> None:
        self.failed = 0
        super().__init__(count, stays=True, hidden=count < 2)

    def pass_over(self) -> None:
        """Count one that was done before, which tells nothing about the rate."""
        if not self.disable:
            self.initial += 1
            self.last_print_n += 1
            self.update()

    def reach(self, fraction: float | None, _text: str) -> None:
        """As a job over the pictures calls its progress, before each of them."""
        self.update(round((fraction or 0.0) * self.total) - self.n)

    def print(self, line: str, file: TextIO | None = None) -> None:
        """Print a line on stdout, or on stderr; where that is the terminal of the bar, above it."""
        file = file or sys.stdout
        if self.disable or not self.drawn or not is_terminal(file):
            print(line, file=file, flush=True)
        else:
            self.write(line, file=file)

    def words(self, found: Mapping[str, Any]) -> str:
        """Such as 12/200 pictures · 1 failed · 3.1/s · 01:02 left."""
        made, elapsed = self.n - self.initial, found["elapsed"]
        rate = found["rate"] or (made / elapsed if elapsed else 0.0)
        narrow = self.drawn and (found["ncols"] or _ROOMY) < _ROOMY
        parts = ["{n_fmt}/{total_fmt}" + ("" if narrow else " pictures")]
        parts += [f"{self.failed} failed"] if self.failed else []
        parts += [_speed(rate)] if rate else []
        if self.n >= self.total:
            parts.append(f"in {_clock(elapsed)}")
        elif rate:
            parts.append(f"{_clock((self.total - self.n) / rate)} left")
        return ("{percentage:3.0f} % {bar} " if self.drawn else "vitviz: ") + " · ".join(parts)


class Steps(_Bar):
    """The progress of one job, called as (fraction or None, what is being done); nothing of it stays."""

    def __init__(self) -> None:
        self._from, self._since = 0.0, time.monotonic()
        # Drawn with its first text, not before, and with every other one.
        super().__init__(1.0, stays=False, delay=1e-9, mininterval=0)

    def __call__(self, fraction: float | None, text: str) -> None:
        """Show where the job is; a fraction that falls begins a new part of it.

        The first step tells nothing about the rate: torch may have been imported meanwhile.
        """
        at = self.n if fraction is None else fraction
        if at < self.n or self.n == 0:
            self._from, self._since = at, time.monotonic()
        self.set_description_str(" ".join(text.split()), refresh=False)
        self.update(at - self.n)

    def words(self, found: Mapping[str, Any]) -> str:
        """Such as 45 % ██████ 00:12 left · Layer 3."""
        gone, way = time.monotonic() - self._since, self.n - self._from
        left = f"{_clock(gone * (1 - self.n) / way)} left · " if way > 0 and gone > _SURE else ""
        return ("{percentage:3.0f} % {bar:12} " if self.drawn else "vitviz: {percentage:.0f} %, ") + left + "{desc}"


def is_terminal(stream: Any) -> bool:
    """Whether a line of this stream can be drawn over."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


class _Lines:
    """A file that gives every state of a bar on as a line of its own."""

    encoding = "utf-8"

    def write(self, text: str) -> None:
        if line := text.strip():
            print(line, file=sys.stderr)

    def flush(self) -> None:
        if sys.stderr is not None:
            sys.stderr.flush()


def _speed(rate: float) -> str:
    if rate >= 1:
        return f"{rate:.{0 if rate >= 10 else 1}f}/s"
    return f"{1 / rate:.{0 if rate <= 0.1 else 1}f} s each"


def _clock(seconds: float) -> str:
    return str(tqdm.format_interval(seconds))
