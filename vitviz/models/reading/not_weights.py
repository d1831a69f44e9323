"""What a file is that holds no weights as vitviz reads them, in words, and the way out.

Magic numbers as in the formats' own documents; GitHub's pointers (git-lfs/docs/spec.md) are the commonest case: of 65
repositories with weights 24 held nothing else (MODELS, section 1).
"""

from __future__ import annotations

from pathlib import Path

from vitviz.errors import SourceError

_AGAIN = "download the file itself"
_EXPORT = "save the PyTorch weights it was made from as a state_dict or safetensors"
_MAGIC = (
    (b"\x89PNG", "a picture", "name the weights file"),
    (b"\xff\xd8\xff", "a picture", "name the weights file"),
    (b"GIF8", "a picture", "name the weights file"),
    (b"BM", "a picture", "name the weights file"),
    (b"II*\0", "a picture", "name the weights file"),
    (b"MM\0*", "a picture", "name the weights file"),
    (b"RIFF", "a picture or sound", "name the weights file"),
    (b"%PDF", "a PDF document", "name the weights file"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes", _EXPORT),
    (b"GGUF", "a GGUF file", _EXPORT),
    (b"\x93NUMPY", "a single numpy array", "save all weights with numpy.savez or torch.save"),
    (b"\x1f\x8b", "a gzip archive", "unpack it and open what is in it"),
    (b"BZh", "a bzip2 archive", "unpack it and open what is in it"),
    (b"\xfd7zXZ", "an xz archive", "unpack it and open what is in it"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "unpack it and open what is in it"),
    (b"7z\xbc\xaf", "a 7-Zip archive", "unpack it and open what is in it"),
    (b"Rar!", "a RAR archive", "unpack it and open what is in it"),
    (b"\x7fELF", "a program", "name the weights file"),
    (b"MZ", "a program", "name the weights file"),
)
_SUFFIXES = {
    ".msgpack": ("a Flax msgpack file", "save the weights as .npz or convert them to safetensors"),
    ".onnx": ("an ONNX file", _EXPORT),
    ".pdparams": ("a PaddlePaddle file", "convert it to safetensors"),
    ".h5": ("a Keras file", _EXPORT),
    ".keras": ("a Keras file", _EXPORT),
    ".pb": ("a TensorFlow graph", _EXPORT),
    ".tflite": ("a TFLite model", _EXPORT),
}


def refuse(head: bytes, path: Path) -> None:
    """Raise SourceError where the first bytes of a file say that it is something else."""
    name = path.name
    if head.startswith(b"version https://git-lfs"):
        raise SourceError(f"{name} is a Git LFS pointer, not the weights: run 'git lfs pull' where it came from.")
    start = head[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype", b"<html", b"<head", b"<body")):
        raise SourceError(f"{name} is a web page, not a checkpoint: {_AGAIN}.")
    if start.startswith(b"<?xml"):
        raise SourceError(f"{name} is an XML document (often a server's refusal), not a checkpoint: {_AGAIN}.")
    if head[4:8] == b"TFL3":
        raise _other(name, "a TFLite model", _EXPORT)
    if head[257:262] == b"ustar":
        if head.startswith((b"sys_info", b"pickle", b"storages", b"tensors")):
            raise SourceError(
                f"{name} is a tar file as torch wrote before 0.1.10, which is not read: "
                "load it with that torch and save the state_dict."
            )
        raise _other(name, "a tar archive", "unpack it and open what is in it")
    if _is_onnx(head):
        raise _other(name, "an ONNX file", _EXPORT)
    if b"StructuredToParameterName@@" in head[: 2**20]:
        raise _other(name, "a PaddlePaddle file", "convert it to safetensors")
    for magic, what, way_out in _MAGIC:
        # A safetensors header may have any length, so also one that spells "BM".
        if head.startswith(magic) and head[8:10] not in (b'{"', b"{}"):
            raise _other(name, what, way_out)
    if path.suffix.lower() in _SUFFIXES and not head.startswith(b"PK"):
        raise _other(name, *_SUFFIXES[path.suffix.lower()])
    if not head.strip(b"\0"):
        raise SourceError(f"{name} holds nothing but zero bytes, a download that did not finish: fetch it again.")
    if len(head) < 2**20 and _is_text(head):
        raise SourceError(
            f"{name} is a text file and can't be read as weights: {_AGAIN}, or save the model's state_dict."
        )


def refuse_archive(labels: list[str], name: str) -> None:
    """Raise SourceError where the members of a zip say that it is neither torch's nor numpy's."""
    ends = {label.rpartition("/")[2] for label in labels}
    if any("/code/" in label or label.startswith("code/") for label in labels) or "constants.pkl" in ends:
        raise SourceError(
            f"{name} is a TorchScript program, and code is not run: "
            "save the state_dict of the model it was made from (torch.save(model.state_dict(), ...))."
        )
    if "archive_format" in ends or any("/.data/extern_modules" in label for label in labels):
        raise SourceError(f"{name} is a torch.export or torch.package program: save the model's state_dict.")
    if "model.weights.h5" in ends:
        raise _other(name, "a Keras file", _EXPORT)
    if "data.pkl" not in ends and not all(label.endswith(".npy") for label in labels):
        raise _other(name, "a zip archive that neither torch nor numpy wrote", "unpack it and open what is in it")


def pickle(name: str, data: bytes, names: tuple[str, ...]) -> SourceError:
    """The refusal of a pickle that torch's `save` did not write."""
    if b"StructuredToParameterName@@" in data:
        return _other(name, "a PaddlePaddle file", "convert it to safetensors")
    if any(one.startswith("numpy") for one in names):
        return _other(name, "a pickle of numpy arrays", "save them with numpy.savez, or as safetensors")
    return SourceError(
        f"{name} is a Python pickle that torch.save did not write and can't be read as weights alone: "
        "save the model's state_dict with torch.save, or as safetensors."
    )


def _other(name: str, what: str, way_out: str) -> SourceError:
    return SourceError(f"{name} is {what}, not a checkpoint that vitviz reads: {way_out}.")


def _is_onnx(head: bytes) -> bool:
    # ModelProto: field 1 (ir_version, varint), then field 2 (producer_name) or 8 (opset_import).
    return head[:1] == b"\x08" and len(head) > 4 and head[1] < 32 and head[2] in (0x12, 0x42, 0x3A)


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return all(c.isprintable() or c in "\r\n\t\f" for c in text[:4096])
