"""What all tests share: a picture, tiny models with weights that make attention sharp, and the folder of real files."""

import ctypes
import os
import zlib
from pathlib import Path

import numpy as np
import pytest
from cli_cases import ARCHITECTURE, write_files
from hypothesis import settings

# linux/capability.h: version 3; CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH as bits of the effective set.
_CAPABILITIES_3, _PASS_OVER_MODES = 0x20080522, 0b110

settings.register_profile("vitviz", deadline=None)  # a busy machine is no failure
settings.load_profile("vitviz")


@pytest.fixture(scope="session")
def picture():
    """A deterministic picture of 90 x 130 pixels without symmetries: a ramp, a disc and noise."""
    from vitviz.images import Image

    rows, cols = np.mgrid[:90, :130]
    noise = np.random.default_rng(7).integers(0, 80, (90, 130, 3))
    disc = ((rows - 30) ** 2 + (cols - 95) ** 2 < 400)[..., None] * np.array([120, 20, 60])
    ramp = np.stack([rows * 0.9, cols * 0.6, (rows + cols) * 0.4], -1)
    return Image.from_array(np.clip(noise + disc + ramp, 0, 255).astype(np.uint8), name="test picture")


@pytest.fixture(scope="session")
def shared():
    """The folder of real checkpoints and pictures, from VITVIZ_SHARED or beside the repository."""
    folder = Path(os.environ.get("VITVIZ_SHARED") or Path(__file__).parents[2] / "shared")
    if not folder.is_dir():
        pytest.skip(f"no folder of real files at {folder} (set VITVIZ_SHARED)")
    return folder


def sharpen(module, seed=0):
    """Give every parameter of a fresh module a size that matters, so that attention is far from uniform."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in module.named_parameters():
            noise = torch.randn(value.shape, generator=generator)
            is_matrix = value.dim() == 2 and name.endswith("weight") and "norm" not in name
            is_drawn = value.dim() == 4 or name.endswith(("bias", "embed", "token", "latent", "rel_pos_h", "rel_pos_w"))
            if is_matrix and any(part in name for part in ("qkv", "q_proj", "k_proj", "in_proj", "attn.q.", "attn.k")):
                value.copy_(noise * (2.5 / value.shape[1] ** 0.5))
            elif is_matrix:
                value.copy_(noise * (1.0 / value.shape[1] ** 0.5))
            elif "relative_position_bias_table" in name or "rel_pos" in name:
                value.copy_(noise)
            elif is_drawn:  # drawn by torch's own generator, so replaced: the tests are the same each time
                value.copy_(noise * (1.0 / value[0].numel() ** 0.5 if value.dim() == 4 else 0.2))
            else:
                value.add_(noise * 0.2)
    return module.eval()


def wrapped(module, size=(64, 96), *, prefix=None, name="by hand", labels=(), device="cpu", precision="float32"):
    """A vitviz Model around any network, its view (height, width) squashed from the whole picture."""
    from vitviz.images import Preprocessing
    from vitviz.models.devices import choose
    from vitviz.models.model import Model, default_query_of, prefix_tokens_of
    from vitviz.models.report import Report

    prefix = prefix_tokens_of(module) if prefix is None else prefix
    return Model(
        module=module.eval(),
        name=name,
        source=name,
        architecture=name,
        preprocessing=Preprocessing(size, (0.5,) * 3, (0.25,) * 3, crop_mode="squash"),
        labels=labels,
        report=Report(),
        prefix_tokens=prefix,
        default_query=default_query_of(module, prefix),
        device=choose(device),
        precision=precision,
    )


@pytest.fixture(scope="session")
def sharp():
    """`sharpen` as a fixture."""
    return sharpen


@pytest.fixture(scope="session")
def wrap():
    """`wrapped` as a fixture."""
    return wrapped


def made(architecture, size, **args):
    """A vitviz Model of a timm architecture with sharp random weights that depend on the name alone."""
    import timm

    module = sharpen(timm.create_model(architecture, **args), zlib.crc32(architecture.encode()))
    return wrapped(module, size, name=architecture)


@pytest.fixture(scope="session")
def make():
    """`made` as a fixture."""
    return made


@pytest.fixture(scope="session")
def tiny_vit():
    """A ViT of 3 layers and 2 heads on 4 x 6 patches of a 64 x 96 view, with a class token and 5 classes."""
    return made("vit_tiny_patch16_224", (64, 96), img_size=(64, 96), embed_dim=32, depth=3, num_heads=2, num_classes=5)


@pytest.fixture(scope="session")
def tiny_swin():
    """A Swin of two stages on 8 x 11 and 4 x 6 patches with windows of 4: rows and columns are padded."""
    return made(
        "swin_tiny_patch4_window7_224", (36, 44), img_size=(36, 44), window_size=4,
        embed_dim=16, depths=(2, 2), num_heads=(2, 4), num_classes=5,
    )  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory, sharp):
    """A picture and a checkpoint on the disk."""
    return write_files(tmp_path_factory.mktemp("files"), sharp)


@pytest.fixture(scope="module")
def opened(files):
    """The same through the API: image, model, trace."""
    import vitviz

    image = vitviz.read_image(files[0])
    model = vitviz.load_model(files[1], architecture=ARCHITECTURE, device="cpu")
    return image, model, vitviz.trace(model, image)


@pytest.fixture
def config_dir(tmp_path_factory, monkeypatch):
    """Settings of this test alone."""
    folder = tmp_path_factory.mktemp("config")
    monkeypatch.setenv("VITVIZ_CONFIG_DIR", str(folder))
    return folder


@pytest.fixture
def bound_by_modes():
    """Modes of files hold for this test, though the superuser may run it: it gives up its power to pass over them."""
    if os.name == "nt":
        pytest.skip("no modes of files here")
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header, found = (ctypes.c_uint32 * 2)(_CAPABILITIES_3, 0), (ctypes.c_uint32 * 6)()
    if not hasattr(libc, "capset") or libc.capget(header, found):
        pytest.skip("the superuser may write anywhere, and can't give that up here")
    before = found[0]
    found[0] = before & ~_PASS_OVER_MODES
    if libc.capset(header, found):
        pytest.skip("the superuser may write anywhere, and can't give that up here")
    yield
    found[0] = before
    assert libc.capset(header, found) == 0
