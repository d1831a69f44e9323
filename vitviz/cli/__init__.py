"""The command `vitviz`: open the window (the default), export figures, say what a model is, list models, save one.

Every command is a module of this package with `parser()` and `run(arguments) -> exit status`.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from vitviz.cli import ablation, compare, dataset, export, faithfulness, info, models, opening, save, statistics
from vitviz.cli.parser import WrongCall, nearest
from vitviz.errors import VitvizError

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
    given = list(sys.argv[1:] if arguments is None else arguments)
    command = opening
    # A picture may be called anything but these words; ./export names a file of that name.
    if given and given[0] in _COMMANDS:
        command = _COMMANDS[given.pop(0)]
    parser = command.parser()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name that the terminal has no letters for
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
    except BrokenPipeError:
        _close_output()
        return 141  # as after SIGPIPE: what comes after it was not done
    except OSError as error:
        # Only the standard output is written without a sentence of its own: a full disk, or a closed terminal.
        print(f"vitviz: The output can't be written: {error.strerror or error}; send it elsewhere.", file=sys.stderr)
        _close_output()
        return 1


def _close_output() -> None:
    """What is still in the buffer must not fail once more at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _check_command(given: Sequence[str]) -> None:
    """WrongCall for a first word that is no picture but looks like a command, and for a command after options."""
    if not given:
        return
    first, *others = given
    if first.startswith("-"):
        if (command := next((word for word in others if word in _COMMANDS), None)) and not Path(command).exists():
            raise WrongCall(f"the command comes first: vitviz {command} {first} …")
    elif (near := nearest(first, _COMMANDS)) and not Path(first).exists():
        raise WrongCall(f"there is no command and no picture {first!r}: did you mean {near}?")
