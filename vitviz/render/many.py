"""Many pictures through one model to files: reading, the model and writing overlap; done ones are skipped.

One picture that fails, for whatever reason, never stops the rest.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vitviz.attention.batches import traces
from vitviz.attention.lanes import Lanes, in_order
from vitviz.errors import Cancelled, FileError, VitvizError
from vitviz.images import Image, read_image
from vitviz.ordinary import is_folder, is_there
from vitviz.render.codec import to_json
from vitviz.render.compose import empty_words
from vitviz.render.folders import Item
from vitviz.render.letters import lacking
from vitviz.render.plan import NUMBERS, Plan, Seen
from vitviz.render.product import Run
from vitviz.render.recipe import Prepared, prepare
from vitviz.render.resuming import Made, digest_of, free_path, is_done, key_of, made_in

if TYPE_CHECKING:
    from vitviz.models.model import Model

_READERS, _WRITERS, _AHEAD = 2, 2, 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one picture: the files that were written, nothing where they were there, or why it failed.

    Attributes:
        note: what of the files would surprise: a map that is 0 everywhere, letters that the font lacks.
        replaced: whether older figures of the same picture were written over.
    """

    item: Item
    written: tuple[Path, ...] = ()
    skipped: bool = False
    problem: str = ""
    note: str = ""
    replaced: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be made of every picture.

    Attributes:
        plans: the plans for a picture that was seen.
        wish: stands for `plans` in words, so that a file can be told to be what is asked for now.
        out: the folder of all figures.
        batch: pictures in one pass of the model.
        resume: skip pictures whose files are all there.
        altered: what is seen instead, where heads are switched off.
    """

    plans: Callable[[Seen], Iterable[Plan]] = field(repr=False)
    wish: str
    out: Path
    batch: int = 1
    resume: bool = True
    altered: Callable[[Seen], Seen] = field(default=lambda seen: seen, repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    item: Item
    key: str
    image: Image | None = None
    view: Tensor | None = None
    problem: str = ""


def wish_of(plan: Plan, *spread: object) -> str:
    """What stands for a plan and how it is spread over layers and heads."""
    return json.dumps([to_json(plan), [str(each) for each in spread]], sort_keys=True)


def export_many(
    model: Model, items: Sequence[Item], job: Job, *, cancel: Callable[[], bool] = lambda: False
) -> Iterator[Outcome]:
    """Make the files of every picture; one Outcome for each, in order, as soon as its files are on the disk.

    Raises Cancelled, with all that was begun written, when `cancel` says so.
    """
    made = made_in({job.out / item.folder for item in items})
    owners = {each.path: each.picture for each in made}
    done: dict[str, list[Made]] = {}
    for each in made if job.resume else ():
        done.setdefault(each.asked, []).append(each)
    with (
        _pool(_READERS, "vitviz-reader") as readers,
        _pool(_WRITERS, "vitviz-writer") as writers,
        Lanes(model, len(items), batch=job.batch, cancel=cancel) as lanes,
    ):
        # Bounded at every step: pictures and maps that wait for the next one take memory.
        read = in_order(lambda item: readers.submit(_read, model, item, job, done), items, job.batch + _AHEAD)
        seen = in_order(
            lambda group: lanes.submit(lambda own: _seen(own, group, job, lanes.cancelled)),
            _groups(read, job.batch),
            lanes.count,
        )
        each_seen = (ready for group in seen for ready in group)
        for outcome in in_order(lambda ready: writers.submit(_write, ready, job, owners), each_seen, _AHEAD):
            yield outcome
            if cancel():
                raise Cancelled("The export was cancelled.")


@contextlib.contextmanager
def _pool(count: int, name: str) -> Iterator[ThreadPoolExecutor]:
    """Threads that end with what they have begun; after an exception nothing that waits is begun any more."""
    pool = ThreadPoolExecutor(count, name)
    try:
        yield pool
    except BaseException:
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()


def _groups(read: Iterator[_Read], size: int) -> Iterator[list[_Read]]:
    while group := list(islice(read, size)):
        yield group


def _read(model: Model, item: Item, job: Job, done: dict[str, list[Made]]) -> _Read:
    """In a reader: the picture and the model's view of it, or why not."""
    key = digest = ""
    try:
        with contextlib.suppress(OSError):  # why it can't be read is said by read_image
            digest = digest_of(item.path)
        key = key_of(digest, model, item, job.wish) if digest else ""
        if key and is_done(done.get(key, [])):
            return _Read(item, key)
        image = read_image(item.path)
        return _Read(item, key_of(image.sha256, model, item, job.wish), image, model.preprocess(image))
    except Exception as error:  # noqa: BLE001  whatever a picture does, the others are exported
        return _Read(item, key, problem=_why(item, error))


def _seen(model: Model, ready: list[_Read], job: Job, cancel: Callable[[], bool]) -> list[_Ready]:
    """In a lane: the model, and all that is computed."""
    good = [each for each in ready if each.image is not None and each.view is not None]
    found = _traced(model, good, job, cancel) if good else {}
    return [found.get(id(each)) or _Ready(each, problem=each.problem) for each in ready]


def _traced(model: Model, good: list[_Read], job: Job, cancel: Callable[[], bool]) -> dict[int, _Ready]:
    try:
        images = [each.image for each in good if each.image is not None]
        many = traces(model, images, views=[e.view for e in good if e.view is not None], cancel=cancel)
        each_seen = ((read, Seen(image, model, t)) for read, image, t in zip(good, images, many, strict=True))
        return {id(read): _prepared(read, seen, job, len(good), cancel) for read, seen in each_seen}
    except Cancelled:
        raise
    except Exception as error:  # noqa: BLE001  whatever a picture does, the others are exported
        if len(good) == 1:
            return {id(good[0]): _Ready(good[0], problem=_why(good[0].item, error))}
    # One of the batch is the cause: the others are made without it.
    return {key: ready for each in good for key, ready in _traced(model, [each], job, cancel).items()}


@dataclass(frozen=True, slots=True, eq=False)
class _Ready:
    read: _Read
    files: tuple[Prepared, ...] = ()
    problem: str = ""
    note: str = ""


def _prepared(read: _Read, seen: Seen, job: Job, batch: int, cancel: Callable[[], bool]) -> _Ready:
    try:
        seen = job.altered(seen)
        run = Run(batch, torch.get_num_threads() if seen.model.device.name == "cpu" else None)
        files = []
        for plan in job.plans(seen):
            if cancel():
                raise Cancelled("The export was cancelled.")
            files.append(prepare(plan, seen, run=run, stem=read.item.stem))
    except Cancelled:
        raise
    except Exception as error:  # noqa: BLE001  whatever a picture does, the others are exported
        return _Ready(read, problem=_why(read.item, error))
    empty = {words: None for f in files if all(words := empty_words(tile.shown) for tile in f.tiles)}
    # The trace, which is large, is not kept until the files are written.
    small = replace(seen, trace=None)  # type: ignore[arg-type]
    made = [{"asked": read.key, "part": i, "parts": len(files)} for i in range(len(files))]
    named = {tile.label for f in files if f.plan.format not in ("svg", "mask", *NUMBERS) for tile in f.tiles}
    told = [*empty, *filter(None, [lacking(sorted(named))])]
    note = f"{read.item.path.name}: {'; '.join(told)}" if told else ""
    return _Ready(read, tuple(replace(f, seen=small, made=m) for f, m in zip(files, made, strict=True)), note=note)


def _write(ready: _Ready, job: Job, owners: dict[Path, str]) -> Outcome:
    """In a writer: draw, pack and write; numpy, Pillow and the disk only."""
    item = ready.read.item
    if ready.problem:
        return Outcome(item, problem=ready.problem)
    if not ready.files:
        return Outcome(item, skipped=True)
    written: list[Path] = []
    replaced = False
    try:
        folder = job.out / item.folder
        folder.mkdir(parents=True, exist_ok=True)
        for each in ready.files:
            product = each.finish()
            path = free_path(folder / product.name, each.recipe["picture"]["sha256"], owners)
            replaced |= is_there(path)
            product.write(path)
            written.append(path)
    except OSError as error:
        return Outcome(item, tuple(written), problem=_no_folder(job.out / item.folder, error))
    except Exception as error:  # noqa: BLE001  whatever a picture does, the others are exported
        return Outcome(item, tuple(written), problem=_why(item, error))
    return Outcome(item, tuple(written), note=ready.note, replaced=replaced)


def _why(item: Item, error: Exception) -> str:
    name = item.path.name
    if not isinstance(error, VitvizError | OSError):
        return f"{name} failed: {type(error).__name__}: {error}"
    return str(error) if name in str(error) else f"{name}: {error}"


def checked_folder(out: Path) -> None:
    """Make the folder of all figures; FileError where that can't be."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(_no_folder(out, error)) from error


def _no_folder(out: Path, error: OSError) -> str:
    file = next((each for each in (out, *out.parents) if is_there(each) and not is_folder(each)), None)
    why = f"{file} is a file" if file is not None else error.strerror
    return f"The folder {out} can't be made: {why}; choose another one."
