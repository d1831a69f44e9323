"""The command `vitviz`: open the window (the default), export figures, say what a model is, list models."""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitviz import __version__
from vitviz.errors import FileError, VitvizError

if TYPE_CHECKING:
    from vitviz.attention.trace import Trace
    from vitviz.attention.values import Head
    from vitviz.images import Image
    from vitviz.models.model import Model

_EPILOG = """examples:
  vitviz                                             the demo
  vitviz cat.jpg --model vit_base_patch16_224        a picture and a model in the window
  vitviz export cat.jpg --model demo --layer all --head mean --out figures
  vitviz info my_folder                              what a checkpoint is
  vitviz models "vit_*dinov2*"                       the names that timm knows
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status: 0, 1 after an error of ours, 2 for a wrong call."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        # A picture may be called anything but these words; ./export names a file of that name.
        if given and given[0] in _COMMANDS:
            build, run = _COMMANDS[given[0]]
            status: int = run(build().parse_intermixed_args(given[1:]))
            return status
        return _open(_open_parser().parse_intermixed_args(given))
    except VitvizError as error:
        print(f"vitviz: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0


def _open_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vitviz",
        description="Look inside vision transformers: every head of every layer, live under the mouse.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("picture", nargs="?", type=Path, metavar="PICTURE", help="a PNG, JPEG, WebP, BMP, TIFF or GIF")
    parser.add_argument("--model", metavar="SOURCE", default="demo", help=_SOURCE_HELP)
    _model_arguments(parser)
    parser.add_argument("--version", action="version", version=f"vitviz {__version__}")
    parser.add_argument("--info", action="store_true", help="versions, devices and paths, for a bug report")
    parser.add_argument("--reset", action="store_true", help="forget all settings and the layout")
    return parser


_SOURCE_HELP = 'demo, demo-swin, a weights file, a folder with config.json, or a timm name ("vit_base_patch16_224")'


def _model_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--architecture", metavar="NAME", help="timm's name, for a weights file that does not say")
    parser.add_argument("--random", action="store_true", help="random weights instead of trained ones")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps (default: auto)")
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16", "float16"))
    parser.add_argument("--image-size", type=_size, metavar="PX|HxW", help="another size of the model's view")
    parser.add_argument("--patch-size", type=int, metavar="PX", help="another patch size, resampled")
    parser.add_argument("--num-heads", type=int, metavar="N", help="heads of a layer, where what was found is wrong")
    parser.add_argument("--network", metavar="NAME", help='which of several networks in a file, such as "teacher"')
    parser.add_argument("--mean", type=_numbers, metavar="R,G,B", help="mean of the preprocessing")
    parser.add_argument("--std", type=_numbers, metavar="R,G,B", help="standard deviation of the preprocessing")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="text or JSON file with the names of the classes")
    parser.add_argument("--crop", choices=("center", "squash", "border"), help="how the view is cut from the picture")


def _open(arguments: argparse.Namespace) -> int:
    if arguments.info:
        print(_information())
        return 0
    from vitviz.ui.opening import ModelWish, Wish
    from vitviz.ui.settings import Settings

    if arguments.reset:
        Settings().reset()
        print("All settings of vitviz are forgotten.")
        return 0
    if arguments.picture is not None and not arguments.picture.exists():
        raise VitvizError(
            f"There is no picture {str(arguments.picture)!r}: check the path; a model is named with --model."
        )
    from vitviz.ui.app import run

    wish = ModelWish(
        source=arguments.model,
        architecture=arguments.architecture,
        pretrained=not arguments.random,
        image_size=arguments.image_size,
        patch_size=arguments.patch_size,
        crop=arguments.crop,
        num_heads=arguments.num_heads,
        network=arguments.network,
        mean=arguments.mean,
        std=arguments.std,
        labels=arguments.labels,
        device=arguments.device,
        precision=arguments.precision,
    )
    return run(Wish(arguments.picture, wish))


def _export_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vitviz export",
        description="Write attention maps over pictures as PNG at the picture's own size, each with a JSON recipe.",
    )
    parser.add_argument("pictures", nargs="*", type=Path, metavar="PICTURE")
    parser.add_argument("--model", metavar="SOURCE", default="demo", help=_SOURCE_HELP)
    _model_arguments(parser)
    parser.add_argument("--method", choices=("attention",), default="attention")
    parser.add_argument("--layer", type=_number_or("all"), default=-1, metavar="N|all", help="default: the last")
    parser.add_argument(
        "--head", type=_number_or("mean", "max", "min", "all"), default="mean", metavar="N|mean|max|min|all"
    )
    parser.add_argument(
        "--query", type=_query, default=None, help="cls, mean, dist, reg0, a patch ROW,COL or a pixel @X,Y"
    )
    parser.add_argument(
        "--direction", choices=("from", "to"), default="from", help="what it looks at, or what looks at it"
    )
    parser.add_argument("--colormap", type=_colormap, default="viridis", help="viridis, inferno, magma, cividis, gray…")
    parser.add_argument("--opacity", type=_fraction, default=0.6, metavar="0..1")
    parser.add_argument(
        "--limits", type=_limits, default="map", metavar="map|layer|all|LOW,HIGH", help="ends of the colours"
    )
    parser.add_argument("--smooth", action="store_true", help="interpolate between the patches")
    parser.add_argument("--no-outline", action="store_true", help="do not outline the query")
    parser.add_argument("--format", choices=("png",), default="png")
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR")
    parser.add_argument("--recipe", type=Path, metavar="FILE", help="make an exported figure again from its .json")
    return parser


def _export(arguments: argparse.Namespace) -> int:
    from vitviz.images import read_image

    if arguments.recipe is None and not arguments.pictures:
        print("vitviz export: name at least one PICTURE, or a --recipe.", file=sys.stderr)
        return 2
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"The folder {arguments.out} can't be made: {error.strerror}; choose another --out.") from error
    if arguments.recipe is not None:
        return _again(arguments)
    images = [read_image(path) for path in arguments.pictures]
    model = _load(arguments.model, arguments)
    for image in images:
        _export_one(image, model, arguments)
    return 0


def _export_one(image: Image, model: Model, arguments: argparse.Namespace) -> None:
    from vitviz.attention.maps import head_maps, map_of
    from vitviz.attention.trace import trace
    from vitviz.attention.values import Selection
    from vitviz.render.recipe import export, figure, figure_name, recipe
    from vitviz.render.style import Style, limits_of

    seen = trace(model, image)
    style = Style(
        arguments.colormap,
        arguments.opacity,
        arguments.limits,
        "smooth" if arguments.smooth else "nearest",
        not arguments.no_outline,
    )
    maps = head_maps(seen, arguments.query, arguments.direction)
    for layer in _layers(seen, arguments.layer):
        for head in _heads(seen, layer, arguments.head):
            shown = map_of(seen, Selection(layer, head, arguments.query, arguments.direction))
            limits = limits_of(shown.values, style.limits, maps.values[layer], maps.values)
            path = arguments.out / figure_name(shown)
            export(path, figure(image, shown, style, limits), recipe(image, shown, style, limits, model.identity))
            print(path)


def _again(arguments: argparse.Namespace) -> int:
    """Make an exported figure again; what differs from then is said."""
    from vitviz.attention.maps import map_of
    from vitviz.attention.trace import trace
    from vitviz.images import read_image
    from vitviz.models.loading import load_model
    from vitviz.render.recipe import export, figure, figure_name, read_recipe, recipe

    content, selection, style = read_recipe(arguments.recipe)
    picture, identity = content["picture"], content["model"]
    if not arguments.pictures and not picture.get("path"):
        raise VitvizError("The recipe names no picture file (it was pasted): name the PICTURE on the command line.")
    image = read_image(arguments.pictures[0] if arguments.pictures else Path(str(picture["path"])))
    if image.sha256 != picture["sha256"]:
        raise VitvizError(
            f"{image.name} is not the picture of the recipe ({picture['name']}, sha256 {picture['sha256'][:16]}): "
            "name that picture on the command line."
        )
    options: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in dict(identity.get("options", {})).items()
    }
    known = {
        "architecture",
        "network",
        "mean",
        "std",
        "image_size",
        "patch_size",
        "crop",
        "num_heads",
        "precision",
        "pretrained",
    }
    model = load_model(
        str(identity["source"]), device=arguments.device, **{k: v for k, v in options.items() if k in known}
    )
    if model.sha256 != identity.get("sha256"):
        raise VitvizError(f"The weights of {identity['source']} are not those of the recipe: the hashes differ.")
    shown = map_of(trace(model, image), selection)
    assert isinstance(style.limits, tuple)
    path = arguments.out / figure_name(shown)
    export(path, figure(image, shown, style, style.limits), recipe(image, shown, style, style.limits, model.identity))
    print(path)
    return 0


def _info_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vitviz info", description="Say what a model is and how it was opened.")
    parser.add_argument("source", metavar="SOURCE", help=_SOURCE_HELP)
    _model_arguments(parser)
    return parser


def _info(arguments: argparse.Namespace) -> int:
    model = _load(arguments.source, arguments)
    print(model.name)
    print(model.report)
    return 0


def _models_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vitviz models", description="List the models that timm knows by name.")
    parser.add_argument("pattern", nargs="?", default="*", metavar="PATTERN", help='such as "swin*" or "*dinov2*"')
    parser.add_argument("--all", action="store_true", help="also those without trained weights")
    return parser


def _models(arguments: argparse.Namespace) -> int:
    import timm

    from vitviz.models.source import DEMOS

    pattern = arguments.pattern if "*" in arguments.pattern else f"*{arguments.pattern}*"
    names = timm.list_models(pattern, pretrained=not arguments.all)
    if arguments.pattern == "*":
        names = [*DEMOS, *names]
    if not names:
        raise VitvizError(f"timm knows no model like {arguments.pattern!r}: try a shorter pattern.")
    print("\n".join(names))
    return 0


_COMMANDS: dict[str, tuple[Any, Any]] = {
    "export": (_export_parser, _export),
    "info": (_info_parser, _info),
    "models": (_models_parser, _models),
}


def _load(source: str, arguments: argparse.Namespace) -> Model:
    from vitviz.models.loading import load_model

    return load_model(
        source,
        device=arguments.device,
        precision=arguments.precision,
        image_size=arguments.image_size,
        patch_size=arguments.patch_size,
        crop=arguments.crop,
        architecture=arguments.architecture,
        num_heads=arguments.num_heads,
        network=arguments.network,
        mean=arguments.mean,
        std=arguments.std,
        labels=arguments.labels,
        pretrained=not arguments.random,
    )


def _layers(seen: Trace, wish: int | str) -> list[int]:
    if wish == "all":
        return list(range(len(seen.layers)))
    return [seen.layer(int(wish)).index]


def _heads(seen: Trace, layer: int, wish: Head | str) -> list[Head]:
    if wish == "all":
        return list(range(seen.layers[layer].num_heads))
    return [wish]  # type: ignore[list-item]


def _number_or(*words: str) -> Any:
    def parse(text: str) -> int | str:
        if text in words:
            return text
        try:
            return int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor {' or '.join(words)}") from None

    return parse


def _size(text: str) -> tuple[int, int]:
    parts = text.lower().split("x")
    try:
        numbers = [int(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2) or any(n < 1 for n in numbers):
        raise argparse.ArgumentTypeError(f"{text!r} is no size: give 384 or 224x320 (height x width)")
    return numbers[0], numbers[-1]


def _numbers(text: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) not in (1, 3):
        raise argparse.ArgumentTypeError(f"{text!r}: give one number or three, such as 0.485,0.456,0.406")
    return numbers * 3 if len(numbers) == 1 else numbers


def _query(text: str) -> Any:
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


def _limits(text: str) -> Any:
    if text in ("map", "layer", "all"):
        return text
    try:
        low, high = (float(part) for part in text.split(","))
        if not low < high:
            raise ValueError("no room between them")
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: give map, layer, all or LOW,HIGH") from None
    return low, high


def _colormap(text: str) -> str:
    from vitviz.render.style import COLORMAPS, color_table

    try:
        color_table(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no colormap: give {', '.join(COLORMAPS)}") from None
    return text


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 1")
    return value


def _information() -> str:
    from importlib.metadata import PackageNotFoundError, version

    from vitviz import resources
    from vitviz.models.devices import available
    from vitviz.ui.settings import settings_path

    lines = [f"vitviz {__version__}", f"python {platform.python_version()} on {platform.platform()}"]
    for name in ("torch", "torchvision", "timm", "PySide6-Essentials", "pyqtgraph", "numpy", "pillow", "safetensors"):
        try:
            lines.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            lines.append(f"{name} is missing")
    lines += [f"device {d.name}: {d.title}" for d in available()]
    lines += [f"settings {settings_path()}", f"resources {resources.path('demo')}"]
    return "\n".join(lines)
