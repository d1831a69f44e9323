"""What the proof of a trace compared, and what came of it, in words."""

from __future__ import annotations

from vitviz.attention.trace import Trace


def proof_text(trace: Trace) -> str | None:
    """The largest max |A v - output| of all layers with what was compared; None where no layer's values were seen.

    Most layers run fused: their weights are computed anew from q and k, so that what is compared is another
    computation. Where a model makes its own softmax, those weights are the ones shown, and what is compared is
    whether they are what the output was made with.
    """
    checked = [layer for layer in trace.layers if layer.error is not None]
    if not checked or trace.error is None:
        return None
    taken = sum(layer.call.probabilities is not None for layer in checked)
    result = "0, equal to the last bit" if trace.error == 0 else f"{trace.error:.1e}"
    which = "every layer" if len(checked) == len(trace.layers) else f"{len(checked)} of {len(trace.layers)} layers"
    words = f"max |A v - output| = {result}: sampled rows of {which} times the values, against the model's own output"
    if taken == len(checked):
        words += "; attention taken by the model's own softmax"
    elif taken:
        words += f"; attention taken by the model's own softmax in {taken}, computed anew from q and k in the others"
    else:
        words += "; attention computed anew from q and k"
    return words
