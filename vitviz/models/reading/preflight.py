"""What a weights file claims, checked before anything is allocated for it, and its tensors, checked after.

`torch.load` bounds no memory: a zip of 262 kB became 256 MB, and a file of 1.5 kB declared a tensor of 4 TB by a stride
of 0 (measured for SAFETY, "Checkpoints"; see also CVE-2025-32434 and CVE-2026-24747 for its `weights_only`).
Formats: https://huggingface.co/docs/safetensors, numpy.lib.format (NEP 1), APPNOTE.TXT of PKWARE.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from vitviz.errors import SourceError

MAX_MEMBERS = 50_000
MAX_HEADER = 16 * 2**20
MAX_TENSORS = 20_000
MAX_DIMS = 16
MAX_SIDE = 2**48
# Tied weights are one storage under a few names; more than this is a file that multiplies itself.
MAX_SHARING = 4

SAFETENSORS_DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64,
    "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
    "U16": torch.uint16, "U32": torch.uint32, "U64": torch.uint64, "C64": torch.complex64,
    "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2,
}  # fmt: skip
# "|V2" is how numpy writes the bfloat16 of JAX.
NUMPY_DTYPES = {
    "<f8": torch.float64, "<f4": torch.float32, "<f2": torch.float16, "|V2": torch.bfloat16, "<V2": torch.bfloat16,
    "<i8": torch.int64, "<i4": torch.int32, "<i2": torch.int16, "|i1": torch.int8, "|u1": torch.uint8,
    "|b1": torch.bool, "<u4": torch.uint32,
}  # fmt: skip
_NPY_HEADER = re.compile(
    rb"\{'descr': '([^']{1,8})', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,15}, ?)*(?:\d{1,15},?)?)\),? ?\} *\n?"
)


@dataclass(frozen=True, slots=True)
class Extent:
    """An array in a file: its bytes [start, end), type and shape."""

    start: int
    end: int
    dtype: torch.dtype
    shape: tuple[int, ...]
    fortran: bool = False


def amount(size: int) -> str:
    """A number of bytes in words: "1.5 kB", "4.0 TB"."""
    value = float(size)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB" if value < 1e6 else "more than a million TB"


def default_budget() -> int:
    """Half the memory of the machine, since the file and its tensors are held at once; in bytes."""
    try:
        return max(2**30, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2)
    except (AttributeError, ValueError, OSError):  # not on Windows
        return 8 * 2**30


def check_start(name: str, head: bytes, size: int) -> None:
    """Refuse a cut-off safetensors by its first bytes, before the rest of a large file is read."""
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") > size - 8:
        raise SourceError(f"{name} looks like safetensors but is damaged or cut off: fetch it again.")


def check_budget(name: str, declared: int, budget: int) -> None:
    """Refuse, before it is allocated, what is larger than the budget; both in bytes."""
    if declared > budget:
        raise SourceError(
            f"{name} declares {amount(declared)} of weights where at most {amount(budget)} are allowed: "
            "raise the memory budget, or save the weights alone and in half precision."
        )


def zip_members(data: bytes, name: str, look: Callable[[list[str]], None]) -> dict[str, tuple[int, int]]:
    """The stored members of an archive as torch and numpy write them: name -> (start, end) of their bytes.

    `look` is shown the names first, and raises where they tell what else the archive is. Raises SourceError for what
    neither writes: compressed, encrypted, doubled, overlapping or absurdly named members.
    """
    # Counted before the directory is read, which costs half a kilobyte for each entry.
    if data.count(b"PK\x01\x02") > MAX_MEMBERS:
        raise SourceError(f"{name} is an archive of more than {MAX_MEMBERS} members: save the model's state_dict.")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OverflowError, struct.error, EOFError) as error:
        raise SourceError(f"{name} is a damaged or cut-off archive ({shortened(error)}): fetch it again.") from error
    look([member.filename for member in members])
    if any(member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1 for member in members):
        raise SourceError(
            f"{name} is no archive as torch or numpy write weights (compressed members): save it with torch.save."
        )
    found: dict[str, tuple[int, int]] = {}
    reached = 0
    for member in sorted(members, key=lambda member: member.header_offset):
        offset, label = member.header_offset, member.filename
        header = data[offset : offset + 30]
        if len(header) < 30 or header[:4] != b"PK\x03\x04" or offset < reached:
            raise SourceError(f"{name} is a damaged archive (the member {shortened(label)} overlaps): fetch it again.")
        start = offset + 30 + sum(struct.unpack("<HH", header[26:30]))
        reached = start + member.file_size
        if member.compress_size != member.file_size or reached > len(data):
            raise SourceError(
                f"{name} is a damaged or cut-off archive (the sizes of its members exceed the file): fetch it again."
            )
        if label in found or label.startswith("/") or "\\" in label or "\0" in label or ".." in label.split("/"):
            raise SourceError(
                f"{name} is no archive as torch writes them (member name {shortened(label)}): save it with torch.save."
            )
        found[label] = (start, reached)
    if not found:
        raise SourceError(f"{name} is an empty archive: fetch it again.")
    return found


def safetensors_extents(data: bytes, name: str) -> tuple[dict[str, Extent], dict[str, str]]:
    """Where the arrays of a safetensors file lie, and its metadata, from the header alone."""
    length = int.from_bytes(data[:8], "little")
    if length > MAX_HEADER:
        raise SourceError(f"{name} has a safetensors header of {amount(length)}, too large to be one: fetch it again.")
    try:
        header = json.loads(data[8 : 8 + length])
    except (ValueError, RecursionError) as error:
        raise SourceError(
            f"{name} looks like safetensors but its header is damaged or cut off ({shortened(error)}): fetch it again."
        ) from error
    if not isinstance(header, dict):
        raise SourceError(f"{name} looks like safetensors but its header is no JSON object: fetch it again.")
    metadata = header.pop("__metadata__", None) or {}
    if len(header) > MAX_TENSORS:
        raise SourceError(f"{name} holds more than {MAX_TENSORS} tensors: save the encoder's state_dict alone.")
    extents = {label: _extent(entry, 8 + length, name, label) for label, entry in header.items()}
    reached = 8 + length
    for extent in sorted(extents.values(), key=lambda extent: (extent.start, extent.end)):
        if extent.start != reached:
            raise SourceError(f"{name} is no valid safetensors (its arrays overlap or leave gaps): save it again.")
        reached = extent.end
    if reached != len(data):
        raise SourceError(
            f"{name} is damaged or cut off: its header declares {amount(reached)} and the file has "
            f"{amount(len(data))}, so fetch it again."
        )
    if not isinstance(metadata, dict):
        metadata = {}
    return extents, {k: v for k, v in metadata.items() if isinstance(v, str) and len(v) <= 10_000}


def _extent(entry: object, base: int, name: str, label: str) -> Extent:
    if isinstance(entry, dict):
        shape, offsets = _sizes(entry.get("shape"), MAX_DIMS), _sizes(entry.get("data_offsets"), 2)
        if isinstance(entry.get("dtype"), str) and shape is not None and offsets is not None and len(offsets) == 2:
            dtype = SAFETENSORS_DTYPES.get(entry["dtype"])
            if dtype is None:
                raise SourceError(
                    f"{name} holds {shortened(label)} as {shortened(entry['dtype'])}, which can't be read: "
                    "save it in float32, float16 or bfloat16."
                )
            if math.prod(shape) * dtype.itemsize == offsets[1] - offsets[0]:
                return Extent(base + offsets[0], base + offsets[1], dtype, shape)
    raise SourceError(f"{name} is no valid safetensors (the entry {shortened(label)} does not add up): save it again.")


def _sizes(value: object, most: int) -> tuple[int, ...] | None:
    if isinstance(value, list) and len(value) <= most:
        sides = tuple(side for side in value if type(side) is int and 0 <= side < MAX_SIDE)
        return sides if len(sides) == len(value) else None
    return None


def npy_extent(data: bytes, start: int, end: int, name: str, label: str) -> Extent:
    """Where the array of one .npy member lies; its header is matched, not evaluated as numpy does."""
    head = data[start : min(end, start + 12)]
    if head[:6] != b"\x93NUMPY" or len(head) < 12 or head[6] not in (1, 2, 3):
        raise SourceError(f"{name} is damaged (the member {shortened(label)} is no numpy array): fetch it again.")
    width = 2 if head[6] == 1 else 4
    first = start + 8 + width
    body = first + int.from_bytes(head[8 : 8 + width], "little")
    matched = _NPY_HEADER.fullmatch(data[first:body]) if body <= end and body - first <= 10_000 else None
    if matched is None or b"O" in matched[1]:
        raise SourceError(
            f"{name} holds {shortened(label)}, which is no plain numpy array of numbers (objects are not read): "
            "save plain arrays with numpy.savez."
        )
    dtype = NUMPY_DTYPES.get(matched[1].decode("latin1"))
    shape = tuple(int(side) for side in matched[3].replace(b" ", b"").split(b",") if side)
    if dtype is None or len(shape) > MAX_DIMS:
        raise SourceError(
            f"{name} holds {shortened(label)} as {shortened(matched[1])}, which can't be read: save float32."
        )
    if math.prod(shape) * dtype.itemsize != end - body:
        raise SourceError(f"{name} is damaged (the sizes of {shortened(label)} don't add up): fetch it again.")
    return Extent(body, end, dtype, shape, fortran=matched[2] == b"True")


def check_tensors(name: str, tensors: Mapping[str, torch.Tensor], file_bytes: int) -> None:
    """Refuse tensors that are no plain arrays, or that claim more elements than their storage or the file has."""
    total = 0
    for label, tensor in tensors.items():
        kind = (
            "meta" if tensor.is_meta
            else "quantised" if tensor.is_quantized
            else "sparse" if tensor.layout != torch.strided
            else ""
        )  # fmt: skip
        if kind:
            raise SourceError(f"{name}: the tensor {shortened(label)} is {kind}, no plain array: save plain tensors.")
        size = tensor.numel() * tensor.element_size()
        repeats = any(step == 0 and side > 1 for step, side in zip(tensor.stride(), tensor.shape, strict=True))
        if (repeats and tensor.numel() > 1) or size > tensor.untyped_storage().nbytes():
            raise SourceError(
                f"{name}: the tensor {shortened(label)} claims {amount(size)} that the file does not hold, no plain "
                "array: save the state_dict again, with .contiguous() tensors."
            )
        total += size
    if total > MAX_SHARING * file_bytes + 2**20:
        raise SourceError(
            f"{name} has {amount(file_bytes)} and declares {amount(total)} of weights by sharing: "
            "save the state_dict again, with .clone() tensors."
        )


def shortened(value: object) -> str:
    """Something of the file for a sentence: one printable line of at most 100 characters."""
    if isinstance(value, bytes):
        value = value.decode("latin1")
    text = str(value) if isinstance(value, Exception) else repr(str(value)[:80])
    return " ".join("".join(c if c.isprintable() else " " for c in text[:400]).split())[:100] or type(value).__name__
