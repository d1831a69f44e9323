"""The parser of every command: what is wrong with a call in one sentence, with the nearest spelling."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from vitviz.errors import VitvizError

# What argparse says, and the same as a sentence that begins with the option.
_SENTENCES = (
    (r"argument ([^:]+): expected (?:one|at least one) argument", r"\1 has no value: give one after it."),
    (r"argument ([^:]+): ignored explicit argument '?(.*?)'?", r"\1 takes no value, and \2 was given: leave it out."),
    (r"the following arguments are required: (.*)", r"\1 is missing."),
    (r"ambiguous option: (\S+) could match (.*)", r"\1 may be one of \2: write the option out."),
    (r"argument ([^:]+): (.*)", r"\1 \2."),
)


class WrongCall(VitvizError):
    """A command was called with arguments that it does not take."""


class _Formatter(argparse.HelpFormatter):
    """Fills descriptions and keeps the lines of examples."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if "\n" in text else super()._fill_text(text, width, indent)


class Parser(argparse.ArgumentParser):
    """A parser that raises WrongCall where argparse prints its usage and exits."""

    def __init__(self, command: str, description: str, examples: str = "") -> None:
        """`command` is "" for the window."""
        super().__init__(
            prog=f"vitviz {command}".rstrip(),
            description=description,
            epilog=examples,
            formatter_class=_Formatter,
        )
        # So that -1,2 is the value of an option, as -1 is.
        self._negative_number_matcher = re.compile(r"-\.?\d")

    def parse(self, given: Sequence[str]) -> argparse.Namespace:
        """The arguments; options may stand between pictures."""
        if "--" in given:  # which the intermixed parser forgets
            at = given.index("--")
            given = [*given[:at], *(f"./{word}" if word.startswith("-") else word for word in given[at + 1 :])]
        found, rest = self.parse_known_intermixed_args(given)
        if not rest:
            return found
        option = next((word.split("=")[0] for word in rest if word.startswith("-")), None)
        if option is None:
            (takes,) = self._get_positional_actions()
            raise WrongCall(f"{rest[0]!r} is one argument too many: give one {takes.metavar}.")
        known = {name.lstrip("-"): name for name in self._option_string_actions}
        near = nearest(option.lstrip("-"), known)
        raise WrongCall(f"there is no option {option}{f': did you mean {known[near]}?' if near else '.'}")

    def error(self, message: str) -> NoReturn:
        """What argparse has to say, in our words."""
        for pattern, sentence in _SENTENCES:
            if found := re.fullmatch(pattern, message, re.DOTALL):
                raise WrongCall(found.expand(sentence))
        raise WrongCall(f"{message}.")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            words = [str(each) for each in action.choices]
            raise argparse.ArgumentError(action, unknown(str(value), words))


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The word that is spelt most like another one, if any is."""
    plain = {each.casefold(): each for each in words}
    return next((plain[each] for each in difflib.get_close_matches(word.casefold(), plain, n=1)), None)


def in_words(choices: Sequence[str]) -> str:
    """Such as "a, b or c"."""
    *most, last = choices
    return f"{', '.join(most)} or {last}" if most else last


def unknown(text: str, words: Sequence[str], others: str = "") -> str:
    """What came, the nearest of the words that may stand there, and all of them; `others` are values that are none."""
    all_ = in_words([others, *words] if others else words)
    near = nearest(text, words)
    return f"{text!r} is unknown: {f'did you mean {near}? Give' if near else 'give'} {all_}"
