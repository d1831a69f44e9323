"""Weight files -> tensors, without running anything that the file brings along."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors

from vitviz.errors import SourceError

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt")
MAX_CONFIG_BYTES = 8 * 2**20
_WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model", "model_state_dict")


def read_weights(path: Path) -> tuple[dict[str, torch.Tensor], str, list[str]]:
    """The tensors of a checkpoint by name, the SHA-256 of the file, and notes on what was unwrapped.

    Raises SourceError, whose sentence says what the file is and what to do, for anything but a state dict of tensors.
    """
    data = _bytes(path)
    digest = hashlib.sha256(data).hexdigest()
    notes: list[str] = []
    if len(data) > 8 and data[8:9] == b"{" and int.from_bytes(data[:8], "little") < len(data):
        try:
            return load_safetensors(data), digest, ["safetensors"]
        except (SafetensorError, ValueError, KeyError) as error:
            raise SourceError(
                f"{path.name} looks like safetensors but is damaged ({error}): fetch it again."
            ) from error
    content = _load_torch(path, data)
    notes.append("torch file, read with weights_only")
    for wrapper in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            notes.append(f"the weights lie under {wrapper!r}")
            content = content[wrapper]
            break
    tensors = {str(k): v for k, v in content.items() if torch.is_tensor(v)} if isinstance(content, dict) else {}
    if not tensors:
        raise SourceError(f"{path.name} holds no tensors: save the model's state_dict, or safetensors.")
    for prefix in ("module.", "_orig_mod.", "model."):
        if all(key.startswith(prefix) for key in tensors):
            notes.append(f"the prefix {prefix!r} was taken off every name")
            tensors = {key.removeprefix(prefix): value for key, value in tensors.items()}
    for key, value in tensors.items():
        if value.layout != torch.strided or value.is_meta or (value.numel() > 1 and 0 in value.stride()):
            raise SourceError(f"{path.name}: the tensor {key!r} is no plain array: save the state_dict again.")
    return tensors, digest, notes


def read_config(path: Path) -> dict[str, Any]:
    """The JSON object of a config file; SourceError where it is none, or too large."""
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise SourceError(f"{path.name} is larger than {MAX_CONFIG_BYTES} bytes, too large for a config.")
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{path} can't be read as JSON ({error}).") from error
    if not isinstance(config, dict):
        raise SourceError(f"{path.name} holds a {type(config).__name__}, not a JSON object.")
    return config


def _bytes(path: Path) -> bytes:
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            raise SourceError(f"{path} is no regular file: name a checkpoint file or a model folder.")
        # Read whole, not mapped: a training run that rewrites a mapped file would kill this process (SIGBUS).
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path} can't be read: {error.strerror or error}.") from error
    if not data:
        raise SourceError(f"{path.name} is empty: fetch it again.")
    if data.startswith(b"version https://git-lfs"):
        raise SourceError(f"{path.name} is a Git LFS pointer, not the weights: run 'git lfs pull' where it came from.")
    if data[:256].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise SourceError(f"{path.name} is a web page, not a checkpoint: download the file itself.")
    if data.startswith((b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM")):
        raise SourceError(f"{path.name} is a picture, not a checkpoint.")
    return data


def _load_torch(path: Path, data: bytes) -> Any:
    if data.startswith(b"PK"):
        _preflight(path, data)
    try:
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:
        raise SourceError(
            f"{path.name} can't be read as weights alone ({str(error).splitlines()[0][:160]}): "
            "save the model's state_dict with torch.save, or as safetensors, and open that."
        ) from error


def _preflight(path: Path, data: bytes) -> None:
    # torch.load bounds no memory: deflated members or sizes that don't add up are how a small file becomes a huge one.
    try:
        members = zipfile.ZipFile(io.BytesIO(data)).infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise SourceError(f"{path.name} is a damaged or cut-off archive ({error}): fetch it again.") from error
    if any("/code/" in member.filename for member in members):
        raise SourceError(f"{path.name} is a TorchScript program: save the state_dict of the model it was made from.")
    if any(m.compress_type != zipfile.ZIP_STORED for m in members) or sum(m.file_size for m in members) > len(data):
        raise SourceError(f"{path.name} is no archive as torch writes them (compressed members): save it with torch.")
