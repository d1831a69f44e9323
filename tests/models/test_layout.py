"""Cells, pixels, strides and windows: round trips, and the models' own operations on an index tensor."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given
from hypothesis import strategies as st
from timm.models import maxxvit, swin_transformer

from vitviz.models.layout import Grid, Windows

grids = st.builds(
    Grid,
    st.integers(1, 40),
    st.integers(1, 40),
    st.tuples(st.sampled_from([1, 4, 7, 8, 14, 16, 32]), st.sampled_from([1, 4, 7, 8, 14, 16, 32, 12.5])),
)


class TestCells:
    @given(grids, st.data())
    def test_the_centre_of_a_cell_lies_in_that_cell(self, grid, data):
        cell = data.draw(st.integers(0, grid.rows - 1)), data.draw(st.integers(0, grid.cols - 1))
        assert grid.cell_at(*grid.centre(*cell)) == cell

    @given(grids, st.data())
    def test_a_pixel_lies_in_the_box_of_its_cell(self, grid, data):
        u = data.draw(st.floats(0, grid.cols * grid.stride[1], exclude_max=True))
        v = data.draw(st.floats(0, grid.rows * grid.stride[0], exclude_max=True))
        u0, v0, u1, v1 = grid.box(*grid.cell_at(u, v))
        assert u0 - 1e-9 <= u <= u1 + 1e-9
        assert v0 - 1e-9 <= v <= v1 + 1e-9

    @given(grids)
    def test_boxes_tile_the_view_without_gap_or_overlap(self, grid):
        boxes = [[grid.box(r, c) for c in range(grid.cols)] for r in range(grid.rows)]
        assert all(boxes[0][c][2] == boxes[0][c + 1][0] for c in range(grid.cols - 1))
        assert all(boxes[r][0][3] == boxes[r + 1][0][1] for r in range(grid.rows - 1))
        assert boxes[0][0][:2] == (0, 0)
        assert boxes[-1][-1][2:] == (grid.cols * grid.stride[1], grid.rows * grid.stride[0])

    @given(grids, st.floats(-1e4, 1e4), st.floats(-1e4, 1e4))
    def test_points_outside_go_to_the_nearest_cell(self, grid, u, v):
        row, col = grid.cell_at(u, v)
        assert 0 <= row < grid.rows and 0 <= col < grid.cols
        inside = min(max(u, 0), grid.cols * grid.stride[1] - 1e-6), min(max(v, 0), grid.rows * grid.stride[0] - 1e-6)
        assert (row, col) == grid.cell_at(*inside)

    def test_u_is_to_the_right_and_v_is_down(self):
        grid = Grid(2, 5, (10, 4))
        assert grid.cell_at(19, 1) == (0, 4)
        assert grid.cell_at(1, 19) == (1, 0)
        assert grid.shape == (2, 5) and grid.size == 10


class TestStrides:
    @pytest.mark.parametrize(
        ("length", "count", "stride"),
        [
            (224, 14, 16), (224, 7, 32), (518, 37, 14), (1024, 64, 16),  # divides
            (225, 14, 16), (239, 14, 16), (230, 15, 16), (513, 65, 8),  # floor and ceil
            (225, 15, 15), (28, 4, 7), (300, 10, 30), (36, 5, 8), (44, 6, 8), (20, 3, 8), (300, 9, 32),
        ],
    )  # fmt: skip
    def test_the_stride_is_that_of_the_network(self, length, count, stride):
        assert Grid.over((length, 64), count, 8).stride[0] == stride
        assert Grid.over((64, length), 8, count).stride[1] == stride

    @pytest.mark.parametrize("length", [36, 44, 64, 100, 224, 225, 300, 320, 333, 1000])
    def test_stages_that_halve_and_pad_keep_their_power_of_two(self, length):
        rows, stride = -(-length // 4), 4
        while rows > 1:
            assert Grid.over((length, 64), rows, 8, halving=True).stride[0] == stride
            rows, stride = -(-rows // 2), stride * 2

    @given(st.sampled_from([4, 8, 16, 32]), st.integers(2, 60), st.data())
    def test_powers_of_two_come_back_from_floor_and_from_ceil(self, stride, count, data):
        rest = data.draw(st.integers(0, stride - 1))
        floored = Grid.over((count * stride + rest, 8), count, 1).stride[0]
        ceiled = Grid.over((count * stride - rest, 8), count, 1).stride[0]
        for length, found in ((count * stride + rest, floored), (count * stride - rest, ceiled)):
            assert count in (length // found, -(-length // found))
        if count > stride:  # fewer patches against their rest fit a coarser stride too
            assert floored == ceiled == stride


class TestGridOfTokens:
    @given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 40), st.integers(1, 40), st.booleans())
    def test_known_patches_give_their_grid_whatever_rest_of_the_view_they_leave(self, height, width, high, wide, pads):
        rows, cols = (-(-height // high), -(-width // wide)) if pads else (height // high, width // wide)
        assume(rows * cols)
        dropped = (height // high) * (width // wide)
        assume(not pads or dropped != rows * cols)  # as many either way: then the network is taken to drop the rest
        grid = Grid.of_tokens((height, width), rows * cols, (high, wide))
        assert (grid.shape, grid.stride) == ((rows, cols), (high, wide))

    @given(st.sampled_from([4, 8, 14, 16, 32]), st.integers(1, 40), st.integers(1, 40))
    def test_any_view_of_whole_square_patches_gives_its_grid(self, patch, rows, cols):
        grid = Grid.of_tokens((rows * patch, cols * patch), rows * cols)
        assert grid is not None
        assert grid.shape == (rows, cols)
        assert grid.stride == (patch, patch)

    @pytest.mark.parametrize(
        ("view", "count", "shape"),
        [((225, 225), 196, (14, 14)), ((230, 230), 225, (15, 15)), ((224, 320), 280, (14, 20)), ((96, 64), 24, (6, 4))],
    )
    def test_views_that_do_not_divide_give_their_grid(self, view, count, shape):
        assert Grid.of_tokens(view, count).shape == shape

    @pytest.mark.parametrize(
        ("view", "count"), [((224, 224), 197), ((224, 224), 98), ((224, 320), 196), ((512, 64), 257)]
    )
    def test_counts_that_fit_no_square_patches_are_refused(self, view, count):
        assert Grid.of_tokens(view, count) is None

    @given(st.integers(3, 200))
    def test_a_class_token_too_many_is_never_taken_for_a_patch_of_a_square_view(self, side):
        assert Grid.of_tokens((side * 16, side * 16), side * side + 1) is None


def numbered(grid):
    return torch.arange(1, grid[0] * grid[1] + 1).view(1, *grid, 1)


def timm_index(grid, window, shift):
    x = torch.roll(numbered(grid), shifts=(-shift[0], -shift[1]), dims=(1, 2))
    pad_h = (window[0] - grid[0] % window[0]) % window[0]
    pad_w = (window[1] - grid[1] % window[1]) % window[1]
    x = F.pad(x, (0, 0, 0, pad_w, 0, pad_h))
    return swin_transformer.window_partition(x, window).view(-1, window[0] * window[1]).numpy() - 1


def torchvision_index(grid, window, shift):
    x = F.pad(numbered(grid), (0, 0, 0, -grid[1] % window[1], 0, -grid[0] % window[0]))
    x = torch.roll(x, shifts=(-shift[0], -shift[1]), dims=(1, 2))
    _, high, wide, _ = x.shape
    x = x.view(1, high // window[0], window[0], wide // window[1], window[1], 1)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, window[0] * window[1]).numpy() - 1


sides = st.tuples(st.integers(1, 17), st.integers(1, 17))
cuts = st.tuples(st.integers(1, 7), st.integers(1, 7))


class TestWindows:
    @given(sides, cuts, st.data())
    def test_index_is_what_timms_roll_pad_and_partition_do(self, grid, window, data):
        shift = data.draw(st.integers(0, window[0] - 1)), data.draw(st.integers(0, window[1] - 1))
        np.testing.assert_array_equal(Windows(grid, window, shift).index(), timm_index(grid, window, shift))

    @given(sides, cuts, st.data())
    def test_index_with_pad_first_is_what_torchvision_does(self, grid, window, data):
        shift = data.draw(st.integers(0, window[0] - 1)), data.draw(st.integers(0, window[1] - 1))
        ours = Windows(grid, window, shift, pad_first=True).index()
        np.testing.assert_array_equal(ours, torchvision_index(grid, window, shift))

    @given(cuts, cuts)
    def test_dilated_index_is_what_timms_grid_partition_does(self, window, times):
        grid = window[0] * times[0], window[1] * times[1]
        theirs = maxxvit.grid_partition(numbered(grid), window).reshape(-1, window[0] * window[1]).numpy() - 1
        np.testing.assert_array_equal(Windows(grid, window, kind="dilated").index(), theirs)

    @given(sides, cuts, st.data(), st.booleans())
    def test_every_token_is_in_exactly_one_place(self, grid, window, data, pad_first):
        shift = data.draw(st.integers(0, window[0] - 1)), data.draw(st.integers(0, window[1] - 1))
        index = Windows(grid, window, shift, pad_first=pad_first).index()
        assert sorted(index[index >= 0]) == list(range(grid[0] * grid[1]))

    def test_a_padded_and_shifted_index_by_hand(self):
        # 0 1 2      4 5 3      4 5 | 3 .
        # 3 4 5  ->  7 8 6  ->  7 8 | 6 .
        # 6 7 8      1 2 0      1 2 | 0 .
        #                       . . | . .
        index = Windows((3, 3), (2, 2), (1, 1)).index()
        assert index.tolist() == [[4, 5, 7, 8], [3, -1, 6, -1], [1, 2, -1, -1], [0, -1, -1, -1]]

    def test_padding_before_rolling_gives_another_index(self):
        index = Windows((3, 3), (2, 2), (1, 1), pad_first=True).index()
        assert index.tolist() == [[4, 5, 7, 8], [-1, 3, -1, 6], [-1, -1, 1, 2], [-1, -1, -1, 0]]


def timm_regions(grid, window, shift):
    """The regions that timm's own mask is made of, from the mask itself: places that look at each other are one."""
    block = SimpleNamespace(shift_size=shift, window_size=window, window_area=window[0] * window[1])
    padded = torch.zeros(1, grid[0] + -grid[0] % window[0], grid[1] + -grid[1] % window[1], 1)
    mask = swin_transformer.SwinTransformerBlock.get_attn_mask(block, padded)
    return None if mask is None else (mask <= -50).numpy()


def drawn_shifts(data, grid, window):
    """A shift that a network could have: none along a side that one window covers."""
    return tuple(
        0 if side <= size else data.draw(st.integers(0, size - 1)) for side, size in zip(grid, window, strict=True)
    )


class TestWhereAWindowLies:
    @given(sides, cuts, st.data())
    def test_regions_are_those_of_timms_mask(self, grid, window, data):
        shift = drawn_shifts(data, grid, window)
        regions = Windows(grid, window, shift).regions()
        apart = regions[:, :, None] != regions[:, None, :]
        theirs = timm_regions(grid, window, shift)
        np.testing.assert_array_equal(apart, np.zeros_like(apart) if theirs is None else theirs)

    @given(sides, cuts, st.data(), st.booleans())
    def test_pieces_are_the_window_and_its_hidden_part_once_each(self, grid, window, data, pad_first):
        windows = Windows(grid, window, drawn_shifts(data, grid, window), pad_first=pad_first)
        cell = data.draw(st.integers(0, grid[0] - 1)), data.draw(st.integers(0, grid[1] - 1))
        times, hidden = np.zeros(grid, dtype=int), np.zeros(grid, dtype=bool)
        for piece in windows.pieces(cell):
            times[slice(*piece.rows), slice(*piece.cols)] += 1
            hidden[slice(*piece.rows), slice(*piece.cols)] = piece.shut_out
        np.testing.assert_array_equal(times, windows.members(cell))
        np.testing.assert_array_equal(hidden, windows.shut_out(cell))
        assert windows.members(cell)[cell] and not windows.shut_out(cell)[cell]
        assert windows.padding(cell) == window[0] * window[1] - windows.members(cell).sum()

    @given(sides, cuts, st.data(), st.booleans())
    def test_a_window_wraps_where_going_on_in_it_leads_from_the_last_row_to_the_first(self, grid, window, data, first):
        windows = Windows(grid, window, drawn_shifts(data, grid, window), pad_first=first)
        cell = data.draw(st.integers(0, grid[0] - 1)), data.draw(st.integers(0, grid[1] - 1))
        tokens = next(w for w in windows.index() if cell[0] * grid[1] + cell[1] in w).reshape(window)
        rows = [int(line[line >= 0][0]) // grid[1] for line in tokens if (line >= 0).any()]
        cols = [int(line[line >= 0][0]) % grid[1] for line in tokens.T if (line >= 0).any()]
        assert windows.wraps(cell) == tuple(any(b < a for a, b in pairwise(line)) for line in (rows, cols))

    def test_corners_of_a_shifted_window_by_hand(self):
        windows = Windows((8, 8), (4, 4), (2, 2))
        corner = windows.pieces((7, 7))
        assert sorted((p.rows, p.cols, p.shut_out) for p in corner) == [
            ((0, 2), (0, 2), True),
            ((0, 2), (6, 8), True),
            ((6, 8), (0, 2), True),
            ((6, 8), (6, 8), False),
        ]
        assert windows.wraps((7, 7)) == (True, True) and windows.wraps((3, 7)) == (False, True)
        assert windows.wraps((3, 3)) == (False, False) and not windows.shut_out((3, 3)).any()

    def test_without_a_mask_nothing_is_shut_out(self):
        windows = Windows((8, 8), (4, 4), (2, 2), masked=False)
        assert not windows.shut_out((7, 7)).any() and windows.members((7, 7)).sum() == 16

    def test_dilated_windows_are_drawn_as_the_cells_they_take_one_token_of(self):
        windows = Windows((4, 6), (2, 3), kind="dilated")
        assert windows.cells().tolist() == [[0, 0, 1, 1, 2, 2]] * 2 + [[3, 3, 4, 4, 5, 5]] * 2
        for number in range(4):  # each window has one token of every cell
            assert sorted(windows.cells()[windows.numbers() == number]) == list(range(6))
