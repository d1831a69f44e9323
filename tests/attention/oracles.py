"""The tests' own way to a model's attention: its softmax or its fused call seen in a pass of their own, laid out dense.

Nothing here uses vitviz. `watch` records each attention call; `window_index` cuts an index tensor with the operations
that the model's own block uses; `dense` undoes that cut.
"""

from contextlib import contextmanager
from dataclasses import dataclass

import timm
import torch
import torch.nn.functional as F
from timm.layers import set_fused_attn, use_fused_attn
from timm.models import maxxvit, swin_transformer
from torch import Tensor
from torch.overrides import TorchFunctionMode, _get_current_function_mode_stack


@dataclass
class Seen:
    """One attention call: its module, its weights (None where fused), v and the output, all (B, H, N, d)."""

    name: str
    weights: Tensor | None
    values: Tensor
    output: Tensor
    shapes: dict  # module name -> shape of its input


def watch(module, view):
    """Run `module(view)`; return its output and what each of its attention calls took and gave."""
    names, shapes, seen = [], {}, []
    handles = []
    for name, child in module.named_modules():

        def before(child, args, name=name):
            names.append(name)
            if args and isinstance(args[0], Tensor):
                shapes[name] = tuple(args[0].shape)

        def after(child, args, output):
            names.pop()

        handles += [child.register_forward_pre_hook(before), child.register_forward_hook(after)]

    def apart(tensor):  # SAM folds windows and heads into one dimension
        heads = None if tensor.dim() == 4 else module.get_submodule(names[-1]).num_heads
        return tensor.clone() if heads is None else tensor.unflatten(0, (-1, heads)).clone()

    class Mode(TorchFunctionMode):
        pending = None

        def __torch_function__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            if func is F.scaled_dot_product_attention:
                seen.append(Seen(names[-1], None, apart(args[2]), apart(out), dict(shapes)))
            elif func in (torch.softmax, F.softmax, Tensor.softmax) and out.dim() in (3, 4):
                self.pending = (names[-1] if names else "", out)
            elif func in (torch.matmul, Tensor.matmul, Tensor.__matmul__) and self.pending is not None:
                name, weights = self.pending
                if args[0].data_ptr() == weights.data_ptr() and args[0].shape == weights.shape:
                    seen.append(Seen(name, apart(weights), apart(args[1]), apart(out), dict(shapes)))
                elif args[1].data_ptr() == weights.data_ptr():  # v^T A^T, as MaxViT has it
                    seen.append(Seen(name, apart(weights), apart(args[0].mT), apart(out.mT), dict(shapes)))
                else:
                    return out
                self.pending = None
            return out

    try:
        with torch.no_grad(), Mode():
            output = module(view)
    finally:
        for handle in handles:
            handle.remove()
    return output, seen


@contextmanager
def attention_by_hand():
    """timm models built inside take their softmax by hand instead of the fused call."""
    before = 2 if use_fused_attn(experimental=True) else int(use_fused_attn())
    set_fused_attn(False)
    try:
        yield
    finally:
        set_fused_attn(before > 0, experimental=before > 1)


@contextmanager
def attention_fused():
    """timm models built inside make the fused call wherever they know one, Swin and MaxViT's tf variants too."""
    before = 2 if use_fused_attn(experimental=True) else int(use_fused_attn())
    set_fused_attn(True, experimental=True)
    try:
        yield
    finally:
        set_fused_attn(before > 0, experimental=before > 1)


def twin_of(module, architecture, **args):
    """The same network with the same weights, which takes its softmax by hand."""
    with attention_by_hand():
        twin = timm.create_model(architecture, **args)
    twin.load_state_dict(module.state_dict())
    return twin.eval()


def window_index(module, seen):
    """(windows, places) token of the grid or -1, and the grid, cut by the model's own operations; None where global."""
    path = seen.name.split(".")
    parents = [".".join(path[:n]) for n in range(len(path), 0, -1)]
    for name in parents:
        block = module.get_submodule(name)
        if hasattr(block, "partition_size"):
            shape = seen.shapes[name]
            parallel = not hasattr(block, "partition_block")
            grid = shape[2:] if type(block).__name__.endswith("2d") else shape[1:3]
            blockwise = "attn_block" in path if parallel else block.partition_block
            cut = maxxvit.window_partition if blockwise else maxxvit.grid_partition
            index = cut(_numbered(grid), block.partition_size)
            return index.reshape(-1, block.partition_size[0] * block.partition_size[1]) - 1, grid
        if hasattr(block, "shift_size"):
            grid = seen.shapes[name][1:3]
            if "torchvision" in type(block).__module__:
                return _torchvision_index(grid, block.window_size, list(block.shift_size)), grid
            return _timm_index(grid, tuple(block.window_size), tuple(block.shift_size)), grid
        if "window_size" in vars(block) and len(seen.shapes.get(name, ())) == 4:
            size = block.window_size
            size = (size, size) if isinstance(size, int) else tuple(size)
            if size[0] * size[1] == seen.output.shape[-2] and size[0]:
                return _timm_index(seen.shapes[name][1:3], size, (0, 0)), seen.shapes[name][1:3]
    return None, None


def _numbered(grid):
    return torch.arange(1, grid[0] * grid[1] + 1).view(1, *grid, 1)


def _timm_index(grid, window, shift):
    x = torch.roll(_numbered(grid), shifts=(-shift[0], -shift[1]), dims=(1, 2))
    pad_h, pad_w = (-grid[0] % window[0], -grid[1] % window[1])
    x = F.pad(x, (0, 0, 0, pad_w, 0, pad_h))
    return swin_transformer.window_partition(x, window).view(-1, window[0] * window[1]) - 1


def _torchvision_index(grid, window, shift):
    x = F.pad(_numbered(grid), (0, 0, 0, -grid[1] % window[1], 0, -grid[0] % window[0]))
    high, wide = x.shape[1:3]
    shift = [0 if window[0] >= high else shift[0], 0 if window[1] >= wide else shift[1]]
    x = torch.roll(x, shifts=(-shift[0], -shift[1]), dims=(1, 2))
    x = x.view(1, high // window[0], window[0], wide // window[1], window[1], 1)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, window[0] * window[1]) - 1


def dense(weights, index, size):
    """Weights in windows (W, H, M, M) -> (H, size, size) in grid order, and the share on padding (H, size)."""
    matrix = torch.zeros(weights.shape[1], size, size)
    padding = torch.zeros(weights.shape[1], size)
    for inside, tokens in zip(weights, index, strict=True):
        real = tokens >= 0
        queries = tokens[real]
        matrix[:, queries[:, None], queries[None, :]] = inside[:, real][:, :, real]
        padding[:, queries] = inside[:, real][:, :, ~real].sum(-1)
    return matrix, padding


def grid_order(tensor, index, size):
    """Tokens in windows (W, H, M, d) -> (H, size, d) in grid order, and the first token of the padding (H, d) or 0."""
    placed = torch.full((tensor.shape[1], size, tensor.shape[3]), torch.nan)
    pad = torch.zeros(tensor.shape[1], tensor.shape[3])
    for inside, tokens in zip(tensor, index, strict=True):
        real = tokens >= 0
        placed[:, tokens[real]] = inside[:, real]
        if not real.all():
            pad = inside[:, int((~real).nonzero()[0])]
    return placed, pad


def modes():
    """The function modes that are on in this thread."""
    return list(_get_current_function_mode_stack())


def hooks(module):
    """How many forward hooks lie on a network."""
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in module.modules())
