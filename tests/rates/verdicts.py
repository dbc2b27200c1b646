"""What is decided of many synthetic curves, counted."""

from collections import Counter

import numpy as np

from motsim.rates import (
    decide,
    supports,
)
from tests.rates.synthetic import GRID, curves, law_of


def wrong_verdicts(name, seeds, alter=None):
    """Count the decided laws, and how often the right claim fails, over seeds and sizes."""
    count = Counter()
    for seed in seeds:
        n, decades = GRID[seed % (len(GRID) if alter is None else 3)]
        eps, hits, budget = curves(**law_of(name), seed=seed, n=n, decades=decades)
        if alter is not None:
            hits, budget = alter(hits, budget, np.random.default_rng(seed))
        d = decide(eps, hits, budget, num_bootstrap=200)
        count[d.law] += 1
        count["right claim fails"] += supports(d, name) == "fails"
    return count
