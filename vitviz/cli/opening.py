"""`vitviz [PICTURE]`: the window, and what a bug report needs."""

from __future__ import annotations

import argparse
import platform
from pathlib import Path

from vitviz import __version__
from vitviz.cli.arguments import PICTURE_HELP, SOURCE_HELP, model_arguments, model_options
from vitviz.cli.parser import Parser, WrongCall
from vitviz.errors import VitvizError

_PANES = 4
_USAGE = """vitviz [PICTURE] [--model SOURCE] [OPTIONS]
       vitviz {ablation,compare,dataset,export,faithfulness,info,models,save,statistics} ..."""
_EPILOG = """examples:
  vitviz                                             the demo
  vitviz cat.jpg --model vit_base_patch16_224        a picture and a model in the window
  vitviz cat.jpg --model demo --model demo-swin      two models side by side
  vitviz export cat.jpg --model demo --layer all --head mean --out figures
  vitviz ablation cat.jpg --model demo               what each head is worth to the prediction
  vitviz statistics folder --model demo --out heads.csv
  vitviz faithfulness cat.jpg --model demo           deletion and insertion of the maps of every method
  vitviz compare cat.jpg --patch-size 8,16,32 --out sizes.png
  vitviz dataset folder --model demo --out heads.parquet
  vitviz info my_folder                              what a checkpoint is
  vitviz save my_weights.pth --num-heads 6 --out my_folder
  vitviz models "vit_*dinov2*"                       the names that timm knows

What a command takes is said by vitviz COMMAND --help.
"""


def parser() -> Parser:
    """Its arguments."""
    made = Parser(
        "",
        "Look inside vision transformers: every head of every layer, live under the mouse.",
        _EPILOG,
    )
    made.usage = _USAGE
    made.add_argument("picture", nargs="?", type=Path, metavar="PICTURE", help=PICTURE_HELP)
    made.add_argument(
        "--model", metavar="SOURCE", action="append", help=f"{SOURCE_HELP}; up to {_PANES} of them, side by side"
    )
    model_arguments(made, remembered=True)
    made.add_argument("--version", action="version", version=f"vitviz {__version__}")
    made.add_argument("--info", action="store_true", help="versions, devices and paths, for a bug report")
    made.add_argument("--reset", action="store_true", help="forget all settings and the layout")
    return made


def run(arguments: argparse.Namespace) -> int:
    """Open the window and stay until it is closed; the exit status."""
    if arguments.info:
        print(_information())
        return 0
    from vitviz.models.wish import ModelWish
    from vitviz.ordinary import is_there
    from vitviz.ui.opening import Wish
    from vitviz.ui.settings import Settings

    if arguments.reset:
        Settings().reset()
        print("All settings of vitviz are forgotten.")
        return 0
    if arguments.picture is not None and not is_there(arguments.picture):
        raise VitvizError(
            f"There is no picture {str(arguments.picture)!r}: check the path; a model is named with --model."
        )
    sources = arguments.model or ["demo"]
    if len(sources) > _PANES:
        raise WrongCall(f"{len(sources)} models were named, and {_PANES} fit side by side: name fewer.")
    try:
        from vitviz.ui import app
    except ImportError as error:
        from vitviz.ui import x_libraries

        if (missing := x_libraries.missing_library(error)) is None:
            raise
        raise VitvizError(x_libraries.sentence(missing)) from error

    options = {name: value for name, value in model_options(arguments).items() if value is not None}
    wish, *beside = (ModelWish(source=source, **options) for source in sources)
    named = tuple(name for name in ("device", "precision") if name in options)
    return app.run(Wish(arguments.picture, wish, tuple(beside), given=named))


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
