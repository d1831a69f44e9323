"""Networks of every family, built once, and their traces."""

import pytest
from families import FAMILIES
from oracles import attention_fused

from vitviz.attention.trace import trace


@pytest.fixture(scope="session")
def built(make, picture):
    """family -> (Model, Trace), each made once."""
    known = {}

    def of(family):
        if family.key not in known:
            if family.fused:
                with attention_fused():
                    model = make(family.architecture, family.size, **family.args)
            else:
                model = make(family.architecture, family.size, **family.args)
            known[family.key] = model, trace(model, picture)
        return known[family.key]

    return of


@pytest.fixture(params=FAMILIES, ids=str)
def family(request):
    """Every family in turn."""
    return request.param
