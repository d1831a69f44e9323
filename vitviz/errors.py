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


class ModelError(VitvizError):
    """A model can't be built, or its weights don't fit."""


class AttentionError(VitvizError):
    """A model's attention can't be captured or asked for in this way."""


class FileError(VitvizError):
    """A file can't be written."""
