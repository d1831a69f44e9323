"""Weights from the model hub: one file into the shared cache, with bytes, speed and cancellation.

Only called when the user asked for a hub name; a file that is cached already is used without a network.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vitviz.errors import Cancelled, SourceError

Progress = Callable[[float | None, str], None]
_NAMES = ("model.safetensors", "pytorch_model.bin")
_WHOLE = ("model.safetensors", "model.safetensors.index.json", "open_clip_model.safetensors", *_NAMES[1:])
_BESIDE = ("config.json", "preprocessor_config.json")
_MOST_SHARDS = 64
# The client reads ten megabytes at a time, which on a slow line is silence for seconds.
_CHUNK = 2**20
_ASKED_EVERY, _PATIENCE = 0.05, 0.2  # seconds between two questions whether to go on; for a download to stop


def fetch_repository(repository: str, *, progress: Progress, cancel: Callable[[], bool]) -> Path:
    """The folder in the cache with a repository's configs and weights, shards included, downloaded where needed."""
    for name in _BESIDE:
        with contextlib.suppress(_NotThereError):
            _fetch(repository, (name,), progress=progress, cancel=cancel)
    weights = _fetch(repository, _WHOLE, progress=progress, cancel=cancel)
    if weights.name.endswith(".index.json"):
        shards = sorted({str(name) for name in _shards(weights)})
        for shard in shards[:_MOST_SHARDS]:
            _fetch(repository, (shard,), progress=progress, cancel=cancel)
    return weights.parent


def _shards(index: Path) -> list[str]:
    try:
        names = list(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SourceError(f"{index.name} of the repository is no index of shards, so its weights are lost.") from error
    if not all(isinstance(name, str) and name.endswith(".safetensors") and "/" not in name for name in names):
        raise SourceError(f"{index.name} of the repository names shards that are no safetensors files.")
    return names


class _NotThereError(SourceError):
    """The repository has none of the files that were asked for."""


def fetch(repository: str, filename: str | None, *, progress: Progress, cancel: Callable[[], bool]) -> Path:
    """The cached path of a repository's weights, downloaded where needed.

    Raises SourceError in one sentence where the hub can't be reached or lacks the file, Cancelled on request.
    """
    return _fetch(repository, (filename,) if filename else _NAMES, progress=progress, cancel=cancel)


def _fetch(repository: str, names: tuple[str, ...], *, progress: Progress, cancel: Callable[[], bool]) -> Path:
    from huggingface_hub import constants, errors, hf_hub_download, try_to_load_from_cache

    # Its warnings about retries would stand before our one sentence.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)

    name, _, revision = repository.partition("@")
    for candidate in names:
        cached = try_to_load_from_cache(name, candidate, revision=revision or None)
        if isinstance(cached, str):
            return Path(cached)
    constants.DOWNLOAD_CHUNK_SIZE = min(constants.DOWNLOAD_CHUNK_SIZE, _CHUNK)
    for candidate in names:
        title = f"{name}/{candidate}"
        progress(None, f"Asking the hub for {title}")
        try:
            download = functools.partial(hf_hub_download, name, candidate, revision=revision or None)
            return Path(_cancellable(download, title, progress, cancel))
        except (errors.RepositoryNotFoundError, errors.GatedRepoError) as error:
            raise SourceError(
                f"The hub has no repository {name} that you may read: check the name, or log in with 'hf auth login'."
            ) from error
        except errors.LocalEntryNotFoundError as error:
            raise SourceError(
                f"The weights of {name} are not on this machine and the hub can't be reached: "
                "connect to the network and try again, open a file, or use random weights."
            ) from error
        except errors.EntryNotFoundError:
            continue
        except Cancelled:
            raise
        except Exception as error:  # the client's own kinds differ between its releases
            raise SourceError(f"The download of {name} failed ({type(error).__name__}): try again later.") from error
    raise _NotThereError(f"The repository {name} holds none of {', '.join(str(n) for n in names)}.")


def _cancellable(download: Callable[..., str], title: str, progress: Progress, cancel: Callable[[], bool]) -> str:
    """What the download returns; Cancelled within a quarter of a second, however long the line is silent."""
    given_up = threading.Event()
    ended: list[str | BaseException] = []

    def run() -> None:
        try:
            ended.append(download(tqdm_class=_bar(title, progress, lambda: given_up.is_set() or cancel())))
        except BaseException as error:  # noqa: BLE001  raised again below, in the thread that asked
            ended.append(error)

    thread = threading.Thread(target=run, name="vitviz-download", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_ASKED_EVERY)
        if thread.is_alive() and cancel():
            given_up.set()
            # A thread that hears nothing from its line ends with the line; it writes to a file that is none yet.
            thread.join(_PATIENCE)
            raise Cancelled(f"The download of {title} was cancelled.")
    (result,) = ended
    if isinstance(result, BaseException):
        raise result
    return result


def _bar(title: str, progress: Progress, cancel: Callable[[], bool]) -> type[Any]:
    from tqdm.auto import tqdm

    class Bar(tqdm):  # type: ignore[misc]
        """Hands the bytes to our progress instead of drawing; the hub's own hook for that is its tqdm class."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)
            kwargs["disable"] = True
            super().__init__(*args, **kwargs)
            self._done, self._size, self._start = kwargs.get("initial", 0), kwargs.get("total"), time.monotonic()

        def update(self, n: float | None = 1) -> bool | None:
            if cancel():
                raise Cancelled(f"The download of {title} was cancelled.")
            self._done += n or 0
            speed = self._done / max(time.monotonic() - self._start, 1e-3)
            share = self._done / self._size if self._size else None
            size = f" of {self._size / 1e6:.1f}" if self._size else ""
            progress(share, f"Fetching {title}: {self._done / 1e6:.1f}{size} MB, {speed / 1e6:.1f} MB/s")
            return None

    return Bar
