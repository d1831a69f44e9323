"""The options that say how a figure is drawn, laid out and written, and the plans that they make."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vitviz.attention.methods import METHODS
from vitviz.cli.parser import WrongCall, in_words
from vitviz.cli.values import colormap, fraction, limits, method, number_or, positive, query, whole
from vitviz.errors import VitvizError

if TYPE_CHECKING:
    from vitviz.attention.values import Selection
    from vitviz.render.plan import Plan, Scale, Seen
    from vitviz.render.style import Limits, Style

# Words of render.plan, which imports the figure's floor; --help must not wait for it.
_FORMATS = ("png", "svg", "pdf", "npz", "safetensors", "gif", "apng", "mask")
_ROLLOUT = {
    "fusion": "mean", "discard": 0.0, "first_layer": 0, "last_layer": None, "residual": 0.5, "variant": "abnar",
}  # fmt: skip
_OF_ATTENTION = {"layer": -1, "head": "mean", "direction": "from"}
THEME_HELP = "black on white or white on black (default: light)"
SEEN_HELP = "leave out what the model did not see of the picture, which else is grey"
_OVERS = ("map", "heads", "layers", "queries", "methods")


def selection_arguments(parser: argparse.ArgumentParser, *, several: bool = True) -> None:
    """Add what is shown and how it is coloured; with `several`, all layers and heads may be asked for."""
    add, every = parser.add_argument, ("all",) if several else ()
    methods = in_words([name.replace(" ", "-") for name in METHODS])
    add("--method", type=method, default="attention", metavar="NAME", help=f"{methods} (default: attention)")
    add("--target", metavar="CLASS", help="the class that is explained: number or name (default: the most probable)")
    add(
        "--layer",
        type=number_or(*every),
        default=-1,
        metavar="|".join(["N", *every]),
        help="from 0 at the picture, or from the end, -1 (default: the last)"
        + ("; all: a file each" if several else ""),
    )
    add(
        "--head",
        type=number_or("mean", "max", "min", *every),
        default="mean",
        metavar="|".join(["N", "mean", "max", "min", *every]),
        help="one of a layer, or what they are together (default: mean)" + ("; all: a file each" if several else ""),
    )
    add(
        "--query",
        type=query,
        metavar="TOKEN|ROW,COL|@X,Y",
        help="cls, dist, reg0, mean over the patches, a patch or a pixel (default: what the output is read from)",
    )
    add(
        "--direction",
        choices=("from", "to"),
        default="from",
        help="of attention: what the query looks at, or what looks at it (default: from)",
    )
    rollout = parser.add_argument_group("rollout")
    rollout.set_defaults(**_ROLLOUT)
    rollout.add_argument("--fusion", choices=("mean", "max", "min"), help="how heads become one (default: mean)")
    rollout.add_argument("--discard", type=fraction, metavar="0..1", help="smallest share set to 0 (default: 0)")
    rollout.add_argument("--first-layer", type=int, metavar="N", help="where the product begins (default: 0)")
    rollout.add_argument("--last-layer", type=int, metavar="N", help="where it ends (default: the last)")
    rollout.add_argument("--residual", type=fraction, metavar="0..1", help="weight of the identity (default: 0.5)")
    rollout.add_argument(
        "--variant", choices=("abnar", "vit-paper", "vit-explain"), help="whose definition (default: abnar)"
    )
    add(
        "--colormap",
        type=colormap,
        default="viridis",
        metavar="NAME",
        help="viridis, inferno, magma, cividis, gray or another of the cmap package (default: viridis)",
    )
    add("--opacity", type=fraction, default=0.6, metavar="0..1", help="of the map over the picture (default: 0.6)")
    add(
        "--limits",
        type=limits,
        metavar="map|figure|layer|all|LOW,HIGH",
        help="ends of the colours: each map's own, or shared by all that are shown, by the layer, by all layers "
        "(default: map; of an animation: figure)",
    )
    add(
        "--threshold",
        type=fraction,
        default=0.0,
        metavar="0..1",
        help="mark the fewest patches that hold this share of the map (default: none)",
    )
    add("--marked", choices=("contour", "mask"), default="contour", help="how they are marked (default: contour)")
    add("--smooth", action="store_true", help="interpolate between the patches")
    add("--no-outline", action="store_true", help="do not outline the query")
    add("--no-window", action="store_true", help="do not draw the window of the query (Swin)")
    add("--partition", action="store_true", help="draw all windows of the layer and, dashed, of the next one")


def figure_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the kind of file, and what is around the map."""
    add = parser.add_argument
    add(
        "--format",
        choices=_FORMATS,
        default="png",
        help="npz and safetensors: the numbers; mask: a PNG of black and white (default: png)",
    )
    add(
        "--over",
        choices=_OVERS,
        default="map",
        help="one map, or a sheet (png, svg, pdf), an animation (gif, apng) or numbers over all of these in one file "
        "(default: map)",
    )
    add("--title", default="", help="above the picture")
    add("--label", default="", help="beside the colour bar")
    add("--color-bar", action="store_true", help="draw the colour bar, with numbers")
    add("--grid", action="store_true", help="draw the borders of the patches")
    add("--seen-only", action="store_true", help=SEEN_HELP)
    add("--columns", type=whole(1, 2), metavar="1|2", help="of a paper: 85 or 174 mm wide, with a colour bar")
    add("--width", type=positive, metavar="MM", help="of the whole figure (default: the picture's own pixels)")
    add("--scale", type=positive, metavar="X", help="pixels per pixel of the picture, without --width (default: 1)")
    add("--dpi", type=whole(1), metavar="N", help="pixels per inch (default: 300)")
    add("--font-size", type=positive, metavar="PT", help="of all letters (default: 8)")
    add("--theme", choices=("light", "dark"), default="light", help=THEME_HELP)
    add("--no-labels", action="store_true", help="do not name tiles and frames")
    add("--seconds", type=positive, default=0.5, metavar="S", help="for each frame of an animation (default: 0.5)")
    add(
        "--mass", type=fraction, default=0.6, metavar="0..1", help="share that a mask's white part holds (default: 0.6)"
    )


def plan_of(arguments: argparse.Namespace) -> Plan:
    """The plan that the options ask for; "all" layers and heads are left to `spread`."""
    from vitviz.render.figure import Figure
    from vitviz.render.plan import Plan

    limits, scale = limits_and_scale(arguments)
    try:
        figure = Figure.for_paper(arguments.columns) if arguments.columns else Figure()
        given = {"width": arguments.width, "scale": arguments.scale, "dpi": arguments.dpi}
        given |= {"font_size": arguments.font_size}
        figure = replace(
            figure,
            title=arguments.title,
            label=arguments.label,
            color_bar=figure.color_bar or arguments.color_bar,
            grid=arguments.grid,
            seen_only=arguments.seen_only,
            theme=arguments.theme,
            labels=not arguments.no_labels,
            **{k: v for k, v in given.items() if v is not None},
        )
        layer: Any = -1 if arguments.layer == "all" else arguments.layer
        head: Any = "mean" if arguments.head == "all" else arguments.head
        return Plan(
            selection_of(arguments, layer, head),
            style_of(arguments, limits),
            figure,
            arguments.format,
            arguments.over,
            scale,
            arguments.seconds,
            arguments.mass,
        )
    except ValueError as error:
        raise VitvizError(str(error)) from error


def style_of(arguments: argparse.Namespace, limits: Limits) -> Style:
    """How the map is coloured."""
    from vitviz.render.style import Style

    return Style(
        arguments.colormap,
        arguments.opacity,
        limits,
        "smooth" if arguments.smooth else "nearest",
        not arguments.no_outline,
        not arguments.no_window,
        arguments.partition,
        arguments.threshold,
        arguments.marked,
    )


def limits_and_scale(arguments: argparse.Namespace) -> tuple[Limits, Scale]:
    """The limits of the style, and what they are shared over."""
    from vitviz.render.plan import scale_of

    if arguments.limits == "figure":
        return "map", "figure"
    if arguments.limits is None:
        return "map", scale_of("map", getattr(arguments, "format", "png"))
    return arguments.limits, scale_of(arguments.limits)


def check_idle(arguments: argparse.Namespace) -> None:
    """WrongCall for options that the method has no use for: a map of something else was meant."""
    if getattr(arguments, "over", "map") == "methods":
        return
    used = METHODS[arguments.method]
    if arguments.target is not None and not used.of_class:
        raise WrongCall(f"--target explains a class, which {arguments.method} does not: choose --method {_of_class()}.")
    if arguments.query is not None and not used.of_query:
        raise WrongCall(
            f"--query chooses a token that looks, and {arguments.method} is of the token that the output is read from: "
            "leave it out, or choose --method attention or rollout."
        )
    idle = [name for name, usual in _OF_ATTENTION.items() if getattr(arguments, name) != usual and not used.of_head]
    if idle:
        belong, them = ("belong", "them") if len(idle) > 1 else ("belongs", "it")
        raise WrongCall(
            f"{', '.join(f'--{name}' for name in idle)} {belong} to attention, and {arguments.method} is one map for "
            f"all layers and heads: leave {them} out."
        )
    given = [name for name in _ROLLOUT if getattr(arguments, name) != _ROLLOUT[name]]
    if given and arguments.method != "rollout":
        names = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise WrongCall(f"{names} {'belong' if len(given) > 1 else 'belongs'} to rollout: add --method rollout.")


def _of_class() -> str:
    return in_words([name.replace(" ", "-") for name, each in METHODS.items() if each.of_class])


def selection_of(arguments: argparse.Namespace, layer: Any, head: Any) -> Selection:
    """What the method takes in of the options; the class is found once a model is there."""
    from vitviz.attention.values import RolloutOptions, Selection

    if arguments.method != "rollout" and getattr(arguments, "over", "map") != "methods":
        return Selection(layer, head, arguments.query, arguments.direction, arguments.method)
    options = RolloutOptions(**{name: getattr(arguments, name) for name in _ROLLOUT})
    return Selection(layer, head, arguments.query, arguments.direction, arguments.method, options=options)


def spread(plan: Plan, seen: Seen, arguments: argparse.Namespace) -> Iterator[Plan]:
    """The plans of one picture: one for each layer and head where all of them are asked for."""
    from vitviz.attention.classes import class_named

    about = METHODS[plan.selection.method]
    if arguments.target is not None and (about.of_class or plan.over == "methods"):
        plan = replace(plan, selection=replace(plan.selection, target=class_named(seen.trace, arguments.target)))
    if not about.of_head or plan.over == "methods":
        yield plan
        return
    layers = seen.trace.layers
    every = range(len(layers)) if arguments.layer == "all" else [seen.trace.layer(int(arguments.layer)).index]
    for layer in every:
        heads: list[Any] = list(range(layers[layer].num_heads)) if arguments.head == "all" else [arguments.head]
        for head in heads:
            yield replace(plan, selection=replace(plan.selection, layer=layer, head=head))
