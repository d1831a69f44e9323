"""The command `vitviz`: open the window (the default), export figures, say what a model is, list models, save one.

Every command is a module of this package with `parser()` and `run(arguments) -> exit status`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from vitviz.cli import ablation, compare, dataset, export, faithfulness, info, models, opening, save, statistics
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
    try:
        parsed = command.parser().parse_intermixed_args(given)
        parsed.line = given
        status = command.run(parsed)
        sys.stdout.flush()
        return status
    except VitvizError as error:
        print(f"vitviz: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("vitviz: Interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        # Only the standard output is written without a sentence of its own: a full disk, or a closed terminal.
        print(f"vitviz: The output can't be written: {error.strerror or error}; send it elsewhere.", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still in the buffer must not fail once more at the end
        return 1
