"""Pickles, archives and folders written by hand, as torch.save and others write them or never would."""

import io
import json
import os
import struct
import tarfile
import zipfile

import torch


def text(value):
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def number(value):
    return b"J" + struct.pack("<i", value) if abs(value) < 2**31 else b"\x8a\x08" + struct.pack("<q", value)


def numbers(*values):
    return b"(" + b"".join(map(number, values)) + b"t"


def tensor(key="0", numel=4, offset=0, shape=(4,), stride=(1,), kind="FloatStorage"):
    """The instructions that torch.save writes for one tensor."""
    storage = b"(" + text("storage") + b"ctorch\n%s\n" % kind.encode() + text(key) + text("cpu") + number(numel) + b"tQ"
    hooks = b"ccollections\nOrderedDict\n)R"
    head = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + number(offset)
    return head + numbers(*shape) + numbers(*stride) + b"\x89" + hooks + b"tR"


def state(**values):
    return b"\x80\x02}(" + b"".join(text(key) + value for key, value in values.items()) + b"u."


def archive(path, pickled, members=None, root="archive", method=zipfile.ZIP_STORED, extra=()):
    members = {"0": b"\0" * 16} if members is None else members
    with zipfile.ZipFile(path, "w", method) as out:
        out.writestr(f"{root}/data.pkl", pickled)
        out.writestr(f"{root}/byteorder", b"little")
        for key, value in members.items():
            out.writestr(f"{root}/data/{key}", value)
        for name, value in extra:
            out.writestr(name, value)
        out.writestr(f"{root}/version", b"3\n")


def call(module, name, arguments=b""):
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n(" + arguments + b"tR"


class Payload:
    """Runs a command when it is unpickled by pickle itself: the command makes a file next to the pickle."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


def payload(path):
    return Payload(path.parent / "ran")


def weights():
    generator = torch.Generator().manual_seed(5)
    names = ("cls_token", "pos_embed", "blocks.0.attn.qkv.weight", "norm.weight", "head.weight")
    return {name: torch.randn(3, 4, generator=generator) for name in names}


def safetensors(path, header, body=b""):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + body)


def entry(dtype="F32", shape=(4,), offsets=(0, 16)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def npy(descr="'<f4'", shape="(4,)", body=b"\0" * 16, version=1):
    head = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode("latin1")
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H", len(head)) + head + body


def npz(path, members, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as out:
        for name, value in members.items():
            out.writestr(name, value)


def legacy(path, change=lambda data: data, content=None):
    torch.save(content or weights(), path, _use_new_zipfile_serialization=False)
    path.write_bytes(change(path.read_bytes()))


def spoilt_zip(path, change):
    torch.save(weights(), path)
    path.write_bytes(change(path.read_bytes()))


def duplicated(path):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive(path, state(a=tensor()), extra=[("archive/data/0", b"\1" * 16)])


def overlapping(path):
    """Two entries of the directory for the same bytes, as in zip bombs of one kernel."""
    archive(path, state(a=tensor()), {"0": b"\0" * 16, "1": b"\0" * 16})
    data = bytearray(path.read_bytes())
    first, second = (data.rfind(b"archive/data/%d" % key) - 46 for key in (0, 1))
    data[second + 42 : second + 46] = data[first + 42 : first + 46]
    path.write_bytes(data)


def inflated_sizes(path):
    archive(path, state(a=tensor(numel=2**20, shape=(2**20,))))
    data = bytearray(path.read_bytes())
    where = data.rfind(b"archive/data/0") - 46
    data[where + 20 : where + 28] = struct.pack("<II", 2**22, 2**22)
    path.write_bytes(data)


def encrypted(path):
    archive(path, state(a=tensor()))
    data = bytearray(path.read_bytes())
    where = data.rfind(b"archive/data/0") - 46
    data[where + 8] |= 1
    path.write_bytes(data)


def old_tar(path):
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as out:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            info = tarfile.TarInfo(name)
            info.size = 3
            out.addfile(info, io.BytesIO(b"\x80\x02."))


def tarball(path):
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as out:
        info = tarfile.TarInfo("weights.pth")
        out.addfile(info, io.BytesIO(b""))


def laughs(depth=60):
    """Lists of lists, each twice in the next: 2**60 leaves when walked."""
    return b"]q\x00(K\x01K\x02e" + b"".join(b"0](h%ch%ceq%c" % (n, n, n + 1) for n in range(depth))


def nested_key(depth=60):
    """A key whose hash takes 2**60 steps."""
    return b"K\x01" + b"".join(b"q%c0h%ch%c\x86" % (n, n, n) for n in range(depth))


def folder(path, **files):
    path.mkdir()
    for name, value in files.items():
        target = path / name.replace("__", ".")
        target.write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())


def index(path, shards):
    folder(path, model__safetensors__index__json={"weight_map": shards})
