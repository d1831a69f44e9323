"""What to do when memory runs out: step by step, until the model fits or nothing is left to give up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from vitviz.errors import ModelError, in_one_line

if TYPE_CHECKING:
    from vitviz.models.wish import ModelWish

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step:
    """One attempt: the wish as it is tried, what was given up for it in words, and what must be done before."""

    wish: ModelWish
    words: str = ""
    before: Callable[[], object] = lambda: None


def steps(wish: ModelWish, device: str, drop: Callable[[], object]) -> list[Step]:
    """The attempts for a wish on a device: as wished, without cached models, in small chunks, halved, on the CPU."""
    made = [
        Step(wish),
        Step(wish, "the models that no pane shows were unloaded", drop),
        Step(wish, "rows of attention are computed in smaller chunks", _smaller_chunks),
    ]
    if wish.precision == "float32":
        half = "float16" if device == "mps" else "bfloat16"
        made.append(Step(replace(wish, precision=half), f"it runs in half precision ({half})", drop))
    if device != "cpu":
        made.append(Step(replace(wish, device="cpu"), "it runs on the CPU", drop))
    return made


def attempt(made: list[Step], work: Callable[[Step], T]) -> tuple[T, Step]:
    """The first step at which `work` does not run out of memory, with its result.

    Raises ModelError, which says what was tried, after the last one; any other error as it comes.
    """
    said = ""
    for step in made:
        step.before()
        try:
            return work(step), step
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            said = in_one_line(error, 200)
        # Outside the except block: until its end the traceback holds every tensor of the failed attempt.
        _release()
    tried = "; ".join(step.words for step in made if step.words)
    raise ModelError(f"There is not enough memory ({said}). Tried in vain: {tried}. Choose a smaller view or model.")


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether this error, or what caused it, is a want of memory: of a GPU, of torch on the CPU, or of Python."""
    import torch

    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, torch.OutOfMemoryError | MemoryError):
            return True
        if isinstance(error, RuntimeError) and "can't allocate memory" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _smaller_chunks() -> None:
    from vitviz.attention import layer

    layer.shrink_chunks()


def _release() -> None:
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
