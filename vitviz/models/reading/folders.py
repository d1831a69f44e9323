"""Which files a path stands for: one file, the shards of an index, or the weights and configs of a folder.

Names as huggingface_hub and transformers write them.
"""

from __future__ import annotations

import json
import stat
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from vitviz.errors import SourceError
from vitviz.models.reading.preflight import amount, shortened

MAX_JSON = 8 * 2**20
MAX_SHARDS = 1000
MAX_LISTED = 10_000
SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".npz", ".tar")
_NAMES = (
    "model.safetensors", "model.safetensors.index.json", "open_clip_model.safetensors", "pytorch_model.bin",
    "pytorch_model.bin.index.json", "open_clip_pytorch_model.bin", "pytorch_model.pth", "model.pth",
)  # fmt: skip
CONFIGS = {"config.json": "", "preprocessor_config.json": "preprocessor"}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is read for one path.

    Attributes:
        files: of weights, at least one.
        folder: where configs may lie.
        strict: whether a broken config is an error (the user named the folder) or a note (the user named a file).
    """

    files: tuple[Path, ...]
    folder: Path
    strict: bool


def plan(path: Path) -> Plan:
    """Find the files of a path; SourceError where there are none, or too many to choose from."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            weights = _weights_in(path)
            return Plan(_shards(weights), path, strict=True)
    except OSError as error:
        raise SourceError(f"{path} can't be read: {error.strerror or error}.") from error
    except ValueError as error:  # a name with a NUL
        raise SourceError(f"The path {shortened(path)} is no path ({shortened(error)}): name a file.") from error
    if path.name == "config.json":
        raise SourceError(f"{path.name} is a config and holds no weights: open its folder {path.parent} instead.")
    return Plan(_shards(path), path.parent, strict=False)


def beside(found: Plan) -> tuple[dict[str, Any], list[str]]:
    """The configs in the folder as plain values, and notes on what was read and what was not."""
    values: dict[str, Any] = {}
    notes: list[str] = []
    for name, key in CONFIGS.items():
        path = found.folder / name
        try:
            if not path.exists():
                continue
            config = read_object(path)
        except (OSError, SourceError) as error:
            if found.strict:
                raise SourceError(str(error)) from None
            notes.append(f"{name} beside the file was left out: {error}")
            continue
        values = {**values, key: config} if key else config
        notes.append(read_note(name))
    return values, notes


def read_note(name: str) -> str:
    """What the notes say of a config that was read."""
    return f"{name} was read"


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file; SourceError where it is none, or too large."""
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            raise SourceError(f"{path.name} is no regular file: a JSON file was expected, so remove or replace it.")
        if info.st_size > MAX_JSON:
            raise SourceError(
                f"{path.name} is too large for a config: {amount(info.st_size)} where {amount(MAX_JSON)} are allowed, "
                "so remove or replace it."
            )
        with path.open("rb") as stream:
            value = json.loads(stream.read(MAX_JSON + 1))
    except OSError as error:
        raise SourceError(f"{path.name} can't be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise SourceError(
            f"{path.name} can't be read as JSON ({shortened(error)}): repair it, or open the weights file alone."
        ) from error
    if not isinstance(value, dict):
        raise SourceError(f"{path.name} holds a {type(value).__name__}, not a JSON object: repair or remove it.")
    return value


def _weights_in(folder: Path) -> Path:
    for name in _NAMES:
        if (folder / name).is_file():
            return folder / name
    listed = sorted(islice((p for p in folder.iterdir()), MAX_LISTED))
    files = [p for p in listed if p.suffix.lower() in SUFFIXES and p.is_file()]
    if len(files) == 1:
        return files[0]
    if files:
        names = ", ".join(p.name for p in files[:5]) + (", ..." if len(files) > 5 else "")
        raise SourceError(f"The folder {folder} holds {len(files)} weights files ({names}): open one of them.")
    if (folder / "saved_model.pb").exists() or (folder / "keras_metadata.pb").exists():
        raise SourceError(f"The folder {folder} is a TensorFlow SavedModel: export its weights as safetensors or .npz.")
    raise SourceError(
        f"The folder {folder} holds no weights: a file such as model.safetensors, pytorch_model.bin, .pth or .npz was "
        "expected, so name another folder."
    )


def _shards(path: Path) -> tuple[Path, ...]:
    """The path itself, or the files that an index lists; only names in the index's own folder count."""
    if not path.name.endswith(".index.json"):
        return (path,)
    names = read_object(path).get("weight_map")
    if not isinstance(names, dict) or not names or not all(isinstance(name, str) for name in names.values()):
        raise SourceError(f"{path.name} lists no files (weight_map): open the weights file itself.")
    files = sorted(set(names.values()))
    if len(files) > MAX_SHARDS:
        raise SourceError(f"{path.name} lists {len(files)} files, more than {MAX_SHARDS}: join them into one.")
    for name in files:
        if not name or name in (".", "..") or "/" in name or "\\" in name or "\0" in name or ":" in name:
            raise SourceError(f"{path.name} lists {shortened(name)}, which is no file beside it: open the file itself.")
        if not (path.parent / name).is_file():
            raise SourceError(f"{path.name} lists {shortened(name)}, which is not in its folder: fetch it too.")
    return tuple(path.parent / name for name in files)
