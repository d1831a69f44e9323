"""The table of costs in words: units, ratios to the first, and what is not known yet."""

import pytest

from vitviz.attention.costs import Cost
from vitviz.models.units import flops_text
from vitviz.render.cost_table import bytes_text, ratio_text, rows_of, seconds_text


def cost(**fields):
    values = {
        "name": "a", "view": (128, 128), "patch": (16.0, 16.0), "tokens": 65, "grid": (8, 8), "flops": 179_000_000,
        "attention": 0.073, "seconds": 0.005, "runs": 3, "times": (0.006, 0.005, 0.0048),
        "forward_bytes": 400_000, "trace_bytes": 399_000,
        "parameters": 1_300_000, "device": "CPU", "precision": "float32",
        "top": (("ring", 0.61), ("star", 0.354)),
    }  # fmt: skip
    return Cost(**{**values, **fields})


def table(*costs):
    return {row.name: [cell.words for cell in row.cells] for row in rows_of(costs)}


def test_every_number_stands_with_its_ratio_to_the_first():
    other = cost(tokens=257, grid=(16, 16), flops=822_000_000, attention=0.247, seconds=0.011,
                 times=(0.010, 0.011, 0.012), top=(("star", 0.625),))  # fmt: skip
    found = table(cost(), other)
    assert found["Tokens"] == ["65", "257 (×4.0)"]
    assert found["Patch grid"] == ["8 x 8", "16 x 16"]
    assert found["Operations"] == ["179 MFLOPs", "822 MFLOPs (×4.6)"]
    assert found["… in attention"] == ["7.3%", "24.7%"]
    assert found["Time"] == ["5.00 ms", "11.0 ms (×2.2)"]
    assert found["… fastest to slowest"] == ["4.80 to 6.00 ms, 3 runs", "10.0 to 12.0 ms, 3 runs"]
    assert found["… measured on"] == ["CPU, float32"] * 2
    assert found["Top 1"] == ["ring 61.0%", "star 62.5%"]
    assert found["Top 2"] == ["star 35.4%", ""]


def test_what_is_not_known_yet_and_what_can_not_be_counted():
    found = table(None, cost(), cost(flops=None, attention=None))
    assert found["Tokens"] == ["…", "65", "65"]
    assert found["Operations"] == ["…", "179 MFLOPs", "not counted"]
    assert found["… in attention"] == ["…", "7.3%", "not counted"]


def test_time_says_the_runs_and_the_device():
    row = next(row for row in rows_of([cost(runs=3)]) if row.name == "Time")
    assert "median of 3 plain passes" in row.tip and "CPU, float32" in row.tip


@pytest.mark.parametrize("times", [(0.0055, 0.0065, 0.007), (0.004, 0.0045, 0.0048), (0.02,), ()])
def test_times_that_overlap_or_have_no_spread_have_no_ratio(times):
    reason = "times overlap" if len(times) > 1 else "1 run"
    assert table(cost(), cost(seconds=0.006, times=times))["Time"] == ["5.00 ms", f"6.00 ms ({reason})"]


def test_parameters_below_each_other_have_as_many_digits():
    assert table(cost(), cost(parameters=1_254_000))["Parameters"] == ["1.30 M", "1.25 M (×0.96)"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (ratio_text(0.0655), "×0.066"), (ratio_text(1.0), "×1.0"), (ratio_text(27.04), "×27.0"),
        (ratio_text(99.7), "×100"), (flops_text(35.1e9), "35.1 GFLOPs"), (flops_text(2.5e12), "2.50 TFLOPs"),
        (seconds_text(0.0123), "12.3 ms"), (seconds_text(9.83), "9.83 s"), (bytes_text(9.7e9), "9.70 GB"),
        (bytes_text(14.2e6), "14.2 MB"), (bytes_text(512), "0.512 kB"),
    ],
)  # fmt: skip
def test_units(text, wanted):
    assert text == wanted
