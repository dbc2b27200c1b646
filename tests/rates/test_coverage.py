"""Coverage of the 95 % intervals of a decision: simulated, seeds that nothing was chosen on."""

import numpy as np
import pytest

from motsim.rates import decide, evidence
from tests.rates.cases import as_hits

# least and largest share of sets whose interval holds the truth: four standard errors about 0.95,
# and no ceiling for p, whose interval is never narrower than the likelihood leaves open
SIZES = [
    pytest.param(60, 0.84, id="60 sets"),
    pytest.param(600, 0.91, id="600 sets", marks=pytest.mark.slow),
]


def covered(p, num_seeds, sets, first):
    """Share of sets whose interval of p holds the truth."""
    inside = 0
    for seed in range(first, first + sets):
        eps, hits, _ = as_hits(
            np.random.default_rng([seed]), p, noise=0.1, least=5.0, most=5.0, n=num_seeds
        )
        low, high = decide(eps, hits, num_bootstrap=200).exponent_interval
        inside += low <= p <= high
    return inside / sets


@pytest.mark.parametrize(("sets", "least"), SIZES)
@pytest.mark.parametrize(
    "num_seeds", [5, *(pytest.param(n, marks=pytest.mark.slow) for n in (3, 10))]
)
def test_interval_of_the_exponent_covers_seeds_from_810000(num_seeds, sets, least):
    assert covered(0.0, num_seeds, sets, 810_000) >= least


def test_a_plain_percentile_interval_does_not_seeds_from_810000(monkeypatch):
    """Negative control: without stretch and likelihood three seeds cover far too little."""

    def plain(profile, grid, weights, level, common=0.0):
        draws = evidence.peak(weights @ profile, grid)
        low, high = np.quantile(draws[1:], [0.5 * (1 - level), 0.5 * (1 + level)])
        return float(low), float(high)

    monkeypatch.setattr(evidence, "of_profile", plain)
    assert covered(0.0, 3, 60, 810_000) < 0.84
