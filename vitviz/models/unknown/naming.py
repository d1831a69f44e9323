"""The words in names of modules and parameters, and what they say about roles and order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

Part = Literal["q", "k", "v", "kv", "qkv"]

_QUERY = {"q", "query", "queries", "wq", "qw", "qproj", "toq", "qlin", "qlinear", "linearq", "fcq", "qs"}
_KEY = {"k", "key", "keys", "wk", "kw", "kproj", "tok", "klin", "klinear", "lineark", "fck", "ks"}
_VALUE = {"v", "value", "values", "wv", "vw", "vproj", "tov", "vlin", "vlinear", "linearv", "fcv", "vs", "val"}
ATTENTION = {"attn", "attention", "att", "msa", "mha", "mhsa", "sa", "self", "selfattn"}
FEED = {"mlp", "ffn", "ff", "feed", "forward", "fc", "dense", "linear", "net", "lin", "up", "down", "feedforward"}
OUT = {"out", "o", "output", "proj", "projection", "wo", "final", "unify", "combine", "merge", "concat"}
_FIRST = {"up", "in", "expand", "first", "pre", "before", "input", "attn", "attention", "a", "inner"}
_SECOND = {"down", "out", "contract", "second", "post", "after", "output", "mlp", "ffn", "ff", "b", "proj"}
SCALES = {"gamma", "ls", "scale", "lambda", "layerscale", "alpha"}
# Words that begin so; what has none of them is told by shape and place in the file.
PATCH = ("patch", "embed", "token", "input", "stem", "mapper", "conv", "proj", "linear")
HEAD = ("head", "class", "clf", "cls", "logit", "fc", "out", "predict", "dense", "lm", "final")
CLASS = ("cls", "class", "token", "sos")
REGISTER = ("reg", "registers", "register", "storage", "memory")


def words(name: str) -> list[str]:
    """The words of a name in lower case: "encoder.selfAttn_W-q1" -> encoder, self, attn, w, q."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]


def part_of(name: str) -> Part | None:
    """Which of q, k and v the matrix of this name makes, by the words of the name alone."""
    found = [word for word in re.split(r"[^a-z]+", name.lower()) if word]
    if any("qkv" in word for word in found) or "query_key_value" in name.lower():
        return "qkv"
    if any(word in ("kv", "tokv", "wkv", "kvproj") for word in found):
        return "kv"
    parts: tuple[tuple[Part, set[str]], ...] = (("q", _QUERY), ("k", _KEY), ("v", _VALUE))
    # The last word decides: a module called "attention.key.value" does not exist, "value.key" neither.
    for word in (*reversed(found), *reversed(words(name))):
        for part, known in parts:
            if word in known or word.removeprefix("to") in known:
                return part
    return None


def shared(one: str, other: str) -> int:
    """How many parts of two paths are the same from the start on."""
    count = 0
    for a, b in zip(re.split(r"[._-]", one), re.split(r"[._-]", other), strict=False):
        if a != b:
            break
        count += bool(a)
    return count


def natural(name: str) -> list[tuple[int, str]]:
    """A key to sort names by, numbers in them as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def place(name: str) -> tuple[int, list[tuple[int, str]]]:
    """A key to sort names that come in twos: by what their words say, else as people number and letter them."""
    told = words(name.rpartition(".")[2])
    later = sum(word.startswith("post") for word in told) - sum(word.startswith("pre") for word in told)
    return later + count(name, _SECOND) - count(name, _FIRST), natural(name)


def count(name: str, known: set[str]) -> int:
    """How many words of a name are among these."""
    return sum(word in known for word in words(name))


def says(name: str, known: Sequence[str]) -> int:
    """How many words of a name begin as one of these."""
    return sum(word.startswith(tuple(known)) for word in words(name))
