"""Numbers as they are laid out."""

import math

import pytest

from findings.table import plus_minus


@pytest.mark.parametrize(
    ("arguments", "more", "expected"),
    [
        ((83.666, 0.894, 2), {}, "83.67 ± 0.89"),
        ((83.666, math.nan, 2), {}, "83.67"),
        ((83.666, None, 1), {}, "83.7"),
        ((83.666, 0.894, 0), {"n": 5}, "84 ± 1 (n = 5)"),
        ((83.666, None, 0), {"n": 1}, "84 (n = 1)"),
        ((83.666, 0.894, 1), {"unit": "%", "n": 3}, "83.7 ± 0.9% (n = 3)"),
        ((12345.678, 0.0123, (".4g", ".2g")), {}, "1.235e+04 ± 0.012"),
        ((12345.678, 1234.5, (",.1f", ",.1f")), {}, "12,345.7 ± 1,234.5"),
    ],
)
def test_a_mean_with_its_spread(arguments, more, expected):
    assert plus_minus(*arguments, **more) == expected
