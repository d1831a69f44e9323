"""What the tests of formats compare with."""

import pytest
import torch
from formats import TOLERANCE, difference


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Networks this small lose more time to the hand-over between threads than they win."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def same():
    """Assert that two outputs agree to the tolerance of all formats."""

    def check(ours, theirs):
        assert difference(ours, theirs) <= TOLERANCE

    return check
