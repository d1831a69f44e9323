"""What several commands take alike: a model with its options, and how the values of options are read."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitviz.models.wish import OPTIONS

if TYPE_CHECKING:
    from vitviz.models.model import Model

SOURCE_HELP = 'demo, demo-swin, a weights file, a folder with config.json, or a timm name ("vit_base_patch16_224")'


def model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of load_model."""
    parser.add_argument("--architecture", metavar="NAME", help="timm's name, for a weights file that does not say")
    parser.add_argument(
        "--random", dest="pretrained", action="store_false", help="random weights instead of trained ones"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps (default: auto)")
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16", "float16"))
    parser.add_argument("--image-size", type=size, metavar="PX|HxW", help="another size of the model's view")
    parser.add_argument("--patch-size", type=int, metavar="PX", help="another patch size, resampled")
    parser.add_argument("--num-heads", type=int, metavar="N", help="heads of a layer, where what was found is wrong")
    parser.add_argument("--network", metavar="NAME", help='which of several networks in a file, such as "teacher"')
    parser.add_argument("--mean", type=numbers, metavar="R,G,B", help="mean of the preprocessing")
    parser.add_argument("--std", type=numbers, metavar="R,G,B", help="standard deviation of the preprocessing")
    parser.add_argument("--norm-eps", type=float, metavar="EPS", help="epsilon of the norms, such as 1e-5")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="text or JSON file with the names of the classes")
    parser.add_argument("--crop", choices=("center", "squash", "border"), help="how the view is cut from the picture")


def many_arguments(parser: argparse.ArgumentParser) -> None:
    """Add pictures or folders of them, and a model with its options."""
    parser.add_argument("pictures", nargs="+", type=Path, metavar="PICTURE|FOLDER")
    parser.add_argument("--model", metavar="SOURCE", default="demo", help=SOURCE_HELP)
    model_arguments(parser)


def model_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options of load_model that were given, by its own names."""
    return {name: getattr(arguments, name) for name in OPTIONS}


def out_argument(parser: argparse.ArgumentParser) -> None:
    """Add the file that a table goes to."""
    parser.add_argument("--out", type=Path, metavar="FILE.csv", help="where to write it (default: the terminal)")


def check_out(path: Path | None) -> None:
    """FileError where the folder to write to is missing: said before the work, not after it."""
    from vitviz.errors import FileError

    if path is not None and not (folder := path.absolute().parent).is_dir():
        raise FileError(f"There is no folder {folder} to write to: create it or choose another.")


def write_table(text: str, path: Path | None) -> None:
    """Write a table whole or not at all, or print it where no file is named."""
    from vitviz.atomic import write_bytes

    if path is None:
        print(text, end="")
    else:
        write_bytes(path, text.encode())
        print(path)


def load(source: str, arguments: argparse.Namespace) -> Model:
    """The model that a command names, with its options."""
    from vitviz.cli.progress import Steps
    from vitviz.models.loading import load_model

    with Steps() as told:
        return load_model(source, **model_options(arguments), progress=told)


def number_or(*words: str) -> Any:
    """A parser of a whole number or one of some words."""

    def parse(text: str) -> int | str:
        if text in words:
            return text
        try:
            return int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor {' or '.join(words)}") from None

    return parse


def size(text: str) -> tuple[int, int]:
    """ "384" or "224x320" (height x width) as (height, width)."""
    parts = text.lower().split("x")
    try:
        numbers = [int(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2) or any(n < 1 for n in numbers):
        raise argparse.ArgumentTypeError(f"{text!r} is no size: give 384 or 224x320 (height x width)")
    return numbers[0], numbers[-1]


def numbers(text: str) -> tuple[float, ...]:
    """One number or three, as three."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) not in (1, 3):
        raise argparse.ArgumentTypeError(f"{text!r}: give one number or three, such as 0.485,0.456,0.406")
    return numbers * 3 if len(numbers) == 1 else numbers


def query(text: str) -> Any:
    """A token's name, a patch ROW,COL, or a pixel @X,Y as a Place."""
    from vitviz.attention.values import Place

    try:
        if text.startswith("@"):
            x, y = text[1:].split(",")
            return Place(float(x), float(y))
        if "," in text:
            row, col = text.split(",")
            return int(row), int(col)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no query: give cls, mean, ROW,COL or @X,Y") from None
    return text


def limits(text: str) -> Any:
    """ "map", "figure", "layer", "all", or LOW,HIGH as two numbers."""
    if text in ("map", "figure", "layer", "all"):
        return text
    try:
        low, high = (float(part) for part in text.split(","))
        if not low < high:
            raise ValueError("no room between them")
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: give map, figure, layer, all or LOW,HIGH") from None
    return low, high


def method(text: str) -> str:
    """The name of a method; dashes and underscores may stand for its spaces."""
    from vitviz.attention.methods import METHODS

    plain = {name.replace("-", " "): name for name in METHODS}
    found = plain.get(text.casefold().replace("_", " ").replace("-", " "))
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no method: give one of {', '.join(METHODS)}")
    return found


def colormap(text: str) -> str:
    """The name of a colormap that is known."""
    from vitviz.render.style import COLORMAPS, color_table

    try:
        color_table(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no colormap: give {', '.join(COLORMAPS)}") from None
    return text


def fraction(text: str) -> float:
    """A number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 1")
    return value
