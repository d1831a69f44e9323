"""The command `vitviz`: open the window (the default), export figures, say what a model is, list models, save one.

Every command is a module of this package with `parser()` and `run(arguments) -> exit status`.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from vitviz.cli import ablation, compare, dataset, export, faithfulness, info, models, opening, save, statistics
from vitviz.cli.parser import WrongCall, nearest
from vitviz.errors import VitvizError
from vitviz.ordinary import is_there

_COMMANDS = {
    "ablation": ablation,
    "compare": compare,
    "dataset": dataset,
    "export": export,
    "faithfulness": faithfulness,
    "info": info,
    "models": models,
    "save": save,
    "statistics": statistics,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status: 0, 1 after an error of ours, 2 for a wrong call."""
    with _streams():
        return _run(arguments)


def _run(arguments: Sequence[str] | None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    command = opening
    # A picture may be called anything but these words; ./export names a file of that name.
    if given and given[0] in _COMMANDS:
        command = _COMMANDS[given.pop(0)]
    parser = command.parser()
    try:
        if command is opening:
            _check_command(given)
        status = command.run(parser.parse(given))
        sys.stdout.flush()
        return status
    except WrongCall as error:
        print(f"{parser.prog}: {error} See `{parser.prog} --help`.", file=sys.stderr)
        return 2
    except VitvizError as error:
        print(f"vitviz: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("vitviz: Interrupted.", file=sys.stderr)
        return 130
    except _OutputError as error:
        _close_output()
        if isinstance(error.__cause__, BrokenPipeError):
            return 141  # as after SIGPIPE: what comes after it was not done
        print(f"vitviz: The output can't be written: {error}; send it elsewhere.", file=sys.stderr)
        return 1
    except OSError as error:
        what = "Something" if error.filename is None else str(error.filename)
        reason = error.strerror or error
        print(f"vitviz: {what} can't be read or written: {reason}. Check the path and its rights.", file=sys.stderr)
        return 1


class _OutputError(Exception):
    """The standard output can't be written: a closed pipe or terminal, a full disk."""


class _Output:
    """The standard output, whose errors are told from those of any other file."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with self._told():
            return self._stream.write(text)

    def flush(self) -> None:
        with self._told():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise _OutputError(error.strerror or str(error)) from error


@contextlib.contextmanager
def _streams() -> Iterator[None]:
    """Standard output and standard error to write to, as pythonw on Windows has none."""
    with contextlib.ExitStack() as ends:
        nowhere = ends.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # a name that the terminal has no letters for
        ends.enter_context(contextlib.redirect_stderr(sys.stderr or nowhere))
        ends.enter_context(contextlib.redirect_stdout(_Output(sys.stdout or nowhere)))
        yield


def _close_output() -> None:
    """What is still in the buffer must not fail once more at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _check_command(given: Sequence[str]) -> None:
    """WrongCall for a first word that is no picture but looks like a command, and for a command after options."""
    if not given:
        return
    first, *others = given
    if first.startswith("-"):
        if (command := next((word for word in others if word in _COMMANDS), None)) and not is_there(Path(command)):
            raise WrongCall(f"the command comes first: vitviz {command} {first} …")
    elif (near := nearest(first, _COMMANDS)) and not is_there(Path(first)):
        raise WrongCall(f"there is no command and no picture {first!r}: did you mean {near}?")
