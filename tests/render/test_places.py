"""A patch that is asked for is one place of the picture, whatever the grids of the layers that are drawn with it."""

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest

import vitviz
from vitviz.attention.values import Selection
from vitviz.errors import AttentionError
from vitviz.render.making import limits_for, map_for, tiles_of
from vitviz.render.plan import Plan, Seen
from vitviz.render.recipe import prepare, produce
from vitviz.render.style import Style


@pytest.fixture(scope="module")
def swin(tiny_swin, picture):
    """Layers 0 and 1 on 9 x 11 patches, layers 2 and 3 on 5 x 6."""
    return Seen(picture, tiny_swin, vitviz.trace(tiny_swin, picture))


@pytest.fixture(scope="module")
def pooled(make, picture):
    """Two layers on 4 x 6 patches and an attention pool above them, as SigLIP has it."""
    model = make(
        "vit_base_patch16_siglip_224", (64, 96), img_size=(64, 96), embed_dim=32, depth=2, num_heads=2, num_classes=5
    )
    return Seen(picture, model, vitviz.trace(model, picture))


def under(seen, layer, cell):
    """The middle of a patch of one layer as the patch of each layer that lies under it."""
    grids = [each.query_grid for each in seen.trace.layers]
    u, v = grids[layer].centre(*cell)
    return [(int(v // grid.stride[0]), int(u // grid.stride[1])) for grid in grids]


@pytest.mark.parametrize(("layer", "cell"), [(0, (4, 7)), (3, (3, 3)), (-1, (1, 4))])
@pytest.mark.parametrize("limits", ["layer", "all"])
def test_scale_of_a_patch_is_that_of_the_same_place_in_every_layer(swin, layer, cell, limits):
    shown = map_for(swin, Selection(layer, 1, cell))
    taken = range(len(swin.trace.layers)) if limits == "all" else [shown.selection.layer]
    cells = under(swin, layer, cell)
    found = [
        vitviz.attention_map(swin.trace, layer=i, head=h, query=cells[i]).values.max()
        for i in taken
        for h in range(swin.trace.layers[i].num_heads)
    ]
    low, high = limits_for(swin, shown, limits)
    assert high == pytest.approx(max(found), rel=1e-6) and low == 0.0
    recipe = produce(Plan(Selection(layer, 1, cell), Style(limits=limits)), swin).recipe
    assert recipe["style"]["limits"] == [low, high]


@pytest.mark.parametrize("over", ["layers", "heads"])
@pytest.mark.parametrize(("layer", "cell"), [(0, (8, 9)), (3, (3, 3))])
def test_sheet_of_a_patch_shows_the_same_place_in_every_layer(swin, over, layer, cell):
    tiles = tiles_of(Plan(Selection(layer, 1, cell), over=over), swin)
    cells = under(swin, layer, cell)
    assert {tile.shown.selection.layer for tile in tiles} == {0, 1, 2, 3}
    for tile in tiles:
        chosen = tile.shown.selection
        assert tile.shown.query_cell == cells[chosen.layer]
        wanted = vitviz.attention_map(swin.trace, layer=chosen.layer, head=chosen.head, query=cells[chosen.layer])
        np.testing.assert_allclose(tile.shown.values, wanted.values, rtol=1e-5, atol=1e-8)


def test_sheets_of_patches_of_several_grids_have_names_of_their_own(swin):
    names = {prepare(Plan(Selection(layer, 1, (3, 3)), over="layers"), swin).name for layer in (0, 3)}
    assert len(names) == 2


def test_on_one_grid_a_patch_and_its_place_are_one_sheet(tiny_vit, picture):
    seen = Seen(picture, tiny_vit, vitviz.trace(tiny_vit, picture))
    plan = Plan(Selection(-1, 0, (2, 3)), Style(limits="all"), over="heads", scale="all", format="npz")
    values = _arrays(produce(plan, seen).data)
    for layer in range(3):
        for head in range(2):
            wanted = vitviz.attention_map(seen.trace, layer=layer, head=head, query=(2, 3)).values
            assert np.array_equal(values[f"layer_{layer:02d}"][head], wanted)


@pytest.mark.parametrize("kind", ["npz", "safetensors", "gif", "apng"])
def test_pool_has_no_queries_to_go_over(pooled, kind):
    plan = Plan(Selection(-1, 0), over="queries", format=kind)
    with pytest.raises(AttentionError, match="attention pool, which has one query of its own: choose another layer"):
        produce(plan, pooled)
    assert len(tiles_of(replace(plan, selection=Selection(1, 0)), pooled)) == 24


def _arrays(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert json.loads(str(np.load(io.BytesIO(archive.read("about.npy")))))["unit"].startswith("attention weight")
        return {name[:-4]: np.load(io.BytesIO(archive.read(name))) for name in archive.namelist()}
