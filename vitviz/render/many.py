"""Many pictures through one model to files: reading, the model and writing overlap; done ones are skipped.

One picture that fails, for whatever reason, never stops the rest.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from vitviz.attention.batches import traces
from vitviz.errors import Cancelled, FileError, VitvizError
from vitviz.images import MAX_BYTES, Image, read_image
from vitviz.render.codec import to_json
from vitviz.render.folders import Item
from vitviz.render.plan import Plan, Seen
from vitviz.render.recipe import VERSION, Prepared, prepare

if TYPE_CHECKING:
    from vitviz.models.model import Model

MAX_SIDECAR = 2**20
_READERS, _WRITERS, _AHEAD = 2, 2, 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one picture: the files that were written, nothing where they were there, or why it failed."""

    item: Item
    written: tuple[Path, ...] = ()
    skipped: bool = False
    problem: str = ""


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
    done = _done(job.out, items) if job.resume else {}
    with (
        ThreadPoolExecutor(_READERS, "vitviz-reader") as readers,
        ThreadPoolExecutor(_WRITERS, "vitviz-writer") as writers,
    ):
        reading: deque[Future[_Read]] = deque()
        writing: deque[Future[Outcome]] = deque()
        coming = iter(items)
        ready: list[_Read] = []
        try:
            while True:
                while len(reading) < job.batch + _AHEAD and (item := next(coming, None)) is not None:
                    reading.append(readers.submit(_read, model, item, job, done))
                if not reading and not ready:
                    break
                if reading:
                    ready.append(reading.popleft().result())
                if len(ready) >= job.batch or not reading:
                    writing += [writers.submit(_write, each, job) for each in _seen(model, ready, job, cancel)]
                    ready = []
                # Bounded: pictures and maps that wait to be written take memory.
                while writing and (writing[0].done() or len(writing) > job.batch + _AHEAD):
                    yield writing.popleft().result()
                if cancel():
                    raise Cancelled("The export was cancelled.")
        except BaseException:
            for future in reading:
                future.cancel()
            raise
        while writing:
            yield writing.popleft().result()


def _read(model: Model, item: Item, job: Job, done: dict[str, list[dict[str, Any]]]) -> _Read:
    """In a reader: the picture and the model's view of it, or why not."""
    key = digest = ""
    try:
        with contextlib.suppress(OSError):  # why it can't be read is said by read_image
            digest = _digest(item.path)
        key = _key(digest, model, item, job.wish) if digest else ""
        if key and _is_done(done.get(key, [])):
            return _Read(item, key)
        image = read_image(item.path)
        return _Read(item, _key(image.sha256, model, item, job.wish), image, model.preprocess(image))
    except (VitvizError, OSError) as error:
        return _Read(item, key, problem=str(error))
    except Exception as error:  # noqa: BLE001  whatever a picture does, the others are exported
        return _Read(item, key, problem=f"{item.path.name} failed: {type(error).__name__}: {error}")


def _seen(model: Model, ready: list[_Read], job: Job, cancel: Callable[[], bool]) -> list[_Ready]:
    """In the caller's thread: the model, and all that needs torch."""
    good = [each for each in ready if each.image is not None and each.view is not None]
    found: dict[int, _Ready] = {}
    if good:
        try:
            images = [each.image for each in good if each.image is not None]
            many = traces(model, images, views=[e.view for e in good if e.view is not None], cancel=cancel)
            for each, image, trace in zip(good, images, many, strict=True):
                found[id(each)] = _prepared(each, Seen(image, model, trace), job, len(good))
        except Cancelled:
            raise
        except VitvizError as error:
            found |= {id(each): _Ready(each, problem=str(error)) for each in good}
    return [found.get(id(each)) or _Ready(each, problem=each.problem) for each in ready]


@dataclass(frozen=True, slots=True, eq=False)
class _Ready:
    read: _Read
    files: tuple[Prepared, ...] = ()
    problem: str = ""


def _prepared(read: _Read, seen: Seen, job: Job, batch: int) -> _Ready:
    try:
        seen = job.altered(seen)
        files = [prepare(plan, seen, batch=batch, stem=read.item.stem) for plan in job.plans(seen)]
    except VitvizError as error:
        return _Ready(read, problem=f"{read.item.path.name}: {error}")
    # The trace, which is large, is not kept until the files are written.
    small = replace(seen, trace=None)  # type: ignore[arg-type]
    made = [{"asked": read.key, "part": i, "parts": len(files)} for i in range(len(files))]
    return _Ready(read, tuple(replace(f, seen=small, made=m) for f, m in zip(files, made, strict=True)))


def _write(ready: _Ready, job: Job) -> Outcome:
    """In a writer: draw, pack and write; numpy, Pillow and the disk only."""
    item = ready.read.item
    if ready.problem:
        return Outcome(item, problem=ready.problem)
    if not ready.files:
        return Outcome(item, skipped=True)
    written: list[Path] = []
    try:
        folder = job.out / item.folder
        folder.mkdir(parents=True, exist_ok=True)
        for each in ready.files:
            product = each.finish()
            product.write(folder / product.name)
            written.append(folder / product.name)
    except VitvizError as error:
        return Outcome(item, tuple(written), problem=str(error))
    except OSError as error:
        problem = f"The folder {job.out / item.folder} can't be made: {error.strerror}; choose another one."
        return Outcome(item, tuple(written), problem=problem)
    except Exception as error:  # noqa: BLE001  whatever a picture does, the others are exported
        return Outcome(item, tuple(written), problem=f"{item.path.name} failed: {type(error).__name__}: {error}")
    return Outcome(item, tuple(written))


def _key(digest: str, model: Model, item: Item, wish: str) -> str:
    """What a file must have been asked for as, to be the one that is asked for now: a copy of a picture has its own."""
    place = (item.folder / item.stem).as_posix()
    identity = json.dumps([VERSION, digest, place, model.identity, model.device.name, wish], sort_keys=True)
    return hashlib.sha256(identity.encode()).hexdigest()


def _digest(path: Path) -> str:
    """sha256 of an ordinary file of a sound size, "" for anything else: reading it will say what is wrong."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode) or not 0 < found.st_size <= MAX_BYTES:
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _done(out: Path, items: Sequence[Item]) -> dict[str, list[dict[str, Any]]]:
    """What the recipes in the folders of the figures say of files that were made, by what they were asked for as."""
    found: dict[str, list[dict[str, Any]]] = {}
    for folder in {out / item.folder for item in items}:
        for path in folder.glob("*.json") if folder.is_dir() else ():
            try:
                if path.stat().st_size > MAX_SIDECAR:
                    continue
                made = json.loads(path.read_bytes())["made"]
                key, parts, digest = made["asked"], int(made["parts"]), str(made["sha256"])
            except (OSError, ValueError, KeyError, TypeError, RecursionError):
                continue
            whole = {"path": path.with_suffix(""), "parts": parts, "sha256": digest, "part": made.get("part")}
            found.setdefault(str(key), []).append(whole)
    return found


def _is_done(files: list[dict[str, Any]]) -> bool:
    """Whether all files of a picture are there, and are still what was written."""
    if not files or {f["part"] for f in files} != set(range(files[0]["parts"])):
        return False
    try:
        return all(_digest(f["path"]) == f["sha256"] for f in files)
    except OSError:
        return False


def checked_folder(out: Path) -> None:
    """Make the folder of all figures; FileError where that can't be."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"The folder {out} can't be made: {error.strerror}; choose another one.") from error
