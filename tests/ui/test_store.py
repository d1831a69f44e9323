"""The state of a pane: always legal, one signal for a change, and the way back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitviz.attention.values import Place
from vitviz.render.style import COLORMAPS, Style
from vitviz.ui.store import Reality, State, Store, resolve

TOKENS = ("cls", "dist", "reg0", "mean")
places = st.builds(Place, st.floats(-1e4, 1e4), st.floats(-1e4, 1e4))
heads = st.one_of(st.integers(-5, 40), st.sampled_from(["mean", "max", "min"]))
queries = st.one_of(st.none(), places, st.sampled_from(TOKENS))
wishes = st.builds(
    State,
    layer=st.integers(-40, 40),
    head=heads,
    query=queries,
    hover=st.one_of(st.none(), places),
    direction=st.sampled_from(["from", "to"]),
    style=st.builds(Style, st.sampled_from(COLORMAPS), st.floats(0, 1)),
)
realities = st.builds(
    Reality,
    heads=st.lists(st.integers(1, 32), max_size=30).map(tuple),
    tokens=st.lists(st.sampled_from(TOKENS), unique=True).map(tuple),
)
VIT = Reality((12,) * 12, ("cls", "mean"))
SWIN = Reality((3, 6, 12, 24), ("mean",))


@pytest.fixture
def store(qapp):
    made = Store(State(layer=0))
    made.face(VIT)
    return made


@pytest.fixture
def log(store):
    changes = []
    store.changed.connect(lambda old, new: changes.append((old, new)))
    return changes


@given(wishes, realities)
def test_resolve_is_idempotent_and_legal_for_any_wish(wish, reality):
    state = resolve(wish, reality)
    assert resolve(state, reality) == state
    if reality.heads:
        assert 0 <= state.layer < len(reality.heads)
        assert isinstance(state.head, str) or 0 <= state.head < reality.heads[state.layer]
        assert not isinstance(state.query, str) or state.query in reality.tokens


@given(wishes, realities)
def test_resolve_changes_nothing_that_is_legal(wish, reality):
    state = resolve(wish, reality)
    assert (state.hover, state.direction, state.style) == (wish.hover, wish.direction, wish.style)
    if 0 <= wish.layer < len(reality.heads):
        assert state.layer == wish.layer
    if isinstance(wish.head, str):
        assert state.head == wish.head
    if not isinstance(wish.query, str) or wish.query in reality.tokens:
        assert state.query == wish.query


def test_negative_layer_counts_from_the_last_as_in_python():
    assert [resolve(State(layer=-i), SWIN).layer for i in (1, 4, 5)] == [3, 0, 0]


def test_pinned_query_wins_over_the_mouse():
    here, there = Place(1, 1), Place(2, 2)
    assert State(query="cls", hover=there).effective_query == "cls"
    assert State(query=here, hover=there).selection.query == here
    assert State(hover=there).effective_query == there
    assert State().effective_query is None


def test_one_signal_for_one_real_change_with_old_and_new(store, log):
    before = store.state
    store.update(layer=3, head=2)
    assert log == [(before, store.state)]
    assert (store.state.layer, store.state.head) == (3, 2)


@pytest.mark.parametrize(
    "fields", [{"layer": 0}, {"head": "mean"}, {"opacity": 0.6}, {"query": None, "direction": "from"}, {"layer": -12}]
)
def test_setting_what_is_there_emits_nothing(store, log, fields):
    store.update(**fields)
    assert log == []
    assert not store.undo()


def test_fields_of_style_are_given_by_their_own_names(store, log):
    store.update(opacity=0.25, colormap="magma")
    assert (store.state.style.opacity, store.state.style.colormap) == (0.25, "magma")
    assert len(log) == 1


def test_unknown_field_is_an_error_and_changes_nothing(store, log):
    with pytest.raises(TypeError):
        store.update(no_such_field=1)
    assert log == []


def test_facing_another_trace_keeps_what_is_legal_there(store, log):
    store.update(layer=11, head=11, query="cls", direction="to")
    store.face(SWIN)
    assert (store.state.layer, store.state.head, store.state.query, store.state.direction) == (3, 11, None, "to")
    store.update(layer=0)
    assert store.state.head == 2
    assert len(log) == 3


def test_undo_goes_back_change_by_change(store):
    steps = [{"layer": 2}, {"head": 3}, {"layer": 5, "head": 7}, {"query": Place(3, 4)}, {"colormap": "gray"}]
    states = [store.state]
    for fields in steps:
        store.update(**fields)
        states.append(store.state)
    for wanted in reversed(states[:-1]):
        assert store.undo()
        assert store.state == wanted
    assert not store.undo()


def test_undo_emits_one_signal(store, log):
    store.update(layer=4)
    store.undo()
    assert [(old.layer, new.layer) for old, new in log] == [(0, 4), (4, 0)]


def test_dragged_slider_is_one_step_to_undo(store):
    for percent in range(60, 0, -1):
        store.update(opacity=percent / 100)
    assert store.undo()
    assert store.state.style.opacity == 0.6
    assert not store.undo()


def test_two_drags_with_something_between_are_two_steps(store):
    for opacity in (0.5, 0.4):
        store.update(opacity=opacity)
    store.update(layer=1)
    for opacity in (0.3, 0.2):
        store.update(opacity=opacity)
    assert [store.undo() and store.state.style.opacity for _ in range(3)] == [0.4, 0.4, 0.6]


def test_new_drag_after_undo_is_a_step_of_its_own(store):
    store.update(opacity=0.5)
    store.undo()
    store.update(opacity=0.4)
    assert store.undo() and store.state.style.opacity == 0.6


def test_every_step_through_layers_is_undone_singly(store):
    for layer in (1, 2, 3):
        store.update(layer=layer)
    assert store.undo() and store.state.layer == 2


def test_mouse_is_no_step_to_undo_and_stays_where_it_is(store):
    store.update(layer=2)
    for x in range(5):
        store.update(hover=Place(x, x))
    assert store.undo()
    assert (store.state.layer, store.state.hover) == (0, Place(4, 4))
    assert not store.undo()


def test_undo_after_another_model_lands_on_something_legal(store):
    store.update(layer=11, head=11)
    store.update(layer=10)
    store.face(SWIN)
    assert store.undo()
    assert store.state == resolve(store.state, SWIN)


def test_history_is_bounded(store):
    for i in range(1000):
        store.update(layer=i % 2 + 1)
    count = 0
    while store.undo():
        count += 1
    assert 150 <= count <= 250
