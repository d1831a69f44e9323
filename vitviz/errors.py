"""Every error that vitviz raises on purpose; each message says what came, what was expected and what to do."""


class VitvizError(Exception):
    """The base of all errors raised on purpose."""


class Cancelled(VitvizError):
    """The user asked for something else, or for nothing, while this ran."""


class ImageError(VitvizError):
    """A picture can't be read or used."""


class SourceError(VitvizError):
    """What the user named as a model is not there, or is no model."""


class UnknownArchitectureError(SourceError):
    """Weights were read, but the network that they are of can't be told: the name of its architecture may help."""


class ViewWantedError(SourceError):
    """Weights have positions for a grid of patches that is no square and that nothing tells: the view has to be said.

    `places` is the number of patches, `patch` their height and width in pixels.
    """

    def __init__(self, places: int, patch: tuple[int, int]) -> None:
        super().__init__(
            f"The position embedding has {places} places for patches, which fit no square grid: say the height and "
            "width of the view that it was made for (image_size)."
        )
        self.places, self.patch = places, patch


class ModelError(VitvizError):
    """A model can't be built, or its weights don't fit."""


class AttentionError(VitvizError):
    """A model's attention can't be captured or asked for in this way."""


class RenderError(VitvizError, ValueError):
    """A map or figure can't be drawn in this way."""


class FileError(VitvizError):
    """A file can't be written."""


def in_one_line(error: BaseException, most: int = 300) -> str:
    """What an error of someone else says, without its line breaks and at most `most` letters; its type if nothing."""
    return " ".join(str(error).split())[:most] or type(error).__name__
