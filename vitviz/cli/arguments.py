"""What several commands take alike: pictures, a model with its options, a file for a table."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitviz.cli.values import channels, deviations, device, patches, positive, size, sizes, whole
from vitviz.models.wish import OPTIONS

if TYPE_CHECKING:
    from vitviz.attention.trace import Trace
    from vitviz.images import Image
    from vitviz.models.model import Model

PICTURE_HELP = "a PNG, JPEG, WebP, BMP, TIFF or GIF"
SOURCE_HELP = 'demo, demo-swin, a weights file, a folder with config.json, or a timm name ("vit_base_patch16_224")'
PRECISIONS = ("float32", "bfloat16", "float16")


def model_arguments(parser: argparse.ArgumentParser, *, several: bool = False, remembered: bool = False) -> None:
    """Add the options of load_model; with `several`, sizes may be lists.

    With `remembered`, device and precision are None where they are not named: the window has those of its last run.
    """
    add = parser.add_argument
    run = (None, None) if remembered else ("auto", "float32")
    here, exact = ("as chosen last, at first auto", "as chosen last, at first float32") if remembered else run
    add("--architecture", metavar="NAME", help="timm's name, for weights that don't say what they are of")
    add("--random", dest="pretrained", action="store_false", help="random weights instead of trained ones")
    add("--device", type=device, default=run[0], metavar="NAME", help=f"auto, cpu, cuda, cuda:1, mps (default: {here})")
    add("--precision", default=run[1], choices=PRECISIONS, help=f"of weights and numbers (default: {exact})")
    if several:
        add("--image-size", type=sizes, metavar="PX|HxW,…", help="sizes of the model's view")
        add("--patch-size", type=patches, metavar="PX,PX,…", help="patch sizes, resampled")
    else:
        add("--image-size", type=size, metavar="PX|HxW", help="another size of the model's view")
        add("--patch-size", type=whole(1), metavar="PX", help="another patch size, resampled")
    add("--num-heads", type=whole(1), metavar="N", help="heads of a layer, where what was found is wrong")
    add("--network", metavar="NAME", help='which of several networks in a file, such as "teacher"')
    add("--mean", type=channels, metavar="R,G,B", help="mean of the preprocessing")
    add("--std", type=deviations, metavar="R,G,B", help="standard deviation of the preprocessing")
    add("--norm-eps", type=positive, metavar="EPS", help="epsilon of the norms, such as 1e-5")
    add("--labels", type=Path, metavar="FILE", help="text or JSON file with the names of the classes")
    add("--crop", choices=("center", "squash", "border"), help="how the view is cut out (default: as the model's)")


def picture_arguments(parser: argparse.ArgumentParser, *, many: bool = False) -> None:
    """Add a picture, or pictures and folders of them, and a model with its options."""
    if many:
        words = f"{PICTURE_HELP}, or a folder: all in it"
        parser.add_argument("pictures", nargs="+", type=Path, metavar="PICTURE|FOLDER", help=words)
    else:
        parser.add_argument("picture", type=Path, metavar="PICTURE", help=PICTURE_HELP)
    parser.add_argument("--model", metavar="SOURCE", default="demo", help=f"{SOURCE_HELP} (default: demo)")
    model_arguments(parser)


def source_arguments(parser: argparse.ArgumentParser) -> None:
    """Add a model, which is what the command is about, with its options."""
    parser.add_argument("source", metavar="SOURCE", help=SOURCE_HELP)
    model_arguments(parser)


def model_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options of load_model that were given, by its own names."""
    return {name: getattr(arguments, name) for name in OPTIONS}


def out_argument(parser: argparse.ArgumentParser) -> None:
    """Add the file that a table goes to."""
    parser.add_argument("--out", type=Path, metavar="FILE.csv", help="where to write it (default: the terminal)")


def write_table(text: str, path: Path | None) -> None:
    """Write a table whole or not at all, or print it where no file is named."""
    from vitviz.atomic import write_bytes

    if path is None:
        print(text, end="")
    else:
        write_bytes(path, text.encode())
        print(path)


def seen_by(arguments: argparse.Namespace) -> tuple[Image, Model, Trace]:
    """The picture and the model that a command names, and the trace of both; what can't be written to is said first."""
    from vitviz.attention.trace import trace
    from vitviz.images import read_image

    check_out(arguments.out)
    image = read_image(arguments.picture)
    model = load(arguments.model, arguments)
    return image, model, trace(model, image)


def check_out(path: Path | None) -> None:
    """FileError where a file can't be written, before the work whose result goes there."""
    from vitviz.atomic import check_writable

    if path is not None:
        check_writable(path)


def load(source: str, arguments: argparse.Namespace) -> Model:
    """The model that a command names, with its options."""
    from vitviz.cli.progress import Steps
    from vitviz.models.loading import load_model

    with Steps() as told:
        return load_model(source, **model_options(arguments), progress=told)
