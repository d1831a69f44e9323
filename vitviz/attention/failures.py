"""What is said of a pass that failed: for want of memory, or in the network's own words."""

from __future__ import annotations

import torch

from vitviz.errors import ModelError, in_one_line
from vitviz.models.model import Model


def failure(model: Model, error: Exception) -> ModelError:
    """The ModelError for a pass of the model over its own view, which the caller raises from `error`."""
    height, width = model.preprocessing.input_size
    view = f"a view of {height} x {width} px"
    if isinstance(error, torch.OutOfMemoryError):
        return ModelError(
            f"{model.device.title} has not enough memory for {model.name} on {view}: choose a smaller view, half "
            "precision or the CPU."
        )
    return ModelError(f"{model.name} failed on {view}: {in_one_line(error)}")
