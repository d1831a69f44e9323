"""Files that are no weights, or mean harm: each with a fragment of the sentence that must answer it."""

import os
import pickle
import struct
import zipfile
import zlib

import numpy as np
import torch
from crafted import (
    archive,
    call,
    duplicated,
    encrypted,
    entry,
    folder,
    index,
    inflated_sizes,
    laughs,
    legacy,
    nested_key,
    npy,
    npz,
    number,
    numbers,
    old_tar,
    overlapping,
    payload,
    safetensors,
    spoilt_zip,
    state,
    tarball,
    tensor,
    text,
    weights,
)

ALONE = "can't be read as weights alone"
CORPUS = {
    # what it is not
    "empty": (lambda p: p.write_bytes(b""), "is empty"),
    "LFS pointer": (
        lambda p: p.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), "git lfs pull",
    ),
    "web page": (lambda p: p.write_text("\n<!DOCTYPE html><html>Sign in</html>"), "web page"),
    "web page with a mark": (lambda p: p.write_bytes(b"\xef\xbb\xbf<html></html>"), "web page"),
    "XML refusal": (lambda p: p.write_text('<?xml version="1.0"?><Error>AccessDenied</Error>'), "XML document"),
    "JSON refusal": (lambda p: p.write_text('{"error": "Repository not found"}'), "text file"),
    "table": (lambda p: p.write_text("epoch,loss\n1,0.5\n"), "text file"),
    "PNG": (lambda p: p.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 99), "is a picture"),
    "JPEG": (lambda p: p.write_bytes(b"\xff\xd8\xff\xe0" + b"\0" * 99), "is a picture"),
    "GIF": (lambda p: p.write_bytes(b"GIF89a" + b"\0" * 99), "is a picture"),
    "WebP": (lambda p: p.write_bytes(b"RIFF\0\0\0\0WEBP" + b"\0" * 99), "is a picture"),
    "BMP": (lambda p: p.write_bytes(b"BM" + b"\1" * 99), "is a picture"),
    "TIFF": (lambda p: p.write_bytes(b"II*\0" + b"\1" * 99), "is a picture"),
    "PDF": (lambda p: p.write_bytes(b"%PDF-1.7\n\x80\x81" + b"\0" * 99), "PDF document"),
    "HDF5": (lambda p: p.write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 99), "HDF5 file, as Keras"),
    "Keras zip": (lambda p: npz(p, {"config.json": b"{}", "model.weights.h5": b"\0"}), "Keras file"),
    "ONNX": (lambda p: p.write_bytes(b"\x08\x07\x12\x07pytorch\x1a\x052.1.0" + b"\0" * 99), "ONNX file"),
    "TFLite": (lambda p: p.write_bytes(b"\x1c\0\0\0TFL3" + b"\0" * 99), "TFLite model"),
    "Paddle": (
        lambda p: p.write_bytes(pickle.dumps({"StructuredToParameterName@@": {}, "w": np.zeros(3)}, 2)), "PaddlePaddle",
    ),
    "GGUF": (lambda p: p.write_bytes(b"GGUF\3\0\0\0" + b"\x80" * 99), "GGUF file"),
    "numpy array": (lambda p: np.save(p.open("wb"), np.zeros(4)), "single numpy array"),
    "numpy pickle": (lambda p: p.write_bytes(pickle.dumps({"w": np.zeros(3)}, 4)), "pickle of numpy arrays"),
    "gzip": (lambda p: p.write_bytes(b"\x1f\x8b\x08" + zlib.compress(b"x")), "gzip archive"),
    "xz": (lambda p: p.write_bytes(b"\xfd7zXZ\0" + b"\x80" * 9), "xz archive"),
    "old torch tar": (old_tar, "tar file as torch wrote"),
    "tarball": (tarball, "tar archive"),
    "program": (lambda p: p.write_bytes(b"\x7fELF\2\1\1" + b"\0" * 99), "is a program"),
    "zip of documents": (lambda p: npz(p, {"word/document.xml": b"<x/>"}), "neither torch nor numpy"),
    "TorchScript": (
        lambda p: archive(p, b"\x80\x02}.", extra=[("archive/code/net.py", b"x = 1")]), "TorchScript program",
    ),
    "torch.export": (lambda p: npz(p, {"m/archive_format": b"pt2", "m/data/weights/w": b""}), "torch.export"),
    "zero bytes": (lambda p: p.write_bytes(b"\0" * 5000), "zero bytes"),
    "noise": (lambda p: p.write_bytes(bytes(range(255, 0, -1)) * 20), "can't be read as weights"),
    "pipe": (lambda p: os.mkfifo(p), "no regular file"),
    "device": (lambda p: p.symlink_to("/dev/zero"), "no regular file"),
    "nothing there": (lambda p: None, "can't be read"),
    "dangling link": (lambda p: p.symlink_to(p.parent / "none"), "can't be read"),
    "circular link": (lambda p: p.symlink_to(p), "can't be read"),
    "sparse terabytes": (lambda p: os.truncate(p.touch() or p, 2**42), "memory budget"),
    # folders
    "empty folder": (lambda p: p.mkdir(), "holds no weights"),
    "folder with a config only": (lambda p: folder(p, config__json={}), "holds no weights"),
    "folder with two files": (lambda p: folder(p, a__pth=b"x", b__pth=b"y"), "open one of them"),
    "SavedModel": (lambda p: folder(p, saved_model__pb=b"x"), "TensorFlow SavedModel"),
    "index to elsewhere": (lambda p: index(p, {"w": "../../etc/passwd"}), "no file beside it"),
    "index to a root": (lambda p: index(p, {"w": "/etc/passwd"}), "no file beside it"),
    "index to nothing": (lambda p: index(p, {"w": "model-1.safetensors"}), "not in its folder"),
    "index without a map": (lambda p: index(p, []), "lists no files"),
    "index of many": (lambda p: index(p, {str(n): f"{n}.bin" for n in range(2000)}), "more than 1000"),
    "config is no object": (
        lambda p: (folder(p, config__json=b"[1]"), torch.save(weights(), p / "model.pth")), "not a JSON object",
    ),
    "deep config": (
        lambda p: (folder(p, config__json=b"[" * 200_000), torch.save(weights(), p / "model.pth")), "read as JSON",
    ),
    "huge config": (
        lambda p: (folder(p, config__json=b" " * (9 * 2**20)), torch.save(weights(), p / "model.pth")), "too large",
    ),
    "config is a pipe": (
        lambda p: (folder(p), torch.save(weights(), p / "model.pth"), os.mkfifo(p / "config.json")), "no regular file",
    ),
    # zips
    "cut-off zip": (lambda p: spoilt_zip(p, lambda d: d[: len(d) // 2]), "cut-off archive"),
    "zip without its end": (lambda p: spoilt_zip(p, lambda d: d[:-30]), "cut-off archive"),
    "deflated zip": (
        lambda p: archive(p, state(a=tensor()), {"0": b"\0" * 16}, method=zipfile.ZIP_DEFLATED), "compressed members",
    ),
    "deflated bomb": (
        lambda p: archive(
            p, state(a=tensor(numel=2**24, shape=(2**24,))), {"0": b"\0" * 2**26}, method=zipfile.ZIP_DEFLATED
        ), "compressed members",
    ),
    "encrypted zip": (encrypted, "compressed members"),
    "doubled member": (duplicated, "member name"),
    "overlapping members": (overlapping, "damaged"),
    "sizes beyond the file": (inflated_sizes, "damaged"),
    "member that climbs": (lambda p: archive(p, state(a=tensor()), extra=[("archive/../../x", b"")]), "member name"),
    "absolute member": (lambda p: archive(p, state(a=tensor()), extra=[("/etc/x", b"")]), "member name"),
    "two pickles": (
        lambda p: archive(p, state(a=tensor()), extra=[("b/data.pkl", b"\x80\x02}.")]), "no data.pkl in one",
    ),
    "empty zip": (lambda p: npz(p, {}), "archive"),
    "many members": (
        lambda p: p.write_bytes(b"PK\x03\x04" + b"PK\x01\x02" * 60_000), "more than 50000 members",
    ),
    "big-endian zip": (
        lambda p: (archive(p, state(a=tensor())), p.write_bytes(p.read_bytes().replace(b"little", b"biglyy"))),
        "big-endian",
    ),
    "huge pickle": (lambda p: archive(p, b"\x80\x02" + b"N0" * (9 * 2**20) + b"}."), "describes its weights in"),
    # tensors
    "stride 0": (lambda p: archive(p, state(a=tensor(shape=(2**20, 2**20), stride=(0, 0)))), "no plain array"),
    "overlapping strides": (
        lambda p: archive(p, state(a=tensor(numel=4, shape=(2, 3), stride=(1, 1)))), "no plain array",
    ),
    "expanded by torch": (
        lambda p: torch.save({"pos_embed": torch.zeros(1).expand(4096, 4096, 4096)}, p), "no plain array",
    ),
    "out of its storage": (lambda p: archive(p, state(a=tensor(shape=(5,)))), "reaches out of its storage"),
    "negative offset": (lambda p: archive(p, state(a=tensor(offset=-1))), "reaches out of its storage"),
    "negative shape": (lambda p: archive(p, state(a=tensor(shape=(-4,)))), "proper storage"),
    "absurd shape": (lambda p: archive(p, state(a=tensor(shape=(2**62,)))), "proper storage"),
    "shape and stride differ": (lambda p: archive(p, state(a=tensor(shape=(2, 2)))), ALONE),
    "storage larger than its member": (
        lambda p: archive(p, state(a=tensor(numel=2**40, shape=(2**40,)))), "another size than the archive",
    ),
    "storage that is missing": (lambda p: archive(p, state(a=tensor(key="7"))), "another size than the archive"),
    "storage that climbs": (lambda p: archive(p, state(a=tensor(key="../data.pkl"))), "another size than the archive"),
    "many names for one storage": (
        lambda p: archive(
            p, b"\x80\x02}(" + text("0") + tensor(numel=2**18, shape=(2**18,)) + b"q\x01"
            + b"".join(text(str(n)) + b"h\x01" for n in range(1, 900)) + b"u.", {"0": b"\0" * 2**20},
        ), "by sharing",
    ),
    "sparse": (lambda p: torch.save({"a": torch.eye(4).to_sparse()}, p), "sparse"),
    "quantised": (
        lambda p: archive(p, state(a=call("torch._utils", "_rebuild_qtensor", numbers(1)))), "quantised",
    ),
    "meta": (lambda p: torch.save({"a": torch.zeros(4, device="meta")}, p), "meta"),
    # pickles
    "command": (lambda p: p.write_bytes(pickle.dumps(payload(p), 0)), "as weights"),
    "command in protocol 2": (lambda p: p.write_bytes(pickle.dumps(payload(p), 2)), ALONE),
    "command in protocol 4": (lambda p: p.write_bytes(pickle.dumps(payload(p), 4)), ALONE),
    "command in protocol 5": (lambda p: p.write_bytes(pickle.dumps([payload(p)], 5)), ALONE),
    "command as a torch file": (lambda p: torch.save(payload(p), p), "no tensors by name"),
    "command as an old torch file": (
        lambda p: torch.save(payload(p), p, _use_new_zipfile_serialization=False), "no tensors by name",
    ),
    "eval": (lambda p: archive(p, b"\x80\x02" + call("builtins", "eval", text("1/0")) + b"."), "class 'builtins.eval'"),
    "exec by INST": (lambda p: archive(p, b"(" + text("1/0") + b"ibuiltins\nexec\n."), "class 'builtins.exec'"),
    "import by OBJ": (
        lambda p: archive(p, b"(cimportlib\nimport_module\n" + text("antigravity") + b"o."), "import_module",
    ),
    "getattr chain": (
        lambda p: archive(
            p, b"\x80\x02" + call("builtins", "getattr", b"cos\nsystem\n" + text("__call__")) + b"(NtR."
        ), "class 'builtins.getattr'",
    ),
    "stack global": (
        lambda p: archive(p, b"\x80\x04" + text("subprocess") + text("Popen") + b"\x93(" + text("true") + b"tR."),
        "subprocess.Popen",
    ),
    "runpy": (lambda p: archive(p, b"\x80\x02" + call("runpy", "run_path", text("/x")) + b"."), "runpy.run_path"),
    "jit": (lambda p: archive(p, b"\x80\x02" + call("torch.jit", "load", text("/x")) + b"."), "torch.jit.load"),
    "bytearray of a terabyte": (
        lambda p: archive(p, b"\x80\x02" + call("builtins", "bytearray", number(2**40)) + b"."), "builtins.bytearray",
    ),
    "tensor of a terabyte": (
        lambda p: archive(p, b"\x80\x02" + call("torch", "Tensor", number(2**38)) + b"."), "torch.Tensor",
    ),
    "extension code": (lambda p: archive(p, b"\x80\x02\x82\x01."), "the instruction EXT1"),
    "memo far away": (lambda p: archive(p, b"\x80\x02}r\xff\xff\xff\xff."), "no tensors by name"),
    "text longer than the file": (lambda p: archive(p, b"\x80\x02X\xff\xff\xff\x7fab."), ALONE),
    "bytes longer than memory": (lambda p: archive(p, b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f."), ALONE),
    "long number": (lambda p: archive(p, b"\x80\x02L" + b"9" * 100_000 + b"L\n."), ALONE),
    "instructions without end": (lambda p: archive(p, b"\x80\x02" + b"N0" * 400_000 + b"N."), "instructions"),
    "no stack": (lambda p: archive(p, b"\x80\x020000."), ALONE),
    "no stop": (lambda p: archive(p, b"\x80\x02}"), ALONE),
    "marks": (lambda p: archive(p, b"\x80\x02" + b"(" * 100_000 + b"."), "nesting"),
    "deep tuples": (lambda p: archive(p, b"\x80\x02)" + b"\x85" * 200_000 + b"."), "holds a tuple"),
    "deep lists": (lambda p: archive(p, b"\x80\x02" + b"](" * 9_000 + b"e" * 9_000 + b"."), "holds a list"),
    "list in itself": (lambda p: archive(p, b"\x80\x02]q\x00h\x00a."), "holds a list"),
    "dict in itself": (lambda p: archive(p, b"\x80\x02}q\x00" + text("model") + b"h\x00s."), "no tensors by name"),
    "billion laughs": (lambda p: archive(p, state(model=laughs(), args=laughs())), "no tensors by name"),
    "key that hashes for ever": (lambda p: archive(p, b"\x80\x02}" + nested_key() + b"K\x01s."), "no tensors by name"),
    "keys that collide": (
        lambda p: archive(
            p, b"\x80\x02}("
            + b"".join(b"\x8a\x0c" + ((2**61 - 1) * n).to_bytes(12, "little") + b"N" for n in range(1, 60_000)) + b"u.",
        ), "no tensors by name",
    ),
    "text copied for ever": (
        lambda p: archive(
            p, b"\x80\x02](" + text("x" * 2**20) + b"q\x010"
            + b"".join(b"c_codecs\nencode\n(h\x01" + text("latin1") + b"tR" for _ in range(900)) + b"e.",
        ), "too much text",
    ),
    "list copied for ever": (
        lambda p: archive(
            p, b"\x80\x02(" + b"K\x01" * 50_000 + b"lq\x010" + b"](" + b"cbuiltins\nlist\n(h\x01tR" * 30_000 + b"e.",
        ), "holds a list",
    ),
    "sized by torch.Size": (
        lambda p: archive(
            p, b"\x80\x02(" + b"K\x01" * 50_000 + b"tq\x010" + b"](" + b"ctorch\nSize\n(h\x01tR" * 30_000 + b"e.",
        ), "holds a list",
    ),
    "many names": (
        lambda p: archive(p, b"\x80\x02](" + b"".join(b"cm\nn%d\n" % n for n in range(5000)) + b"e."), "2000 names",
    ),
    "a name of a kilobyte": (lambda p: archive(p, b"\x80\x02c" + b"m" * 1000 + b"\nx\n."), "a name that is none"),
    "no tensors": (lambda p: torch.save({"epoch": 3, "name": "x"}, p), "no tensors by name"),
    "a list of tensors": (lambda p: torch.save([torch.zeros(3)], p), "holds a list"),
    "one tensor": (lambda p: torch.save(torch.zeros(3), p), "one tensor"),
    "only an optimiser": (
        lambda p: torch.save({"optimizer": {"state": {0: {"m": torch.zeros(3)}}, "param_groups": []}}, p),
        "no tensors by name",
    ),
    # old torch files
    "cut-off old file": (lambda p: legacy(p, lambda d: d[:-20]), "perhaps cut off"),
    "old file without its weights": (lambda p: legacy(p, lambda d: d[:200]), ALONE),
    "old file of another version": (
        lambda p: legacy(p, lambda d: d.replace(b"M\xe9\x03", b"M\xea\x03", 1)), "the version",
    ),
    "old file that declares terabytes": (
        lambda p: p.write_bytes(
            pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2)
            + state(a=tensor(numel=2**40, shape=(2**40,))) + pickle.dumps(["0"], 2) + struct.pack("<q", 2**40)
        ), "another size than the file",
    ),
    "big-endian old file": (
        lambda p: legacy(p, lambda d: d.replace(b"little_endianq\x02\x88", b"little_endianq\x02\x89")), "big-endian",
    ),
    "old file with other weights": (lambda p: legacy(p, lambda d: d[: d.rfind(b"]")] + b"]."), ALONE),
    # safetensors
    "cut-off safetensors": (lambda p: safetensors(p, {"a": entry()}, b"\0" * 9), "cut off"),
    "cut-off header": (lambda p: p.write_bytes(struct.pack("<Q", 900) + b'{"a": {"dtype"'), "cut off"),
    "safetensors with more": (lambda p: safetensors(p, {"a": entry()}, b"\0" * 99), "declares"),
    "safetensors overlap": (
        lambda p: safetensors(p, {"a": entry(), "b": entry()}, b"\0" * 16), "overlap or leave gaps",
    ),
    "safetensors gap": (lambda p: safetensors(p, {"a": entry(offsets=(4, 20))}, b"\0" * 20), "overlap or leave gaps"),
    "safetensors sums": (lambda p: safetensors(p, {"a": entry(shape=(5,))}, b"\0" * 16), "does not add up"),
    "safetensors of terabytes": (
        lambda p: safetensors(p, {"a": entry(shape=(2**40,), offsets=(0, 2**42))}, b"\0" * 16), "declares",
    ),
    "safetensors beyond numbers": (lambda p: safetensors(p, {"a": entry(shape=(2**62, 2**62))}, b"\0" * 16), "add up"),
    "negative offsets": (lambda p: safetensors(p, {"a": entry(offsets=(-16, 0))}, b"\0" * 16), "does not add up"),
    "unknown dtype": (lambda p: safetensors(p, {"a": entry(dtype="F4")}, b"\0" * 16), "'F4'"),
    "safetensors of many": (
        lambda p: safetensors(p, {str(n): entry(shape=(0,), offsets=(0, 0)) for n in range(20_001)}), "20000",
    ),
    "entry is no object": (lambda p: safetensors(p, {"a": 3}, b"\0" * 16), "does not add up"),
    "deep header": (lambda p: safetensors(p, b'{"a":' + b"[" * 100_000), "header is damaged"),
    "header of gigabytes": (
        lambda p: (p.write_bytes(struct.pack("<Q", 2**34) + b'{"'), os.truncate(p, 2**29)), "cut off",
    ),
    "empty safetensors": (lambda p: safetensors(p, {}), "no tensors by name"),
    # numpy archives
    "npz of objects": (lambda p: np.savez(p.open("wb"), a=np.array([{}, 3], dtype=object)), "objects are not read"),
    "npz with code in its header": (
        lambda p: npz(p, {"a.npy": npy(shape="(__import__('os').system('true'),)")}), "no plain numpy array",
    ),
    "npz deflated": (lambda p: np.savez_compressed(p.open("wb"), a=np.zeros(9)), "compressed members"),
    "npz of terabytes": (lambda p: npz(p, {"a.npy": npy(shape="(1000000, 1000000)")}), "don't add up"),
    "npz of text": (lambda p: npz(p, {"a.npy": npy(descr="'<U4'")}), "can't be read"),
    "npz of records": (lambda p: npz(p, {"a.npy": npy(descr="[('x', '<f4')]")}), "no plain numpy array"),
    "npz that is none": (lambda p: npz(p, {"a.npy": b"hello"}), "no numpy array"),
}  # fmt: skip

# Files with weights and a payload: they open, and nothing of the payload runs.
INERT = {
    "command beside weights": lambda p: torch.save({"model": weights(), "args": payload(p)}, p),
    "command beside weights, old": lambda p: torch.save(
        {"model": weights(), "args": payload(p)}, p, _use_new_zipfile_serialization=False
    ),
    "command among weights": lambda p: torch.save({**weights(), "x": payload(p)}, p),
    "command in protocol 4": lambda p: torch.save({"model": weights(), "args": payload(p)}, p, pickle_protocol=4),
    "command as a key": lambda p: archive(p, state(a=tensor())[:-2] + call("os", "system", text("true")) + b"Nu."),
    "state that runs": lambda p: archive(p, state(a=tensor(), x=b"cos\nsystem\n)\x81" + text("true") + b"b")),
    "billion laughs beside weights": lambda p: archive(p, state(a=tensor(), args=laughs())),
    "one dict of weights three thousand times": lambda p: archive(
        p,
        b"\x80\x02}("
        + text("x")
        + b"}("
        + text("a")
        + tensor()
        + b"q\x00"
        + b"".join(text(f"k{n}") + b"h\x00" for n in range(19_000))
        + b"uq\x01"
        + b"".join(text(f"m{n}") + b"h\x01" for n in range(3000))
        + b"u.",
    ),
    "one dict of values for nine thousand objects": lambda p: archive(
        p,
        b"\x80\x02}("
        + text("w")
        + tensor()
        + text("x")
        + b"}("
        + b"".join(text(f"k{n}") + b"N" for n in range(60_000))
        + b"uq\x02"
        + text("l")
        + b"]("
        + b"cargparse\nNamespace\n)\x81h\x02b" * 9000
        + b"eu.",
    ),
    "a path and a default": lambda p: archive(
        p,
        state(
            a=tensor(),
            d=call("collections", "defaultdict", b"cbuiltins\nlist\n"),
            p=call("pathlib", "PosixPath", text("x")),
        ),
    ),
}
